"""The layers of the package, read from its imports; a failure names file and line.

    7  demo   __main__                       the command line
    6  nn   parallel   image   plotting   augment    edges: nobody below imports them
    5  estimators
    4  dictionary   supervised   encoders
    3  solvers   execution   limit_arguments   coding   path
       adjoints   limit_gradients   implicit
    2  problem   certificate   solution
    1  priors   reconstruction   losses   optim   _atoms   _lump   _row_map      kernels
    0  _array   _entropy   _files   _linalg   _newton   _prepared_signals   _records
       _signals   _stored   _threads   _trusted   _typing   _validation   _versions
       _weighted_signals

A module imports from lower layers, or from its own package; modules of one layer do not see each
other, but for the NEIGHBOURS below.
"""

import ast
import re
from pathlib import Path

import pytest

import skdict_sup

ROOT = Path(skdict_sup.__file__).parent

LAYERS = {
    "_array": 0,
    "_linalg": 0,
    "_entropy": 0,
    "_files": 0,
    "_newton": 0,
    "_prepared_signals": 0,
    "_records": 0,
    "_signals": 0,
    "_weighted_signals": 0,
    "_stored": 0,
    "_validation": 0,
    "_threads": 0,
    "_typing": 0,
    "_trusted": 0,
    "_versions": 0,
    "_atoms": 1,
    "_lump": 1,
    "_row_map": 1,
    "priors": 1,
    "reconstruction": 1,
    "losses": 1,
    "kernels": 1,
    "certificate": 2,
    "problem": 2,
    "solution": 2,
    "solvers": 3,
    "execution": 3,
    "coding": 3,
    "implicit": 3,
    "limit_gradients": 3,
    "limit_arguments": 3,
    "adjoints": 3,
    "path": 3,
    "optim": 1,
    "dictionary": 4,
    "supervised": 4,
    "encoders": 4,
    "estimators": 5,
    "nn": 6,
    "parallel": 6,
    "image": 6,
    "plotting": 6,
    "augment": 6,
    "demo": 7,
    "__main__": 7,
}

# neighbours that may see each other, in one direction, each with its reason
NEIGHBOURS = {
    ("_validation", "_array"): "a check asks what library an array is of",
    ("_entropy", "_typing"): "signatures name arrays",
    ("_entropy", "_array"): "formulas on arrays of any library",
    ("_linalg", "_array"): "linear algebra on arrays of any library",
    ("_newton", "_array"): "an algorithm on arrays of any library",
    ("_newton", "_records"): "its state is a record with a row for each signal",
    ("_records", "_array"): "records hold arrays of any library",
    ("_prepared_signals", "_array"): "signals are prepared in any library",
    ("_prepared_signals", "_records"): "a batch of signals with weights is a record",
    ("_prepared_signals", "_signals"): "they are a kind of signals",
    ("_signals", "_array"): "batches are arrays of any library",
    ("_signals", "_records"): "a batch of signals with weights is a record",
    ("_weighted_signals", "_array"): "masks may be of any library",
    ("_weighted_signals", "_records"): "a batch of signals with weights is a record",
    ("_weighted_signals", "_signals"): "they are kinds of signals",
    ("_weighted_signals", "_validation"): "masks and weights that users pass are checked",
    ("_signals", "_threads"): "a pass over signals is cut into slices as that of threads is",
    ("_signals", "_validation"): "signals that users pass are checked",
    ("_threads", "_array"): "threads see the error handling of the caller's arrays",
    ("_stored", "_validation"): "what cannot be read is warned of",
    ("_atoms", "kernels"): "products with a dictionary are operations on batches",
    ("_atoms", "_lump"): "moments of the columns are computed once",
    ("_atoms", "_row_map"): "products with a dictionary are those with a matrix",
    ("_lump", "_row_map"): "products with moments are those with a matrix",
    ("_row_map", "kernels"): "products of rows and a matrix are operations on batches",
    ("optim", "kernels"): "a step of all atoms is one operation",
    ("reconstruction", "_atoms"): "terms see arrays and atoms",
    ("reconstruction", "_lump"): "approximate Hessians hold the largest features",
    ("reconstruction", "kernels"): "the linear systems of a transfer are operations on batches",
    ("problem", "certificate"): "a problem certifies its codes",
    ("execution", "solvers"): "codes that fall short are computed again by another solver",
    ("coding", "execution"): "`encode` codes a batch",
    ("coding", "solvers"): "`encode` joins a problem and a solver by name",
    ("coding", "limit_arguments"): "limits that users pass are checked",
    ("limit_arguments", "execution"): "what is checked are the limits of an execution",
    ("path", "execution"): "`codes_path` codes a batch",
    ("path", "coding"): "`codes_path` checks and poses its problem as `encode` does",
    ("limit_gradients", "adjoints"): "both solve the systems of the supports",
    ("implicit", "adjoints"): "gradients follow from adjoints",
    ("implicit", "limit_arguments"): "limits that users pass are checked",
    ("implicit", "limit_gradients"): "codes at limits have adjoints of their own",
    ("implicit", "execution"): "`encode_with_vjp` codes a batch",
    ("implicit", "coding"): "`code_vjp` checks and poses its problem as `encode` does",
    ("encoders", "supervised"): "both learn by the same steps",
    ("supervised", "dictionary"): "it begins with a dictionary learned without labels",
    ("estimators", "parallel"): "methods pass dask arrays on, at their first use",
    ("__main__", "demo"): "the command runs the demonstration",
}

