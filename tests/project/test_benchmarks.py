"""Benchmarks run: the suite of asv on few signals, and the command lines of the scripts."""

import importlib.util
import itertools
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "asv_benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no asv_benchmarks beside the tests")
MODULES = ("encode", "encoders", "images", "implicit", "layers", "startup", "training")
N_SAMPLES = 32
KINDS = ("time_", "peakmem_", "timeraw_")
SCRIPTS = (
    FOLDER / "gpu.py",
    *sorted((FOLDER / "peers").glob("[a-z]*.py")),
    *sorted((FOLDER / "papers").glob("[a-z]*.py")),
)
NEED_TORCH = ("sparse_factorization_layers",)
# each script as the main program, in one process: nearly all of the time goes into their imports
HELP = """
import os, runpy, sys
for script in sys.argv[1:]:
    sys.argv, sys.path[0] = [script, "--help"], os.path.dirname(script)
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        assert not end.code, script
    else:
        raise AssertionError(f"{script} did not read its command line")
"""


@pytest.fixture(scope="module")
def suite():
    """Modules of the suite by name, found as asv finds them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield {name: importlib.import_module(f"benchmarks.{name}") for name in MODULES}
        for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
            del sys.modules[name]


def benchmarks_of(module):
    """Pairs of a class of a module and the names of its benchmarks."""
    for kind in list(vars(module).values()):  # warnings add names to a module
        if isinstance(kind, type) and kind.__module__ == module.__name__:
            yield kind, [name for name in dir(kind) if name.startswith(KINDS)]


def unit_rows(n, seed, dtype):
    rows = np.random.default_rng(seed).standard_normal((n, 64))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(dtype)


def few_digits(n=N_SAMPLES, dtype="float64"):
    return unit_rows(min(n, N_SAMPLES), 0, dtype)


def few_labelled(n=N_SAMPLES, dtype="float64"):
    return few_digits(n, dtype), np.arange(min(n, N_SAMPLES)) % 10


def random_atoms(n_components, dtype="float64"):
    return unit_rows(n_components, 1, dtype)


@pytest.mark.filterwarnings("default")  # some atoms fit nothing, as expected
@pytest.mark.parametrize("name", [name for name in MODULES if name != "startup"])
def test_every_benchmark_runs_with_each_of_its_parameters(suite, name, monkeypatch):
    if name == "layers":
        pytest.importorskip("torch")
    module = suite[name]
    small = {"digits_to_encode": few_digits, "learned": random_atoms}
    for data, function in {**small, "digits_to_learn": few_labelled}.items():
        if hasattr(module, data):
            monkeypatch.setattr(module, data, function)
    for kind, methods in benchmarks_of(module):
        assert methods, f"{kind} has no benchmark"
        for size in ("n_samples", "side"):
            if hasattr(kind, size):
                monkeypatch.setattr(kind, size, N_SAMPLES)
        for values in itertools.product(*getattr(kind, "params", ())):
            for method in methods:
                instance = kind()
                instance.setup(*values)
                getattr(instance, method)(*values)


def test_every_statement_that_is_timed_in_a_new_process_runs(suite):
    ((kind, methods),) = benchmarks_of(suite["startup"])
    parts = [getattr(kind(), method)() for method in methods]
    code = "\n".join(f"{before}\n{statement}" for statement, before in parts)
    code = code.replace("tempfile.mkdtemp()", repr(numba.config.CACHE_DIR))  # nothing compiles
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_module_of_the_suite_is_run_here():
    found = {path.stem for path in (FOLDER / "benchmarks").glob("[a-z]*.py")}
    assert found == {*MODULES, "common"}


def test_every_script_reads_its_command_line():
    has_torch = importlib.util.find_spec("torch") is not None
    scripts = [str(path) for path in SCRIPTS if has_torch or path.stem not in NEED_TORCH]
    subprocess.run([sys.executable, "-c", HELP, *scripts], check=True, stdout=subprocess.DEVNULL)
