"""Certificates of elastic-net codes that include bounds on rounding errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import unit_atoms

from skdict_sup import ElasticNet
from skdict_sup._atoms import Atoms
from skdict_sup._records import Data
from skdict_sup.certificate import certificate
from skdict_sup.kernels import elastic_net_bounds, elastic_net_certificate
from skdict_sup.problem import Problem
from skdict_sup.reconstruction.linear import Linear

both = pytest.mark.parametrize("certify", [elastic_net_bounds, elastic_net_bounds.reference])


class Own(ElasticNet):
    """A prior of the same numbers, whose certificate is summed term by term."""


def arguments(  # noqa: PLR0913 - the parts of a problem
    rng, n, p, m, share=0.3, lam=0.2, lam2=0.0, positive=False, rounding=1e-13
):
    """Arguments of the kernel for codes that are not optimal, and the dictionary."""
    X, D = rng.normal(size=(n, m)), unit_atoms(rng, p, m) * rng.uniform(0.2, 3.0, (p, 1))
    code = rng.normal(size=(n, p)) * (rng.random((n, p)) < share)
    code = np.abs(code) if positive else code
    corr, norms = X @ D.T, np.sqrt((D * D).sum(axis=1))
    arrays = corr, (X * X).sum(axis=1), code, corr - code @ (D @ D.T)
    return [*arrays, lam, lam2, positive, norms, rounding, np.finfo(float).eps], D


@st.composite
def bounded(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, p, m = draw(st.integers(1, 9)), draw(st.integers(1, 40)), draw(st.integers(1, 12))
    share, rounding = draw(st.sampled_from([0.0, 0.1, 1.0])), draw(st.sampled_from([0.0, 1e-6]))
    lam, lam2 = draw(st.sampled_from([0.1, 1.0, 5.0])), draw(st.sampled_from([0.0, 0.3]))
    made, _ = arguments(rng, n, p, m, share, lam, lam2, draw(st.booleans()), rounding)
    if draw(st.booleans()):
        made[4] = lam * rng.uniform(0.5, 2.0, p)
    return made


@given(bounded())
def test_compiled_bounds_equal_the_reference(made):
    found, expected = elastic_net_bounds(*made), elastic_net_bounds.reference(*made)
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("lam2", [0.0, 0.3])
def test_bounds_are_those_of_the_formulas_for_any_prior(lam2, positive):
    made, D = arguments(np.random.default_rng(1), 20, 9, 6, lam2=lam2, positive=positive)
    corr, sq_norm, code, slope, lam, *_ = made
    atoms = Atoms(D)
    problem = Problem(Linear(), Own(lam, lam2, positive), atoms)
    expected = certificate(problem, Data(corr, sq_norm), code, slope)
    made[7], made[8] = problem.atom_norms.norms[0], atoms.rounding
    for mine, other in zip(elastic_net_bounds(*made), expected.parts(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-11)


@both
def test_bounds_without_rounding_are_relative_to_the_objective(certify):
    made, _ = arguments(np.random.default_rng(0), 5, 9, 6, rounding=0.0)
    violation, top, gap, objective, *_ = elastic_net_certificate(*made[:7])
    expected = violation / top, gap / objective, objective
    np.testing.assert_allclose(certify(*made), expected, rtol=1e-12)


@both
def test_bounds_grow_with_the_rounding(certify):
    made, _ = arguments(np.random.default_rng(0), 5, 9, 6, rounding=0.0)
    before = certify(*made)
    made[8] = 1e-3
    residual, gap, objective = certify(*made)
    assert (residual > before[0]).all()
    assert (gap > before[1]).all()
    np.testing.assert_array_equal(objective, before[2])


@both
def test_a_zero_code_far_below_its_bound_is_exact(certify):
    made, _ = arguments(np.random.default_rng(0), 4, 9, 6, share=0.0, lam=1e3, rounding=1e-6)
    residual, gap, _ = certify(*made)
    np.testing.assert_array_equal([residual, gap], np.zeros((2, 4)))
    made[4] = float(np.abs(made[0]).max())  # now within the errors of one correlation
    residual, gap, _ = certify(*made)
    assert gap.max() > 0


@both
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("j", [0, 8])
def test_an_entry_that_is_not_finite_has_no_finite_bound(certify, bad, j):
    made, _ = arguments(np.random.default_rng(0), 5, 9, 6, rounding=0.0)
    for place in (0, 3):
        spoilt = list(made)
        spoilt[place] = made[place].copy()
        spoilt[place][2, j], spoilt[2] = bad, made[2] * (np.arange(9) != j)
        with np.errstate(invalid="ignore"):
            residual, gap, _ = certify(*spoilt)
        assert np.isinf(residual[2])
        assert np.isinf(gap[2])


@both
def test_squared_norms_out_of_range_have_no_finite_bound(certify):
    made, _ = arguments(np.random.default_rng(0), 3, 9, 6)
    made[1] = np.array([1e-300, np.inf, 0.0])
    with np.errstate(invalid="ignore"):
        found = certify(*made)
    assert np.isinf(np.stack(found)[:, :2]).all()
