"""Compilation ahead of use: it is complete, and its errors say what failed."""

import gc
import sys
from importlib import import_module

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from skdict_sup import (
    KL,
    ElasticNet,
    LISTAEncoder,
    OnlineDictionaryLearning,
    SupervisedDictionaryClassifier,
    code_vjp,
    codes_path,
    encode,
    warm_up,
)
from skdict_sup.image import DictionaryDenoiser, DictionaryInpainter
from skdict_sup.kernels.warm_up import _groups, compile_kernels

warm_up_module = import_module("skdict_sup.kernels.warm_up")


def signatures():
    """Signatures of all functions that Python calls, by name."""
    return {
        f"{one.py_func.__module__}.{one.py_func.__name__}": set(map(str, one.signatures))
        for one in gc.get_objects()
        if issubclass(type(one), Dispatcher)  # isinstance would ask what weak proxies refer to
        and one.py_func.__module__.startswith("skdict_sup.")
        and not one.targetoptions.get("no_cpython_wrapper")
    }


def use(dtype):
    """Call whatever compiles."""
    rng = np.random.default_rng(1)
    D = rng.normal(size=(10, 8)).astype(dtype)
    D /= np.linalg.norm(D, axis=1, keepdims=True)
    X, y = rng.normal(size=(30, 8)).astype(dtype), np.arange(30) % 3
    lam = np.full(10, 0.2)
    lam[0] = 0.0
    for prior in (ElasticNet(0.2), ElasticNet(0.2, 0.1, True), ElasticNet(lam), KL(0.1)):
        solution = encode(X, D, prior=prior, n_jobs=2)
        code_vjp(X, D, solution.code, solution.code, prior=prior)
    encode(X[:, ::-1], D, prior=ElasticNet(0.2), init=solution.code, mask=X > -1)
    encode(X, D, prior=ElasticNet(0.2), solver="coordinate_descent")
    encode(X, D, prior=ElasticNet(0.2), solver="coordinate_descent", mask=X > -1)
    encode(X, D, max_residual=0.5)
    encode(X, D, max_nonzeros=3)
    encode(X, D, solver="omp", max_nonzeros=3)
    codes_path(X, D, [0.5, 0.2])
    OnlineDictionaryLearning(5, max_iter=1).fit(X)
    SupervisedDictionaryClassifier(5, max_iter=1, learning_rate=0.1).fit(X, y)
    LISTAEncoder(D, max_iter=1).fit(X).transform(X)
    image = rng.random((20, 20)).astype(dtype)
    options = {"n_components": 10, "patch_size": 4, "max_iter": 1}
    DictionaryDenoiser(**options, sigma=0.1).fit_transform(image)
    image[::2, ::3] = np.nan
    DictionaryInpainter(**options, start="nearest").fit_transform(image)


@pytest.mark.filterwarnings("ignore")  # a pass over random signals learns nothing good
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_is_compiled_after_the_sample_calls(dtype):
    for group in _groups():
        compile_kernels(dtype, group)
        compile_kernels("float64", group)  # some codes are computed again in float64
    before = signatures()
    assert len(before) >= 15
    use(dtype)
    after = signatures()
    assert {name: after[name] - before.get(name, set()) for name in after} == {
        name: set() for name in after
    }


def test_every_group_runs_in_its_process_and_seconds_are_returned(monkeypatch, capsys):
    monkeypatch.setattr(warm_up_module, "_groups", lambda: [("overlap_add",), ("atom_update",)])
    found = warm_up(np.float64, n_jobs=2, verbose=1)
    assert set(found) == {"float64: overlap_add", "float64: atom_update"}
    assert all(value > 0 for value in found.values())
    assert capsys.readouterr().out.count(" s for float64: ") == 2


def test_errors_name_what_failed(monkeypatch):
    with pytest.raises(ValueError, match=r"dtypes must be one of .*float32.*, got 'int64'"):
        warm_up(["float64", "int64"])
    with pytest.raises(TypeError, match="n_jobs"):
        warm_up("float64", n_jobs="all")
    monkeypatch.setattr(warm_up_module, "_groups", lambda: [("no_kernel",)])
    with pytest.raises(
        RuntimeError, match=r"no_kernel cannot be compiled for float32: .*no_kernel"
    ):
        warm_up("float32")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(OSError, match="nowhere"):
        warm_up("float32")
