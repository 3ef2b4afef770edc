"""Codes of smooth priors: unique minima, reached by every solver that says it handles them."""

import numpy as np
import pytest
import scipy.optimize
import smooth_oracles as oracles
from hypothesis import given
from hypothesis import strategies as st
from problems import examples, solvers_for, unit_atoms

from skdict_sup import KL, ElasticNet, Lp, encode
from skdict_sup._array import to_numpy

CROSSED = ("encode",)

PRIORS = {
    "kl": KL(lam=0.1, p=0.02),
    "kl_positive": KL(lam=0.1, p=0.02, positive=True),
    "lp": Lp(lam=0.2, exponent=1.5),
    "lp_steep": Lp(lam=0.2, exponent=1.1),
    "ridge": Lp(lam=0.2, exponent=2.0),
}
every_prior = pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
every_pair = pytest.mark.parametrize(
    ("prior", "transfer"),
    [(prior, transfer) for prior in PRIORS.values() for transfer in ("linear", "softmax")],
    ids=[f"{name}-{transfer}" for name in PRIORS for transfer in ("linear", "softmax")],
)
every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)
every_sign = pytest.mark.parametrize("positive", [False, True], ids=["signed", "positive"])


def draw(seed, n, p, m, transfer="linear"):
    rng = np.random.default_rng(seed)
    D = unit_atoms(rng, p, m)
    X = rng.normal(size=(n, m)) if transfer == "linear" else rng.dirichlet(np.full(m, 0.5), n)
    return X, D * (4.0 if transfer == "softmax" else 1.0)


# --- known answers ---------------------------------------------------------------------------


@every_prior
def test_codes_of_orthonormal_atoms_solve_an_equation_each(prior):
    rng = np.random.default_rng(0)
    D = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    X = 3 * rng.normal(size=(6, 4))
    code = encode(X, D, prior=prior, tol=1e-13).code

    def root(corr):
        def excess(w):
            return float(oracles.rate(prior, np.array([w]))[0]) + w - corr

        positive = getattr(prior, "positive", False)
        low, high = (1e-300, 10.0) if positive else (-20.0, 20.0)
        return scipy.optimize.brentq(excess, low, high, xtol=1e-300, rtol=1e-14, maxiter=1000)

    expected = np.vectorize(root)(X @ D.T)
    np.testing.assert_allclose(code, expected, rtol=1e-9, atol=1e-13)


@every_pair
def test_codes_are_those_of_a_general_optimiser(prior, transfer):
    X, D = draw(1, 3, 5, 4, transfer)
    solution = encode(X, D, prior=prior, transfer=transfer, tol=1e-12)
    data = X, D, prior
    other = oracles.minimum(*data, transfer)
    value, best = (oracles.objective(*data, w, transfer) for w in (solution.code, other))
    np.testing.assert_allclose(value, best, rtol=1e-9)
    assert (value <= best * (1 + 1e-14)).all()
    np.testing.assert_allclose(solution.code, other, atol=1e-4)
    np.testing.assert_allclose(solution.objective, value, rtol=1e-11)
    assert (solution.duality_gap >= 0).all()
    assert solution.converged.all()


# --- every solver, every scale ---------------------------------------------------------------


@every_pair
@every_dtype
def test_every_solver_that_handles_a_problem_solves_it(prior, transfer, dtype):
    X, D = (a.astype(dtype) for a in draw(2, 30, 9, 6, transfer))
    tol = 1e-9 if dtype == np.float64 else 1e-5
    exact = encode(*map(oracles.double, (X, D)), prior=prior, transfer=transfer, tol=1e-12).code
    names = solvers_for(prior, transfer)
    assert "newton" in names
    assert ("exponentiated_gradient" in names) == isinstance(prior, KL)
    for solver in names:
        solution = encode(X, D, prior=prior, transfer=transfer, solver=solver)
        assert solution.code.dtype == solution.kkt_residual.dtype == dtype
        np.testing.assert_array_equal(solution.converged, solution.kkt_residual <= tol)
        assert solution.converged.all(), solver
        residual = oracles.kkt_residual(X, D, prior, solution.code, transfer)
        assert residual.max() <= (1.1 * tol if dtype == np.float64 else 1e-4), solver
        np.testing.assert_allclose(solution.code, exact, atol=1e3 * tol, err_msg=solver)


