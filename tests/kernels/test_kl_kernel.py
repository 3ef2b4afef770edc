"""The compiled codes for the KL prior: against the reference, and against the generic solver."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import examples, unit_atoms

from skdict_sup import KL, _newton, encode
from skdict_sup.kernels import kl_codes

CROSSED = ("kl_codes", "encode")

every_sign = pytest.mark.parametrize("positive", [False, True], ids=["signed", "positive"])
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)


class Generic(KL):
    """The same prior, which the generic solver takes."""


def arguments(seed, n, p, m, lam, mean, positive, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X, D = rng.normal(size=(n, m)), unit_atoms(rng, p, m)
    mean = np.broadcast_to(mean, (p,)).astype(dtype)
    init = np.broadcast_to(mean, (n, p)) if positive else np.zeros((n, p))
    arrays = (
        (D @ D.T).astype(dtype),
        D.astype(dtype),
        (X @ D.T).astype(dtype),
        (X * X).sum(axis=1).astype(dtype),
    )
    tol = 1e-10 if dtype == np.float64 else 1e-5
    return *arrays, lam, mean, positive, tol, init.astype(dtype), 300


def violation(code, slope, lam, mean, positive):
    code = code.astype(np.float64)
    if not positive:
        return np.abs(slope - lam * np.arcsinh(code / (2 * mean))).max(axis=1)
    off = slope - lam * np.log(np.maximum(code, 1e-290) / mean)
    return np.where(code > 1e-290, np.abs(off), np.maximum(off, 0.0)).max(axis=1)  # or underflow


@every_sign
@every_dtype
@pytest.mark.parametrize(
    ("p", "m"), [(1, 12), (5, 12), (31, 12), (32, 12), (33, 11), (70, 12), (101, 3)]
)
def test_compiled_codes_equal_the_reference(positive, dtype, p, m):
    given_ = arguments(p, 9, p, m, 0.1, 0.02, positive, dtype)
    before = [a.copy() for a in given_ if isinstance(a, np.ndarray)]
    code, slope, n_iter = kl_codes(*given_)
    assert code.dtype == slope.dtype == dtype
    assert (n_iter <= 20).all()
    wide = [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in given_]
    wide[7] = 1e-10
    expected, expected_slope, _ = kl_codes.reference(*wide)
    close = 1e-8 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(code, expected, rtol=close, atol=close * 1e-2)
    np.testing.assert_allclose(slope, expected_slope, atol=close)
    arrays = [a for a in given_ if isinstance(a, np.ndarray)]
    for mine, other in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(mine, other)


@every_sign
def test_the_reference_runs_in_every_library(xp, positive):
    given_ = arguments(0, 5, 7, 4, 0.1, 0.02, positive)
    there = [xp.asarray(a) if isinstance(a, np.ndarray) else a for a in given_]
    code, slope, _ = kl_codes.reference(*there)
    assert xp.is_mine(code)
    found = violation(xp.to_numpy(code), xp.to_numpy(slope), 0.1, 0.02, positive)
    assert (found <= 1e-10 * np.abs(given_[2]).max(axis=1)).all()


@examples(40)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(1, 40),
    st.integers(1, 20),
    st.floats(-3, 1),
    st.floats(-6, 1),
    st.booleans(),
)
def test_codes_of_any_shape_solve_the_equation(seed, n, p, m, lam, mean, positive):
    rng = np.random.default_rng(seed)
    mean = 10.0**mean * rng.uniform(0.5, 2.0, p)
    given_ = arguments(seed, n, p, m, 10.0**lam, mean, positive)
    code, slope, _ = kl_codes(*given_)
    gram, _, corr = given_[:3]
    np.testing.assert_allclose(slope, corr - code @ gram, atol=1e-9)
    found = violation(code, slope, 10.0**lam, mean, positive)
    assert (found <= 2e-10 * np.abs(corr).max(axis=1) + 1e-13).all()


@every_sign
@pytest.mark.parametrize("mean", [0.3, 1e-2, 1e-5])
@pytest.mark.parametrize("version", [kl_codes, kl_codes.reference], ids=["compiled", "reference"])
def test_weak_priors_far_from_their_mean_are_solved(version, mean, positive):
    # entries go through hundreds of orders of magnitude, or underflow
    for seed in range(5):
        given_ = arguments(seed, 12, 20, 10, 1.2e-3, mean, positive)
        code, slope, n_iter = version(*given_)
        found = violation(code, slope, 1.2e-3, mean, positive)
        assert (found <= 2e-10 * np.abs(given_[2]).max(axis=1)).all()
        assert (n_iter < 200).all()


@every_sign
@every_dtype
@pytest.mark.parametrize("p", [1e-6, 1e-2, 1.0])
def test_the_generic_solver_gives_the_same_codes(positive, dtype, p):
    rng = np.random.default_rng(1)
    X, D = rng.normal(size=(30, 16)).astype(dtype), unit_atoms(rng, 24, 16).astype(dtype)
    tol = 1e-11 if dtype == np.float64 else None  # codes differ by the tolerance, if not less
    compiled = encode(X, D, prior=KL(0.05, p, positive), tol=tol)
    generic = encode(X, D, prior=Generic(0.05, p, positive), tol=tol)
    close = 1e-6 if dtype == np.float64 else 2e-2
    np.testing.assert_allclose(compiled.code, generic.code, rtol=close, atol=close * 1e-3)
    np.testing.assert_allclose(compiled.objective, generic.objective, rtol=close)


@every_sign
def test_the_limit_of_steps_is_kept(positive):
    given_ = arguments(2, 6, 9, 5, 1e-3, 1e-4, positive)
    for limit in (1, 2, 3):
        *_, n_iter = kl_codes(*given_[:-1], limit)
        assert (n_iter == limit).all()


@every_sign
def test_a_start_at_the_answer_stays_there(positive):
    given_ = arguments(3, 6, 9, 5, 0.1, 0.05, positive)
    code, _, _ = kl_codes(*given_)
    again, _, n_iter = kl_codes(*given_[:7], 1e-8, code, 300)
    np.testing.assert_array_equal(again, code)
    assert not n_iter.any()


@pytest.mark.numpy_alone("a promise for NumPy")
@every_sign
@pytest.mark.parametrize("m", [5, 25])
def test_signals_do_not_depend_on_each_other(positive, m):
    given_ = list(arguments(4, 20, 40, m, 0.05, 0.01, positive))
    code, slope, n_iter = kl_codes(*given_)
    for rows in (slice(0, 1), slice(3, 4), slice(7, 20)):
        part = [*given_]
        for place in (2, 3, 8):
            part[place] = given_[place][rows]
        for mine, other in zip(kl_codes(*part), (code, slope, n_iter), strict=True):
            np.testing.assert_array_equal(mine, other[rows])


@pytest.mark.numpy_alone("pretends to be the kernel")
def test_newton_takes_the_kernel_in_every_library(monkeypatch, xp):
    asked = []

    def reference(*arrays):
        asked.append(arrays)
        return kl_codes.reference(*arrays)

    monkeypatch.setattr("skdict_sup.solvers.newton.kl_codes", reference)
    rng = np.random.default_rng(0)
    X, D = map(xp.asarray, (rng.normal(size=(3, 8)), unit_atoms(rng, 5, 8)))
    assert xp.to_numpy(encode(X, D, prior=KL(0.1, 0.1)).converged).all()
    assert len(asked) == 1


def test_compiled_versions_have_the_constants_of_the_algorithm():
    compiled = pytest.importorskip("skdict_sup.kernels._numba.kl_codes")
    for name in ("SUFFICIENT_DECREASE", "MAX_TRIALS", "ROUNDING_UNITS", "PATIENCE"):
        assert getattr(compiled, f"_{name}") == getattr(_newton, name), name
    source = (Path(compiled.__file__).parents[1] / "_cuda" / "kl_codes.cu").read_text(
        encoding="utf-8"
    )
    assert f"max_trials = {_newton.MAX_TRIALS}, patience = {_newton.PATIENCE};" in source
    assert f"{_newton.ROUNDING_UNITS} * Limits<T>::eps() * current.rounding_scale" in source
    assert float(re.search(r"change <= T\((-.+?)\)", source)[1]) == -_newton.SUFFICIENT_DECREASE
