"""Elastic nets with a weight for each atom, some of them zero."""

from dataclasses import replace

import numpy as np
import oracles
import pytest
from gradients import Case, assert_gradients_agree
from hypothesis import assume, given
from hypothesis import strategies as st
from problems import examples, tied_problems, unit_atoms
from sklearn.exceptions import ConvergenceWarning

from skdict_sup import ElasticNet, code_vjp, encode, lam_max
from skdict_sup.execution import precision
from skdict_sup.kernels import elastic_net_certificate, elastic_net_codes

CROSSED = ("encode",)
SOLVERS = "homotopy", "coordinate_descent", "fista"


def generic(seed, p=9, m=7, n=6, free=2):
    rng = np.random.default_rng(seed)
    lam = rng.uniform(0.05, 0.6, p)
    lam[:free] = 0.0
    return rng.normal(size=(n, m)), unit_atoms(rng, p, m), lam


@st.composite
def weighted(draw):
    """Small problems with ties and dependent atoms, with weights of which some are zero."""
    X, D, prior = draw(tied_problems())
    weight = st.sampled_from([0.0, 0.0625, 0.25, 0.375, 1.0])
    lam = np.array(draw(st.lists(weight, min_size=len(D), max_size=len(D))))
    return X, D, ElasticNet(lam, prior.lam2, prior.positive)


@pytest.mark.parametrize("solver", SOLVERS[:2])
@examples(40)
@given(problem=weighted())
def test_codes_have_the_objective_of_brute_force(solver, problem):
    X, D, prior = problem
    found = encode(X, D, prior=prior, solver=solver)
    best = oracles.objective(X, D, prior, oracles.brute_force(X, D, prior))
    excess = oracles.objective(X, D, prior, found.code) - best
    slack = 1e-9 if solver == "homotopy" else 1e-6
    assert (excess <= slack * (1 + best))[found.converged].all()
    # what a bound is worth: dependent free atoms have none
    is_bounded = np.linalg.matrix_rank(D[prior.lam == 0]) == (prior.lam == 0).sum()
    if solver == "homotopy" and (is_bounded or prior.lam2 > 0):
        assert (excess <= 1e-9 * (1 + best)).all()
        assert (found.duality_gap * np.maximum(best, 1e-16) >= excess - 1e-12).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("lam2", [0.0, 0.1])
@pytest.mark.parametrize(("p", "m"), [(9, 7), (60, 20), (420, 90)])
def test_codes_of_generic_problems_are_certified(p, m, lam2, positive, dtype):
    X, D, lam = generic(0, p, m)
    prior = ElasticNet(lam, lam2, positive)
    found = encode(X.astype(dtype), D.astype(dtype), prior=prior)
    assert found.code.dtype == dtype
    assert found.converged.all()
    tol = 1e-9 if dtype == np.float64 else 2e-5
    assert (oracles.kkt_residual(X, D, prior, found.code) <= tol).all()
    assert (found.kkt_residual <= tol).all()


def test_equal_weights_are_one_weight():
    X, D, _ = generic(1, 30, 12)
    one = encode(X, D, prior=ElasticNet(0.2))
    each = encode(X, D, prior=ElasticNet(np.full(30, 0.2)))
    np.testing.assert_allclose(each.code, one.code, atol=1e-12)
    np.testing.assert_allclose(each.objective, one.objective, rtol=1e-12)
    nothing = encode(X, D, prior=ElasticNet(np.zeros(30), 0.3))
    np.testing.assert_allclose(
        nothing.code, encode(X, D, prior=ElasticNet(0.0, 0.3)).code, atol=1e-12
    )


@given(seed=st.integers(0, 2**32 - 1))
def test_a_weight_is_a_norm_of_the_atom(seed):
    X, D, lam = generic(seed, free=0)
    code = encode(X, D, prior=ElasticNet(lam)).code
    scaled = encode(X, D / lam[:, None], prior=ElasticNet(1.0)).code
    np.testing.assert_allclose(code, scaled / lam, atol=1e-9 * (1 + np.abs(code).max()))


def test_free_atoms_are_projected_out():
    X, D, lam = generic(2, 20, 12, free=3)
    code = encode(X, D, prior=ElasticNet(lam)).code
    basis = np.linalg.qr(D[:3].T)[0]
    rest = np.eye(12) - basis @ basis.T
    others = encode(X @ rest, D[3:] @ rest, prior=ElasticNet(lam[3:])).code
    np.testing.assert_allclose(code[:, 3:], others, atol=1e-10)
    residual = X - code @ D
    np.testing.assert_allclose(residual @ D[:3].T, 0, atol=1e-12)