# who may import what, besides the standard library
BACKENDS = {
    "numba": {"kernels"},
    "cupy": {"_array", "kernels"},
    "torch": {"_array", "kernels", "nn"},
    "dask": {"_array", "parallel"},
    "jax": {"_array"},
    "array_api_compat": {"_array"},
    "array_api_extra": {"_array"},
    "array_api_strict": set(),
}
MAY_USE_SKLEARN = {"priors", "_stored", "_validation"}  # BaseEstimator; classes of warnings
MAY_DRAW = {"demo", "plotting"}
MOST_LINES = 350


def unit_of(path, root=ROOT):
    """Package or module right below the root that a file belongs to."""
    parts = path.relative_to(root).with_suffix("").parts
    return parts[0]


def imports_of(path, root=ROOT):
    """(line, dotted name, whether at module level) of all that a file imports.

    Names within the package come out absolute; `from . import a` counts as an import of `.a`.
    """
    package = [root.name, *path.relative_to(root).parent.parts]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(outer)
    }
    typing = {  # what type checkers alone read
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.If) and getattr(outer.test, "id", None) == "TYPE_CHECKING"
        for inner in outer.body
    }
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        top = id(node) not in late
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            stem = ".".join([*base, *filter(None, [node.module])])
            yield from ((node.lineno, f"{stem}.{alias.name}", top) for alias in node.names)
        elif isinstance(node, ast.Call) and _is_import_call(node):
            yield node.lineno, node.args[0].value, top


def _is_import_call(node):
    name = getattr(node.func, "attr", getattr(node.func, "id", None))
    constant = bool(node.args) and isinstance(node.args[0], ast.Constant)
    return name in {"import_module", "__import__"} and constant


def complaints_about(path, root=ROOT):  # noqa: C901 - a branch for each rule
    """Every broken rule in one file, as 'file:line: what and why'."""
    unit = unit_of(path, root)
    if unit == "__init__":
        layer = None  # the front door names its modules, and imports none
    elif unit in LAYERS:
        layer = LAYERS[unit]
    else:
        yield f"{path}:1: {unit} has no layer; give it one in tests/project/test_architecture.py"
        return
    for line, name, at_module_level in imports_of(path, root):
        where = f"{path}:{line}:"
        first, *rest = name.split(".")
        if first == root.name:
            other = rest[0]
            if layer is None:
                yield f"{where} the front door imports {other} before anyone asks for it"
            elif other == unit or other.startswith("__version__"):
                continue
            elif other not in LAYERS:
                yield f"{where} {unit} imports {other}, which has no layer"
            elif LAYERS[other] >= layer and (unit, other) not in NEIGHBOURS:
                yield f"{where} {unit} (layer {layer}) imports {other} (layer {LAYERS[other]})"
        elif first in BACKENDS and unit not in BACKENDS[first]:
            yield f"{where} {unit} imports {first}; only {sorted(BACKENDS[first])} may"
        elif first == "sklearn" and (layer or 0) < 5 and unit not in MAY_USE_SKLEARN:
            yield f"{where} {unit} (layer {layer}) imports scikit-learn"
        elif first == "matplotlib" and at_module_level and unit not in MAY_DRAW:
            yield f"{where} {unit} imports matplotlib at module level"


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_imports_go_down_the_layers(path):
    assert not (found := list(complaints_about(path))), "\n" + "\n".join(found)