@st.composite
def smooth_problems(draw):
    """Random problems of any scale, with zero signals and atoms that appear twice."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, p, m = draw(st.integers(1, 4)), draw(st.integers(1, 8)), draw(st.integers(1, 6))
    X, D = rng.normal(size=(n, m)), unit_atoms(rng, p, m)
    if draw(st.booleans()):
        D = np.vstack([D, D[:1], -D[-1:], np.zeros((1, m))])
    if draw(st.booleans()):
        X[0] = 0.0
    lam = 10.0 ** draw(st.floats(-3, 1))
    if draw(st.booleans()):
        p = 10.0 ** draw(st.floats(-8, 1))
        means = p * rng.uniform(0.5, 2.0, len(D)) if draw(st.booleans()) else p
        prior = KL(lam, means, draw(st.booleans()))
    else:
        prior = Lp(lam, draw(st.sampled_from([1.05, 1.2, 1.5, 1.9, 2.0])))
    return X * 10.0 ** draw(st.floats(-3, 3)), D, prior, rng


@examples(60)
@given(smooth_problems())
def test_codes_converge_at_any_scale_and_nothing_near_is_lower(problem):
    X, D, prior, rng = problem
    solution = encode(X, D, prior=prior)
    assert solution.converged.all()
    assert solution.kkt_residual.max() <= 1e-9
    value = oracles.objective(X, D, prior, solution.code)
    # the terms of the prior are of the size of lam * p before they cancel
    parts = prior.lam * np.sum(getattr(prior, "p", 0.0))
    np.testing.assert_allclose(solution.objective, value, rtol=1e-8, atol=1e-14 * parts)
    for size in (1e-6, 1e-3, 1.0):
        other = solution.code * (1 + size * rng.normal(size=solution.code.shape))
        if getattr(prior, "positive", False):
            other = np.abs(other)
        rounding = 1e-13 * (np.abs(value) + (X**2).sum(axis=1) + parts)
        assert (value <= oracles.objective(X, D, prior, other) + rounding).all()


@examples(30)
@given(smooth_problems())
def test_float32_converges_at_any_scale(problem):
    X, D, prior, _ = problem
    X, D = X.astype(np.float32), D.astype(np.float32)
    with np.errstate(all="raise", under="ignore"):
        solution = encode(X, D, prior=prior)
    assert solution.code.dtype == np.float32
    assert np.isfinite(solution.code).all()
    assert solution.converged.all()
    assert solution.kkt_residual.max() <= 1e-5


@pytest.mark.filterwarnings("ignore:.*have not converged")
@every_sign
@every_dtype
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
@pytest.mark.parametrize("seed", [3, 5])
def test_signals_beyond_any_lam_converge_and_nothing_overflows(seed, positive, dtype, scale):
    # where lam is nothing beside the signals, Newton's method needs larger ones on the way
    X, D = draw(seed, 20, 12, 5)
    prior = KL(lam=1e-3, p=0.01, positive=positive)
    with np.errstate(all="raise", under="ignore"):
        solution = encode((scale * X).astype(dtype), D.astype(dtype), prior=prior)
    assert np.isfinite(solution.code).all()
    assert solution.converged.all()
    assert not positive or (solution.code >= 0).all()
    names = ["kkt_residual", "objective"]
    if dtype == np.float64 or scale < 1e6:  # else slopes of float32 say nothing of such a lam
        names.append("duality_gap")
    for name in names:
        assert np.isfinite(getattr(solution, name)).all(), name
        assert (getattr(solution, name) >= 0).all(), name


@every_dtype
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_codes_that_vanish_in_floats_are_zeros(dtype, scale):
    X, D = scale * np.ones((1, 2), dtype), np.diag([1.0, -1.0]).astype(dtype)
    with np.errstate(all="raise", under="ignore"):
        solution = encode(X, D, prior=KL(lam=1e-3, p=0.01, positive=True))
    assert solution.converged.all()
    assert solution.code[0, 1] == 0 if scale > 1 else solution.code[0, 1] >= 0
    np.testing.assert_allclose(solution.code[0, 0], scale, rtol=0.02)


@pytest.mark.parametrize("p", [1e-30, 1e-100, 1e-200])
@every_sign
def test_means_next_to_nothing(p, positive):
    X, D = draw(4, 40, 16, 8)
    solution = encode(X, D, prior=KL(lam=0.3 / np.log(1 / p), p=p, positive=positive))
    assert solution.converged.all()


@every_prior
def test_zero_signals_have_the_mean_for_a_code(prior):
    solution = encode(np.zeros((2, 3)), np.eye(3), prior=prior)
    positive = getattr(prior, "positive", False)
    # 0 = w + lam log(w / p) on w >= 0, and w = 0 with signs
    w = float(solution.code[0, 0])
    assert (w + prior.lam * np.log(w / prior.p) if positive else w) == pytest.approx(0, abs=1e-9)
    assert solution.converged.all()


def test_zero_signals_end_at_the_tolerance_by_exponentiated_gradients():
    # without a correlation to be relative to, residuals are absolute, as in certificates
    options = {"solver": "exponentiated_gradient", "tol": 1e-4, "max_iter": 500}
    solution = encode(np.zeros((2, 3)), np.eye(3), prior=PRIORS["kl_positive"], **options)
    assert solution.converged.all()
    assert (solution.n_iter < 500).all()


# --- what does not change codes --------------------------------------------------------------


EVERY_WAY = [
    pytest.param(prior, transfer, solver, id=f"{name}-{transfer}-{solver}")
    for name, prior in PRIORS.items()
    for transfer in ("linear", "softmax")
    for solver in solvers_for(prior, transfer)
]
every_way = pytest.mark.parametrize(("prior", "transfer", "solver"), EVERY_WAY)


@every_way
@every_dtype
def test_threads_do_not_change_a_bit(prior, transfer, solver, dtype):
    X, D = (a.astype(dtype) for a in draw(5, 130, 21, 17, transfer))
    tol = 1e-4 if solver == "newton" else 1e-2  # the others take many steps
    options = {"prior": prior, "transfer": transfer, "solver": solver, "tol": tol}
    one, *others = (encode(X, D, n_jobs=n_jobs, **options) for n_jobs in (1, 2, -1))
    for other in others:
        np.testing.assert_array_equal(other.code, one.code)
        np.testing.assert_array_equal(other.kkt_residual, one.kkt_residual)
        np.testing.assert_array_equal(other.n_iter, one.n_iter)


@pytest.mark.numpy_alone("a promise for NumPy")
@every_way
@every_dtype
def test_a_code_depends_on_its_signal_alone_bit_for_bit(prior, transfer, solver, dtype):
    X, D = (a.astype(dtype) for a in draw(5, 130, 21, 17, transfer))
    tol = 1e-4 if solver == "newton" else 1e-2
    options = {"prior": prior, "transfer": transfer, "solver": solver, "tol": tol, "n_jobs": 1}
    whole = encode(X, D, **options)
    for rows in (slice(0, 1), slice(3, 10), slice(17, 99), slice(129, 130)):
        part = encode(X[rows], D, **options)
        np.testing.assert_array_equal(part.code, whole.code[rows])
        np.testing.assert_array_equal(part.n_iter, whole.n_iter[rows])


@every_pair
def test_every_library_has_the_same_codes(xp, prior, transfer):
    X, D = draw(6, 8, 6, 5, transfer)
    expected = encode(X, D, prior=prior, transfer=transfer).code
    for dtype, atol in ((np.float64, 1e-7), (np.float32, 5e-3)):
        arrays = (xp.asarray(a, dtype=dtype) for a in (X, D))
        solution = encode(*arrays, prior=prior, transfer=transfer)
        for field in ("code", "kkt_residual", "duality_gap", "n_iter", "converged", "objective"):
            assert xp.is_mine(getattr(solution, field)), field
        assert str(solution.code.dtype).endswith(np.dtype(dtype).name)
        assert to_numpy(solution.converged).all()
        np.testing.assert_allclose(xp.to_numpy(solution.code), expected, atol=atol)


def test_an_array_of_means_in_every_library(xp):
    X, D = draw(7, 8, 6, 5)
    p = np.geomspace(1e-3, 1.0, 6)
    expected = encode(X, D, prior=KL(0.1, p)).code
    for means in (p, p.tolist(), xp.asarray(p)):
        found = encode(xp.asarray(X), xp.asarray(D), prior=KL(0.1, means)).code
        np.testing.assert_allclose(xp.to_numpy(found), expected, atol=1e-8)


@every_pair
def test_a_start_does_not_change_the_answer(prior, transfer):
    X, D = draw(8, 20, 9, 6, transfer)
    rng = np.random.default_rng(0)
    for solver in solvers_for(prior, transfer):
        options = {"prior": prior, "transfer": transfer, "solver": solver, "tol": 1e-9}
        cold = encode(X, D, **options)
        near = encode(X, D, init=cold.code, **options)
        assert (near.n_iter <= 2).all()
        for init in (rng.normal(size=cold.code.shape), np.zeros_like(cold.code)):
            warm = encode(X, D, init=init, **options)
            np.testing.assert_allclose(warm.code, cold.code, atol=1e-7, err_msg=solver)


@pytest.mark.parametrize("c", [2.0**-20, 255.0])
@every_sign
def test_automatic_settings_are_free_of_scale(c, positive):
    X, D = draw(9, 31, 9, 6)
    plain = encode(X, D, prior=KL(positive=positive))
    scaled = encode(c * X, D, prior=KL(positive=positive))
    np.testing.assert_allclose(scaled.code / c, plain.code, atol=1e-7)
    power, scaled = (encode(k * X, D, prior=Lp(), tol=1e-12).code for k in (1.0, c))
    np.testing.assert_allclose(scaled / c, power, atol=1e-9)


# --- what is refused, and what is reported ---------------------------------------------------


@pytest.mark.parametrize(
    ("prior", "transfer", "solver"),
    [
        (KL(0.1, 0.1), "linear", "homotopy"),
        (KL(0.1, 0.1), "linear", "fista"),
        (Lp(0.1), "linear", "exponentiated_gradient"),
        (Lp(0.1), "softmax", "reweighted"),
        (Lp(0.1, 0.5), "linear", "newton"),
        (ElasticNet(0.1), "softmax", "homotopy"),
        (ElasticNet(0.1), "linear", "newton"),
    ],
)
def test_solvers_that_do_not_fit_the_problem_are_refused(prior, transfer, solver):
    fitting = solvers_for(prior, transfer)
    assert solver not in fitting
    with pytest.raises(
        ValueError, match=rf"^solver must be\b.*{transfer!r}.*'{solver}'"
    ) as caught:
        encode(np.eye(2), np.eye(2), prior=prior, transfer=transfer, solver=solver)
    for name in ("auto", *fitting):
        assert repr(name) in str(caught.value)


@every_prior
def test_too_few_iterations_warn_of_the_residual(prior):
    X, D = draw(10, 30, 9, 6)
    with pytest.warns(
        UserWarning, match=r"codes have not converged to a relative optimality residual"
    ) as w:
        solution = encode(X, D, prior=prior, max_iter=1, tol=1e-18)
    assert len(w) == 1
    failed = ~solution.converged
    assert str(w[0].message).startswith(f"{failed.sum()} of 30 codes")
    assert f"{solution.kkt_residual[failed].max():.1e}" in str(w[0].message)
