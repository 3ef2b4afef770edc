"""The words of the package: options stand in the documentation, names are those of notation.rst.

A comment is a phrase with its subject, and what the field has a term for is called by it.
"""

import ast
import inspect
import io
import re
import tokenize
from pathlib import Path

import pytest

import skdict_sup
from skdict_sup import augment, image, parallel, plotting, priors
from skdict_sup.dictionary.initialise import INITS
from skdict_sup.encoders import ARCHITECTURES
from skdict_sup.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from skdict_sup.optim import OPTIMIZERS
from skdict_sup.solvers import SOLVERS

try:
    from skdict_sup import nn
except ImportError:  # without torch
    nn = None

PACKAGE = Path(skdict_sup.__file__).parent
DOCS = Path(__file__).resolve().parents[2] / "docs"
SOURCES = sorted(PACKAGE.rglob("*.py"))
BUILT = ("api", "auto_examples", "_build", "results")  # by autosummary, the gallery, the scripts
PAGES = [
    path
    for ending in ("rst", "md")
    for path in sorted(DOCS.rglob(f"*.{ending}"))
    if path.relative_to(DOCS).parts[0] not in BUILT
]
needs_docs = pytest.mark.skipif(not PAGES, reason="no docs beside the tests")

OPTIONS = {
    "solver": SOLVERS,
    "architecture": ARCHITECTURES,
    "init": INITS,
    "optimizer": OPTIMIZERS,
    "loss of a regressor": REGRESSION_LOSSES,
    "loss of a classifier": CLASSIFICATION_LOSSES,
    "prior": priors._DEFAULTS,
}
# names of papers and of other libraries, for what notation.rst has a name of its own for
ELSEWHERE = {"D", "W", "alpha", "gamma", "l1_ratio", "lambda_", "lambda1", "lambda2", "n_atoms"}
# turns of phrase, and what the field says
RETIRED = {
    r"by heart": "to overfit",
    r"gets? no further": "no further progress is possible",
    r"don't vote": "are ignored",
    r"has no part in": "does not depend on",
    r"heed": "to ignore, or to use",
    r"(lets?|letting) go of": "to remove or to drop",
    r"one's own": "custom",
    r"one door": "the only module",
    r"second way": "to retry",
    r"speaks? for": "is the interface to",
    r"toils?": "to iterate",
    r"without a word": "silently, or without a warning",
}


def comments_of(text):
    """Pairs of a line number and the words of a comment, whose lines begin at one column."""
    place, words = (0, 0), ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            part = token.string.lstrip("#: ")
            if words and (line, column) == (place[0] + words.count("\n") + 1, place[1]):
                words += "\n" + part
                continue
            if words:
                yield place[0], words
            place, words = (line, column), part
    if words:
        yield place[0], words


def docstrings_of(text):
    """Pairs of a line number and a docstring."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, kinds) and (found := ast.get_docstring(node)):
            yield node.body[0].lineno, found


def dangling(text):
    """Lines whose comment begins with an "of" that belongs to no noun."""
    return [line for line, words in comments_of(text) if re.match(r"of\b", words, re.IGNORECASE)]


def retired(prose):
    """Retired turns of phrase, each with what is said in its place."""
    plain = " ".join(prose.split())
    return [
        f"{found.group()!r}: say {better!r}"
        for phrase, better in RETIRED.items()
        for found in re.finditer(rf"\b{phrase}\b", plain, re.IGNORECASE)
    ]


def public_objects():
    for home in filter(
        None, (skdict_sup, augment, plotting, nn, image, image.degradations, parallel)
    ):
        yield from (getattr(home, name) for name in home.__all__ if name != "degradations")


def documentation():
    """All that users read: docstrings of the public objects and of their methods, and pages."""
    methods = [
        method
        for one in public_objects()
        if inspect.isclass(one)
        for name, method in inspect.getmembers(one, callable)
        if not name.startswith("_")
    ]
    docstrings = [inspect.getdoc(one) or "" for one in (*public_objects(), *methods)]
    return "\n".join([*docstrings, *(page.read_text(encoding="utf-8") for page in PAGES)])


def test_every_name_of_an_option_is_documented():
    text = documentation()
    missing = [
        f"{option}={name!r}"
        for option, names in OPTIONS.items()
        for name in names
        if f'"{name}"' not in text
    ]
    assert not missing, f"in no docstring and on no page: {missing}"


def names_of_layers():
    """Public names of the layers, which are read from the file, because torch may be missing."""
    tree = ast.parse((PACKAGE / "nn" / "__init__.py").read_text(encoding="utf-8"))
    return next(ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign))


@needs_docs
def test_every_public_name_is_in_the_reference():
    text = (DOCS / "api.rst").read_text(encoding="utf-8")
    named = set(re.findall(r"^   (\w+)$", text, re.MULTILINE))
    images = {*image.__all__, *image.degradations.__all__} - {"degradations"}  # a module
    edges = {*augment.__all__, *plotting.__all__, *names_of_layers(), *images, *parallel.__all__}
    assert named == {*skdict_sup.__all__, *edges}


@needs_docs
def test_every_name_of_the_notation_is_used():
    text = (DOCS / "user_guide" / "notation.rst").read_text(encoding="utf-8")
    rows = re.findall(r"^   \* - (.*)\n     - (.*)\n", text, re.MULTILINE)
    names = {name for row in rows for cell in row for name in re.findall(r"``(\w+)``", cell)}
    symbols, words = {"dictionary", "code", "lam", "components_"}, {"offset", "slope", "head"}
    assert symbols | words <= names, "the tables were not found"
    used = {
        token.string
        for path in SOURCES
        for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
        if token.type == tokenize.NAME
    }
    assert not names - used, "notation.rst names what is not in the package"


def test_no_public_parameter_has_a_name_of_other_notations():
    for one in public_objects():
        taken = set(inspect.signature(one).parameters) & ELSEWHERE
        assert not taken, f"{one.__name__} has {sorted(taken)}; see docs/user_guide/notation.rst"


@pytest.mark.parametrize("comment", ["# of the atoms", "x = 1  # Of them at most", "#: of tol"])
def test_a_comment_without_its_noun_is_found(comment):
    assert dangling(comment + "\n") == [1]


@pytest.mark.parametrize("comment", ["# often", "# rows\n# of X", "x = '# of'  # a text"])
def test_other_comments_are_let_pass(comment):
    assert not dangling(comment + "\n")


def test_comments_have_a_subject():
    found = [
        f"{path}:{line}" for path in SOURCES for line in dangling(path.read_text(encoding="utf-8"))
    ]
    assert not found, 'comments that begin with "of":\n' + "\n".join(found)


def test_a_retired_phrase_is_found_across_lines():
    assert len(retired("they learn it by\n    heart")) == 1
    assert not retired("heedless, and hearts")


def test_comments_and_docstrings_use_the_terms_of_the_field():
    found = [
        f"{path}:{line}: {complaint}"
        for path in SOURCES
        for reader in (comments_of, docstrings_of)
        for line, prose in reader(path.read_text(encoding="utf-8"))
        for complaint in retired(prose)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_pages_use_the_terms_of_the_field(page):
    assert not (found := retired(page.read_text(encoding="utf-8"))), "\n".join(found)