def test_no_file_is_too_long():
    files = [*ROOT.rglob("*.py"), *ROOT.rglob("*.cu"), *Path(__file__).parents[1].rglob("*.py")]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    too_long = [f"{path}: {n} lines" for path, n in lengths.items() if n > MOST_LINES]
    assert not too_long, "\n" + "\n".join(too_long)


def test_every_neighbour_is_needed():
    # a permission that nobody uses is a hole in the wall
    used = {
        (unit_of(path), name.split(".")[1])
        for path in ROOT.rglob("*.py")
        for _, name, _ in imports_of(path)
        if name.startswith(f"{ROOT.name}.")
    }
    present = {unit_of(path) for path in ROOT.rglob("*.py")}
    unused = {pair for pair in NEIGHBOURS if set(pair) <= present} - used
    assert not unused


PAGES = Path(__file__).parents[2]
HERE = {unit_of(path) for path in ROOT.rglob("*.py")}
LAYER = r"^(?:    |\| )(\d) (.*(?:\n {7,}.*)*)$"


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/development/architecture.md"])
def test_pages_show_the_layers_as_they_are(page):
    text = (PAGES / page).read_text(encoding="utf-8")
    text = text[text.index("\n## Layers") :]
    shown = {int(number): line for number, line in re.findall(LAYER, text, re.MULTILINE)}
    assert sorted(shown, reverse=True) == list(shown) == sorted(set(LAYERS.values()))[::-1]
    for name in HERE - {"__init__"}:
        found = {number for number, line in shown.items() if re.search(rf"\b{name}\b", line)}
        assert LAYERS[name] in found, f"{name} is shown in {found}"


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        ("priors/own.py", "from ..problem import Problem", "priors (layer 1) imports problem"),
        ("priors/own.py", "from ..kernels import atom_update", "imports kernels (layer 1)"),
        ("kernels/_registry.py", "from skdict_sup import priors", "imports priors (layer 1)"),
        ("problem.py", "from . import estimators", "imports estimators (layer 5)"),
        ("estimators/coder.py", "from ..plotting import show", "imports plotting (layer 6)"),
        ("solvers/fast.py", "def f():\n    import torch", "solvers imports torch"),
        ("solvers/fast.py", "import numba.core", "solvers imports numba"),
        ("solvers/fast.py", "import_module('cupy')", "solvers imports cupy"),
        ("dictionary/own.py", "from sklearn.cluster import KMeans", "imports scikit-learn"),
        ("image/own.py", "import matplotlib.pyplot", "imports matplotlib at module level"),
        ("novel.py", "import os", "novel has no layer"),
        ("__init__.py", "from . import problem", "the front door imports problem"),
    ],
)
def test_the_reader_of_imports_sees_what_is_forbidden(tmp_path, file, source, complaint):
    root = tmp_path / "skdict_sup"
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("import math\n" + source, encoding="utf-8")
    found = list(complaints_about(path, root))
    assert len(found) == 1
    assert complaint in found[0]
    assert f"{path}:" in found[0]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("priors/own.py", "from sklearn.base import BaseEstimator\nfrom .._array import eps"),
        ("kernels/_numba/own.py", "import numba\nfrom .._rank import min_relative_pivot"),
        ("nn/layers.py", "import torch\nfrom ..implicit import code_vjp"),
        ("estimators/own.py", "import sklearn\nfrom ..dictionary.online import step"),
        ("image/own.py", "def show():\n    import matplotlib.pyplot"),
        ("__init__.py", "if TYPE_CHECKING:\n    from .problem import Problem"),
    ],
)
def test_the_reader_of_imports_lets_pass_what_is_allowed(tmp_path, file, source):
    root = tmp_path / "skdict_sup"
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    assert list(complaints_about(path, root)) == []