def test_a_constant_atom_takes_the_mean():
    rng = np.random.default_rng(3)
    X, D = rng.normal(size=(5, 8)) + 3, unit_atoms(rng, 10, 8)
    D = np.vstack([np.ones(8), D - D.mean(axis=1, keepdims=True)])
    lam = np.full(11, 0.3)
    lam[0] = 0
    code = encode(X, D, prior=ElasticNet(lam)).code
    np.testing.assert_allclose(code[:, 0], X.mean(axis=1))
    centred = encode(X - X.mean(axis=1, keepdims=True), D[1:], prior=ElasticNet(0.3)).code
    np.testing.assert_allclose(code[:, 1:], centred, atol=1e-12)


def on_a_level(level):
    """Problem of signals with a level, and a constant atom that takes it."""
    rng = np.random.default_rng(0)
    D = unit_atoms(rng, 30, 20)
    D = np.vstack([np.full(20, 20**-0.5), D - D.mean(axis=1, keepdims=True)])
    return rng.normal(size=(40, 20)) + level, D, ElasticNet(np.r_[0.0, np.full(30, 0.05)])


def test_a_large_level_does_not_hide_that_codes_are_optimal():
    X, D, prior = on_a_level(1000.0)
    found = encode(X, D, prior=prior)
    assert found.converged.all()
    centred = encode(X - X.mean(axis=1, keepdims=True), D[1:], prior=ElasticNet(0.05))
    np.testing.assert_allclose(found.code[:, 1:], centred.code, atol=1e-11)


