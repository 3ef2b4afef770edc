"""Compiled functions where nothing can be written, and beside damaged files."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from llvmlite.binding import Linkage
from numba import njit

import skdict_sup
from skdict_sup.kernels._numba import _compile, _lowering

SMALL = """
import numpy as np
from skdict_sup.kernels._numba import _compile, _lowering
options = {"cache": True, "nogil": True}
@_compile.compiled(**options)
def twice(x):
    return 2 * x
@_compile.compiled(**options)
def thrice(x):
    return 3 * x
"""
USE = "from small import twice, thrice\nprint(twice(1.5), thrice(1.5))"
HITS = """
import sys
print(sum(sum(f.stats.cache_hits.values()) for f in (twice, thrice)), file=sys.stderr)
"""
EACH = """
import importlib, sys
for name in sys.argv[1:]:
    print(f"[{name}]", file=sys.stderr, flush=True)
    module = importlib.import_module(name)
    print(module.twice(1.5), module.thrice(1.5))
    hits = sum(sum(f.stats.cache_hits.values()) for f in (module.twice, module.thrice))
    print(f"{hits} found", file=sys.stderr, flush=True)
"""
DAMAGES = {
    "empty": lambda whole: b"",
    "half": lambda whole: whole[: len(whole) // 2],
    "noise": lambda whole: b"\xff" * len(whole),
    "one_byte": lambda whole: (
        whole[: len(whole) // 2]
        + bytes([whole[len(whole) // 2] ^ 1])
        + whole[len(whole) // 2 + 1 :]
    ),
}
SUFFIXES = ("nbi", "nbc")
NOWHERE = """
from numba.core import caching
for locator in caching.CacheImpl._locator_classes:
    locator.from_function = classmethod(lambda cls, *arguments: None)
"""


def run(folder, script, cache, names=("small",)):
    """Errors of a fresh process that finds modules like `small` in a folder."""
    for name in names:
        module = folder / f"{name}.py"
        if not module.exists():  # one that is written again counts as changed
            module.write_text(SMALL)
    path = os.pathsep.join([str(folder), str(Path(skdict_sup.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", script, *names],
        env={**os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3.0", "4.5"] * len(names)
    return done.stderr


def files(cache, suffix, module="small"):
    return sorted(cache.rglob(f"{module}.*.{suffix}"))


def test_without_a_folder_functions_run_uncached_and_one_warning_names_the_cure(tmp_path):
    (tmp_path / "file").write_text("no folder")
    found = run(tmp_path, NOWHERE + USE, tmp_path / "file")
    assert found.count("UserWarning") == 1
    assert "NUMBA_CACHE_DIR" in found
    assert "Traceback" not in found


def test_what_was_compiled_is_found_again(tmp_path):
    cache = tmp_path / "cache"
    assert run(tmp_path, USE, cache) == ""
    assert run(tmp_path, USE + HITS, cache) == "2\n"


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """What two processes say of each module, after files of each were damaged in one way.

    Processes are what costs, so that all modules share them: each has files of its own.
    """
    folder = tmp_path_factory.mktemp("damaged")
    cache = folder / "cache"
    cases = {f"{suffix}_{damage}": (suffix, damage) for suffix in SUFFIXES for damage in DAMAGES}
    run(folder, EACH, cache, cases)
    for name, (suffix, damage) in cases.items():
        for path in files(cache, suffix, name):
            path.write_bytes(DAMAGES[damage](path.read_bytes()))
    after, left = run(folder, EACH, cache, cases), {}
    for name, (suffix, _) in cases.items():
        left[name] = len(files(cache, suffix, name))
    again = run(folder, EACH, cache, cases)
    parts = (dict(re.findall(r"\[(\w+)\]\n([^[]*)", said)) for said in (after, again))
    return *parts, left


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_replaced(damaged, suffix, damage):
    after, again, left = (part[f"{suffix}_{damage}"] for part in damaged)
    assert after == "0 found\n"
    assert left == 2
    assert again == "2 found\n"


def test_damage_that_cannot_be_removed_is_named_with_its_folder(tmp_path):
    cache = tmp_path / "cache"
    run(tmp_path, USE, cache)
    for path in files(cache, "nbc"):
        path.write_bytes(b"")
    locked = "import os\ndef refuse(path, **options):\n    raise PermissionError(path)\n"
    locked += "os.unlink = refuse\n"
    found = run(tmp_path, locked + USE, cache)
    assert found.count("UserWarning") == 1
    assert str(cache) in found


def test_functions_keep_to_their_own_copies_of_those_that_they_call():
    # by name the linker would find copies that were optimised, and round, in another way: bits
    # would depend on what this process has compiled or read from the cache before
    @njit(no_cpython_wrapper=True)
    def turned(x):  # not worth inlining twice
        for _ in range(9):
            x = math.sin(x) + math.cos(x) + math.tan(x) + math.atan(x) + math.exp(math.tanh(x))
            x = math.log(1 + x * x) + math.asinh(x) + math.cosh(math.tanh(x)) + math.erf(x)
            x = math.sin(x) + math.cos(x) + math.tan(x) + math.atan(x) + math.exp(math.tanh(x))
            x = math.log(1 + x * x) + math.asinh(x) + math.cosh(math.tanh(x)) + math.erf(x)
        return x

    @njit(pipeline_class=_lowering.Compiler)
    def both(x):
        return turned(x) + turned(x + 1.0)

    assert both(0.3) == pytest.approx(turned.py_func(0.3) + turned.py_func(1.3))
    module = both.overloads[both.signatures[0]].library._final_module
    found = {f.name: f.linkage for f in module.functions if not f.is_declaration}
    copies = [linkage for name, linkage in found.items() if "turned" in name]
    assert copies == [Linkage.internal]


def test_every_compiled_function_passes_through_the_one_decorator():
    folder = Path(skdict_sup.__file__).parent / "kernels" / "_numba"
    named = [path.name for path in sorted(folder.glob("*.py")) if "njit" in path.read_text()]
    assert named == ["_compile.py"]


def test_functions_within_compiled_ones_are_compiled_once_for_constants_and_not_by_themselves():
    @_compile.compiled(**_compile.INTERNAL)
    def inner(x, k, is_negative):
        return -x - k if is_negative else x + k

    @_compile.compiled(**_compile.OPTIONS)
    def outer(x, k):
        return inner(x, 0, True) + 10 * inner(x, k, False) + 100 * inner(x, k + 1, x > 0)

    assert outer(2.0, 3) == -2 + 10 * 5 - 100 * 6
    (result,) = inner.overloads.values()
    name = result.fndesc.llvm_func_name
    assert "define" in result.library.get_llvm_str()
    assert not result.library.codegen._engine.is_symbol_defined(name)
