"""Importing the package is cheap, and its names arrive when they are asked for."""

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import skdict_sup

try:
    from skdict_sup import nn
except ImportError:  # without torch
    nn = None

HEAVY = ("cupy", "dask", "matplotlib", "numba", "numpy", "scipy", "sklearn", "torch")
CALL = """
import numpy as np
X, D = np.array([[3.0, 0.5]]), np.eye(2)
prior = skdict_sup.ElasticNet(lam=1.0)
code = skdict_sup.encode(X, D, prior=prior).code
skdict_sup.code_vjp(X, D, code, code, prior=prior)
"""


HOMES = [home for home in (skdict_sup, nn) if home]
PUBLIC = [(home, name) for home in HOMES for name in home.__all__]


def run(script):
    """Output of a fresh interpreter, in which every warning is an error."""
    root = str(Path(skdict_sup.__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def loaded_after(script, modules):
    return run(f"{script}\nimport sys\nprint(*[m for m in {modules!r} if m in sys.modules])")


def test_importing_loads_no_heavy_package():
    assert loaded_after("import skdict_sup", HEAVY) == []


def test_a_call_on_numpy_arrays_loads_no_other_library():
    assert loaded_after(f"import skdict_sup{CALL}", ("cupy", "dask", "matplotlib", "torch")) == []


def test_numba_arrives_with_the_first_compiled_kernel():
    before = "import skdict_sup\nskdict_sup.encode, skdict_sup.code_vjp, skdict_sup.ElasticNet"
    assert loaded_after(before, ("numba",)) == []
    assert loaded_after(f"import skdict_sup{CALL}", ("numba",)) == ["numba"]


def test_names_are_bound_at_first_use():
    script = (
        "import skdict_sup\n"
        "print('encode' in vars(skdict_sup))\n"
        "skdict_sup.encode\n"
        "print('encode' in vars(skdict_sup))"
    )
    assert run(script) == ["False", "True"]


def test_layers_without_torch_are_an_error_that_says_what_to_install():
    script = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "try:\n"
        "    import skdict_sup.nn\n"
        "except ImportError as error:\n"
        "    print(error)"
    )
    assert '"skdict-sup[torch]",' in run(script)


@pytest.mark.parametrize(("home", "name"), PUBLIC)
def test_every_public_name_resolves(home, name):
    value = getattr(home, name)
    assert value.__name__ == name
    assert value.__doc__


@pytest.mark.parametrize("home", HOMES)
def test_public_names_are_sorted_and_unique(home):
    # in the order of ruff: names all in capitals first
    kinds = {name: (not name.isupper(), name) for name in home.__all__}
    assert home.__all__ == sorted(kinds, key=kinds.get)


def test_public_names_are_listed():
    assert set(skdict_sup.__all__) == set(skdict_sup._HOMES)
    assert set(skdict_sup.__all__) <= set(dir(skdict_sup))


def test_editors_and_type_checkers_see_every_public_name():
    tree = ast.parse(Path(skdict_sup.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert block.test.id == "TYPE_CHECKING"
    assert seen == skdict_sup._HOMES


def test_completion_offers_public_names_alone():
    offered = run("import skdict_sup\nskdict_sup.encode\nprint(*dir(skdict_sup))")
    assert [name for name in offered if not name.startswith("__")] == sorted(skdict_sup.__all__)
    assert "__version__" in offered


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'skdict_sup' has no attribute 'Lasso'"):
        skdict_sup.Lasso  # noqa: B018


def public_functions():
    """Pairs of a name and a function: what users call, methods and constructors included."""
    for home, name in PUBLIC:
        value = getattr(home, name)
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            for base in value.__mro__:
                if base.__module__.startswith("skdict_sup"):
                    members = inspect.getmembers_static(base)
                    yield from ((f"{name}.{m}", f) for m, f in members if _is_ours(m, f))


def _is_ours(name, value):
    shown = name == "__init__" or name[0] != "_"
    return shown and inspect.isfunction(value) and value.__module__.startswith("skdict_sup")


@pytest.mark.parametrize(("name", "function"), dict(public_functions()).items())
def test_every_signature_of_the_public_interface_is_typed(name, function):
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        typed = parameter.annotation is not parameter.empty
        assert typed or parameter.name in ("self", "cls"), parameter
    constructs = name.endswith("__init__")
    assert constructs or signature.return_annotation is not signature.empty


def test_the_package_is_typed():
    assert (Path(skdict_sup.__file__).parent / "py.typed").is_file()