def test_no_other_solver_is_tried_where_digits_are_missing(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("coordinate descent cannot give more digits")

    monkeypatch.setattr(precision.CoordinateDescent, "codes", refuse)
    X, D, prior = on_a_level(1e6)
    with pytest.warns(ConvergenceWarning, match="40 of 40"):
        found = encode(X, D, prior=prior)
    assert found.duality_gap.max() < 1e-6


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers_agree(solver, positive):
    X, D, lam = generic(4, 12, 20)
    prior = ElasticNet(lam, 0.05, positive)
    expected = encode(X, D, prior=prior).code
    found = encode(X, D, prior=prior, solver=solver, tol=1e-12, max_iter=20_000)
    np.testing.assert_allclose(found.code, expected, atol=1e-6)


def test_the_softmax_transfer_takes_weights_above_zero():
    rng = np.random.default_rng(5)
    X, D = rng.dirichlet(np.ones(6), 4), rng.normal(size=(5, 6))
    lam = np.array([0.02, 0.05, 0.01, 0.03, 0.5])
    found = encode(X, D, prior=ElasticNet(lam), transfer="softmax")
    assert found.converged.all()
    assert not found.code[:, 4].any()
    with pytest.raises(ValueError, match="no solver handles"):
        encode(X, D, prior=ElasticNet(np.where(lam > 0.1, 0, lam)), transfer="softmax")


@pytest.mark.parametrize("init", ["near", "far"])
def test_initial_codes_do_not_change_the_answer(init):
    X, D, lam = generic(6, 60, 30, n=20)
    prior = ElasticNet(lam)
    expected = encode(X, D, prior=prior).code
    rng = np.random.default_rng(0)
    start = expected * rng.uniform(0.9, 1.1, expected.shape)
    if init == "far":
        start = rng.normal(size=expected.shape)
    found = encode(X, D, prior=prior, init=start)
    assert found.converged.all()
    np.testing.assert_allclose(found.code, expected, atol=1e-9)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("lam2", [0.0, 0.2])
def test_compiled_kernels_are_the_references(lam2, positive):
    X, D, lam = generic(7, 25, 12, n=30)
    gram, corr, weights = D @ D.T, X @ D.T, (lam, lam2, positive)
    code, slope, _ = elastic_net_codes(gram, corr, *weights)
    expected, expected_slope, _ = elastic_net_codes.reference(gram, corr, *weights)
    np.testing.assert_allclose(code, expected, atol=1e-9)
    np.testing.assert_allclose(slope, expected_slope, atol=1e-9)
    rough = code * np.random.default_rng(0).uniform(0.9, 1.1, code.shape)
    for lam_ in (lam, np.where(lam > 0, lam, 0.1)):
        arrays = corr, (X**2).sum(axis=1), rough, corr - rough @ gram, lam_, lam2, positive
        pair = zip(
            elastic_net_certificate(*arrays),
            elastic_net_certificate.reference(*arrays),
            strict=True,
        )
        for one, other in pair:
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_codes_and_gradients_in_every_library(xp):
    X, D, lam = generic(8)
    prior = ElasticNet(lam, 0.1)
    code = encode(X, D, prior=prior).code
    expected = code_vjp(X, D, code, np.cos(code), prior=prior)
    there = [xp.asarray(a) for a in (X, D, np.cos(code))]
    for given_ in (lam, xp.asarray(lam)):
        prior = ElasticNet(given_, 0.1)
        found = encode(*there[:2], prior=prior)
        assert xp.is_mine(found.code)
        np.testing.assert_allclose(xp.to_numpy(found.code), code, atol=1e-10)
        gradients = code_vjp(*there[:2], found.code, there[2], prior=prior)
        assert xp.is_mine(gradients.prior.lam)
        for name, whole in (("dictionary", expected), ("lam", expected.prior)):
            one = getattr(gradients if name == "dictionary" else gradients.prior, name)
            np.testing.assert_allclose(xp.to_numpy(one), getattr(whole, name), atol=1e-9)


@examples(15)
@given(seed=st.integers(0, 2**32 - 1), positive=st.booleans(), free=st.integers(0, 2))
def test_gradients_are_those_of_finite_differences(seed, positive, free):
    X, D, lam = generic(seed, 5, 4, 2, free)
    cotangent = np.random.default_rng(seed).normal(size=(2, 5))
    case = Case(X, D, lam, 0.1, positive, cotangent)
    assume(replace(case, lam=lam).keeps_its_distance_from_kinks())
    # a free atom has no derivative in its weight: it is a kink
    found = case.vjp()
    assert found.prior.lam.shape == (5,)
    assert_gradients_agree(case, ("dictionary", "X", "lam2"))
    for j in range(free, 5):
        step = np.zeros(5)
        step[j] = 1e-5
        values = [replace(case, lam=lam + s * step).loss() for s in (1, -1)]
        assert abs(found.prior.lam[j] - (values[0] - values[1]) / 2e-5) <= 1e-6 * (
            1 + np.abs(cotangent).max() * 10
        )


def test_a_zero_signal_has_gradients_of_free_atoms():
    _, D, lam = generic(9, 6, 5, free=2)
    X = np.zeros((1, 5))
    cotangent = np.ones((1, 6))
    prior = ElasticNet(lam)
    gradient = code_vjp(X, D, encode(X, D, prior=prior).code, cotangent, prior=prior).X
    step = 1e-4 * np.eye(5)
    ends = [encode(s * step, D, prior=prior).code @ cotangent[0] for s in (1, -1)]
    np.testing.assert_allclose(gradient[0], (ends[0] - ends[1]) / 2e-4, atol=1e-8)


def test_lam_max_is_a_factor():
    X, D, lam = generic(10, free=0)
    factor = lam_max(X, D, ElasticNet(lam))
    for x, one in zip(X, factor, strict=True):
        assert not encode(x[None], D, prior=ElasticNet(1.0001 * one * lam)).code.any()
        assert encode(x[None], D, prior=ElasticNet(0.9999 * one * lam)).code.any()
    lam[0] = 0
    assert np.isinf(lam_max(X, D, ElasticNet(lam))).all()


def test_dependent_free_atoms_are_not_called_converged_without_proof():
    X, D, lam = generic(11, 6, 5, free=2)
    D[1] = D[0]
    with pytest.warns(ConvergenceWarning, match="lam2"):
        found = encode(X, D, prior=ElasticNet(lam))
    assert encode(X, D, prior=ElasticNet(lam, 1e-4)).converged.all()
    best = oracles.brute_force(X, D, ElasticNet(lam))
    values = oracles.objective(X, D, ElasticNet(lam), best)
    np.testing.assert_allclose(found.objective, values, rtol=1e-9)


@pytest.mark.parametrize(
    ("lam", "error", "message"),
    [
        (np.ones(3), ValueError, "lam must have one entry per atom: got 3"),
        (np.array([1.0, -1.0, 1, 1, 1, 1, 1, 1, 1]), ValueError, "lam must be finite and >= 0"),
        (np.full(9, np.nan), ValueError, "lam must be finite and >= 0"),
        (np.ones((9, 1)), TypeError, "one-dimensional array"),
        (np.array(["a"] * 9), TypeError, "one-dimensional array"),
        (np.ones(9, bool), TypeError, "one-dimensional array"),
        (None, TypeError, "lam must be a number >= 0"),
    ],
    ids=["length", "negative", "nan", "matrix", "strings", "booleans", "none"],
)
def test_bad_weights_are_refused(lam, error, message):
    X, D, _ = generic(12)
    with pytest.raises(error, match=message):
        encode(X, D, prior=ElasticNet(lam))
