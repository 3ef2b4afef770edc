"""Certificates of float32 codes: they hold in extended precision, and codes get better."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import examples, unit_atoms

from skdict_sup.kernels import (
    atom_panels,
    certified_codes,
    elastic_net_codes,
    panel_products,
)

KINDS = ("exact", "perturbed", "moved", "zero")


def problem(seed, n=6, m=20, p=14, kind="exact", lam=0.1, lam2=0.0, positive=False):
    """Arguments of `certified_codes`, for codes that are optimal or not."""
    rng = np.random.default_rng(seed)
    D, X = unit_atoms(rng, p, m).astype(np.float32), rng.normal(size=(n, m)).astype(np.float32)
    panels = atom_panels(D)
    gram = panel_products(D, panels, p, symmetric=True)
    corr = panel_products(X, panels, p)
    lam = lam * float(abs(corr).max())
    code, _, _ = elastic_net_codes(gram, corr, lam, lam2, positive)
    if kind == "perturbed":  # by some rounding errors
        code *= 1 + rng.normal(size=code.shape).astype(np.float32) * np.float32(3e-6)
    if kind == "moved":
        change = abs(rng.normal(size=code.shape)).astype(np.float32)
        code += change * (rng.random(code.shape) < 0.2)
    if kind == "zero":
        code[:] = 0
    slope = (corr.astype(np.float64) - code.astype(np.float64) @ gram).astype(np.float32)
    return X, D, gram, corr, code, slope, lam, lam2, positive


def objectives(X, D, code, lam, lam2):
    X, D, code = (a.astype(np.longdouble) for a in (X, D, code))
    loss = 0.5 * ((X - code @ D) ** 2).sum(axis=1) + 0.5 * lam2 * (code**2).sum(axis=1)
    return loss + (np.asarray(lam, np.longdouble) * abs(code)).sum(axis=1)


def lower_bounds(X, D, lam, lam2, positive):
    """Dual objectives of float64 codes: no code has a lower objective."""
    X, D = X.astype(np.float64), D.astype(np.float64)
    code, _, _ = elastic_net_codes(D @ D.T, X @ D.T, lam, lam2, positive)
    X, D, code = (a.astype(np.longdouble) for a in (X, D, code))
    residual = X - code @ D
    u = residual @ D.T - lam2 * code
    pull = (u if positive else abs(u)).max(axis=1) / lam
    scale = 1 / np.maximum(1, pull)
    fit = (residual * X).sum(axis=1)  # <x, r> of the problem with the ridge as rows
    squares = (residual**2).sum(axis=1) + lam2 * (code**2).sum(axis=1)
    return scale * fit - 0.5 * scale**2 * squares


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("positive", [False, True])
@examples(15)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 90), st.integers(1, 60)),
    lam=st.sampled_from([1.5, 0.5, 0.1, 0.01]),
    lam2=st.sampled_from([0.0, 0.1]),
)
def test_no_gap_is_below_the_suboptimality(seed, shape, kind, positive, lam, lam2):
    arguments = problem(seed, *shape, kind, lam, lam2, positive)
    X, D, _, _, before, _, *weights = arguments
    least = lower_bounds(X, D, *weights)
    for certify in (certified_codes, certified_codes.reference):
        code, residual, gap, objective = certify(*arguments, 1e-5)
        assert all(a.dtype == np.float32 for a in (code, residual, gap, objective))
        truth = objectives(X, D, code, *weights[:2])
        np.testing.assert_allclose(objective, truth, rtol=1e-6)
        assert (gap * truth * (1 + 1e-6) >= truth - least - 1e-14 * truth).all()
        assert (truth <= objectives(X, D, before, *weights[:2]) * (1 + 1e-6)).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("positive", [False, True])
def test_the_compiled_version_certifies_as_the_reference(kind, positive):
    arguments = problem(3, 40, 100, 70, kind, 0.1, 0.01, positive)
    tol = 1e-7  # below what residuals in float32 can show
    found = certified_codes(*arguments, tol)
    expected = certified_codes.reference(*arguments, tol)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6, atol=1e-8)
    # residuals are relative to a lower bound on the largest correlation in float32
    bounds = (1e-4, 3e-7), (2e-6, 2e-6), (2e-6, 0.0)
    for ours, theirs, (share, error) in zip(found[1:], expected[1:], bounds, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=share, atol=error)


@pytest.mark.parametrize("certify", [certified_codes, certified_codes.reference])
def test_a_newton_step_makes_the_gap_small(certify):
    arguments = problem(5, 50, 60, 40, "perturbed", 0.02)
    code = arguments[4]
    before = certify(*arguments, 1e9)
    np.testing.assert_array_equal(before[0], code)
    after = certify(*arguments, 1e-9)
    assert np.median(before[2]) > 1e-7
    assert (after[2] < 1e-9).all()
    np.testing.assert_array_equal(after[0] != 0, code != 0)
    again = certify(*arguments, 1e9)  # the codes are not changed in place
    np.testing.assert_array_equal(again[2], before[2])


@pytest.mark.parametrize("certify", [certified_codes, certified_codes.reference])
def test_zero_is_exact_above_the_largest_correlation(certify):
    *arrays, _, lam2, positive = problem(7, 5, 30, 20, "zero")
    lam = 1.01 * float(abs(arrays[3]).max())
    code, residual, gap, objective = certify(*arrays, lam, lam2, positive, 1e-5)
    assert not code.any()
    assert not residual.any()
    assert not gap.any()
    squares = (arrays[0].astype(np.float64) ** 2).sum(axis=1)
    np.testing.assert_allclose(objective, 0.5 * squares, rtol=1e-6)


@pytest.mark.parametrize("certify", [certified_codes, certified_codes.reference])
def test_numbers_that_are_not_finite_are_never_certified(certify):
    arguments = list(problem(9, 6, 30, 20))
    arguments[4] = arguments[4].copy()
    arguments[4][1, 3], arguments[4][2, 4] = np.nan, np.inf
    with np.errstate(all="ignore"):
        _, residual, gap, objective = certify(*arguments, 1e-5)
    assert np.isinf(objective[[1, 2]]).all()
    assert np.isinf(residual[[1, 2]]).all()
    assert np.isinf(gap[[1, 2]]).all()
    assert np.isfinite(np.delete(gap, [1, 2])).all()


def test_bounds_of_weights_in_arrays_hold_for_their_roundings():
    *arrays, lam, _, _ = problem(11, 30, 40, 25)
    weights = np.full(25, lam, np.float32)
    for certify in (certified_codes, certified_codes.reference):
        _, residual, gap, _ = certify(*arrays, weights, 0.0, False, 1e9)
        _, exact_residual, exact_gap, _ = certify(*arrays, float(weights[0]), 0.0, False, 1e9)
        assert (gap > exact_gap).all()
        assert (residual > exact_residual).all()
        assert (gap < exact_gap + 1e-6).all()


def test_dependent_atoms_leave_codes_as_they_are_or_better():
    arguments = list(problem(13, 20, 30, 24, "perturbed", 0.05))
    X, D = arguments[0], arguments[1].copy()
    D[12:] = D[:12]  # every atom twice
    panels = atom_panels(D)
    gram, corr = panel_products(D, panels, 24, symmetric=True), panel_products(X, panels, 24)
    code = arguments[4]
    slope = (corr.astype(np.float64) - code.astype(np.float64) @ gram).astype(np.float32)
    settings = X, D, gram, corr, code, slope, *arguments[6:]
    for certify in (certified_codes, certified_codes.reference):
        before, after = certify(*settings, 1e9), certify(*settings, 1e-9)
        assert np.isfinite(after[0]).all()
        assert (after[2] <= before[2]).all()
