"""Limits of degenerate problems: ties, entries of zero, small bounds, two limits at once."""

import numpy as np
import pytest
from problems import unit_atoms

from skdict_sup import ElasticNet, code_vjp, encode
from skdict_sup.kernels import elastic_net_until

CROSSED = ("encode",)


def generic(seed, p=20, m=15, n=12):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, m)), unit_atoms(rng, p, m), rng


@pytest.mark.parametrize("limits", [{"max_nonzeros": 2}, {"max_residual": 1.5}], ids=str)
def test_atoms_without_penalty_may_begin_at_zero(limits):
    """A constant atom is orthogonal to centred signals, and enters later all the same."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        D = np.concatenate([np.ones((1, 6)), rng.integers(-2, 3, (5, 6))]).astype(float)
        x = rng.integers(-2, 3, (1, 6)).astype(float)
        x[0, 5] -= x.sum()
        prior = ElasticNet(np.r_[0.0, np.ones(5)])
        found = encode(x, D, prior=prior, **limits)
        moved = encode(x + 1e-9 * rng.normal(size=x.shape), D, prior=prior, **limits)
        if moved.converged[0] and found.converged[0]:
            np.testing.assert_allclose(found.lam, moved.lam, atol=1e-6)


def test_nonnegative_atoms_without_penalty_may_enter_late():
    X, D, _ = generic(0, 6, 5, 60)
    weights = np.r_[0.0, 0.0, np.ones(4)]
    prior = ElasticNet(weights, positive=True)
    found = encode(X, D, prior=prior, max_nonzeros=1)
    for x, lam, code in zip(X, found.lam, found.code, strict=True):
        if lam > 1e-6:
            at = [
                encode(x[None], D, prior=ElasticNet(f * lam * weights, positive=True)).code[0]
                for f in (1.0, 1 - 1e-6)
            ]
            np.testing.assert_allclose(code, at[0], atol=1e-8)
            assert (at[1][2:] != 0).sum() == 2
        assert (code[2:] != 0).sum() <= 1


def test_an_atom_that_only_ties_does_not_end_a_path():
    D, x = np.array([[1.0, -1.0], [-1.0, 0.0]]), np.array([[2.0, 0.0]])
    for atoms in (D, D[::-1].copy()):
        found = encode(x, atoms, max_nonzeros=1)
        assert (found.code != 0).sum() == 1
        np.testing.assert_allclose(found.code @ atoms, x)
        assert found.converged.all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [1e-2, 1e-3, 1e-4, 1e-5])
def test_small_bounds_are_met(share, dtype):
    X, D, _ = generic(1, 40, 20, 100)
    size = np.linalg.norm(X, axis=1)
    found = encode(X.astype(dtype), D.astype(dtype), max_residual=share * size)
    assert found.converged.all()
    tol = 1e-9 if dtype == np.float64 else 1e-5
    norm = np.linalg.norm(X - found.code.astype(float) @ D, axis=1)
    assert (np.abs(norm - share * size) <= 1.01 * tol * size).all()


def test_gradients_of_codes_that_end_at_lam():
    X, D, rng = generic(2, 8, 6, 10)
    prior, cotangent = ElasticNet(0.3), rng.normal(size=(10, 8))
    code = encode(X, D, prior=prior, max_nonzeros=8).code
    found = code_vjp(X, D, code, cotangent, prior=prior, max_nonzeros=8)
    plain = code_vjp(X, D, code, cotangent, prior=prior)
    np.testing.assert_allclose(found.prior.lam, plain.prior.lam, rtol=1e-10)
    np.testing.assert_allclose(found.X, plain.X, atol=1e-12)


def test_gradients_are_those_of_the_limit_that_ends_the_path():
    X, D, rng = generic(3, 20, 15, 12)
    share = np.where(np.arange(12) % 2, 0.4, 0.8)
    bound, cotangent = share * np.linalg.norm(X, axis=1), rng.normal(size=(12, 20))
    both = {"max_residual": bound, "max_nonzeros": 3}
    found = encode(X, D, **both)
    at_bound = np.abs(found.residual_norm - bound) < 1e-8
    assert at_bound.any()
    assert not at_bound.all()
    gradients = code_vjp(X, D, found.code, cotangent, **both)
    for limit, rows in (({"max_residual": bound}, at_bound), ({"max_nonzeros": 3}, ~at_bound)):
        alone = code_vjp(X, D, found.code, cotangent, **limit)
        np.testing.assert_allclose(gradients.X[rows], alone.X[rows], atol=1e-12)
    assert not gradients.max_residual[~at_bound].any()


def test_greedy_codes_of_tiny_signals_with_missing_entries():
    X, D, rng = generic(4)
    mask = rng.random(X.shape) < 0.7
    settings = {"solver": "omp", "max_nonzeros": 3, "mask": mask}
    tiny = encode((1e-25 * X).astype(np.float32), D.astype(np.float32), **settings)
    expected = encode(X, D, **settings).code
    np.testing.assert_allclose(tiny.code * 1e25, expected, atol=1e-4)
    assert tiny.converged.all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_greedy_codes_that_underflow_do_not_count_as_converged():
    X, D, _ = generic(5)
    found = encode(
        (1e-30 * X).astype(np.float32), (1e30 * D).astype(np.float32), solver="omp", max_nonzeros=3
    )  # fmt: skip
    assert not found.converged.any()


def test_the_reference_keeps_to_the_count_at_ties():
    X, D, rng = generic(6, 20, 12, 60)
    weight = (rng.random(X.shape) < 0.8) * 1.0
    corr, sq_norm = (weight * X) @ D.T, (weight * X * X).sum(axis=1)
    arguments = None, corr, sq_norm, 0.0, 0.0, False, None, 3, D, weight
    code = elastic_net_until.reference(*arguments)[0]
    assert (code != 0).sum(axis=1).max() == 3
    np.testing.assert_allclose(code, elastic_net_until(*arguments)[0], atol=1e-8)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"max_nonzeros": 2, "max_iter": 5}, ValueError, "max_iter must be None"),
        ({"max_residual": np.ma.masked_equal([1.0, 2.0], 2.0)}, TypeError, "max_residual"),
        ({"mask": np.ma.masked_all((2, 15), bool)}, TypeError, "mask must be an array without"),
    ],
    ids=["max_iter", "masked_bounds", "masked_mask"],
)
def test_what_is_refused(settings, error, message):
    X, D, _ = generic(7, n=2)
    with pytest.raises(error, match=message):
        encode(X, D, **settings)


def test_any_large_number_of_nonzeros_is_no_limit():
    X, D, _ = generic(8, 6, 15)
    found = encode(X, D, max_nonzeros=2**63)
    np.testing.assert_allclose(found.code, X @ np.linalg.pinv(D), atol=1e-9)


@pytest.mark.parametrize("positive", [False, True])
def test_ties_of_integers_do_not_let_more_atoms_in_than_the_limit(positive):
    for seed in (266, 309, 453, 1043, 1373, 1546, 2269, 2280, 2349, 2561, 2682, 7):
        rng = np.random.default_rng(seed)
        m, p = rng.integers(2, 7), rng.integers(2, 10)
        D = rng.integers(-2, 3, (p, m)).astype(float)
        X = rng.integers(-2, 3, (4, m)).astype(float)
        for most in (1, 2, 3):
            prior = ElasticNet(positive=positive)
            found = encode(X, D, prior=prior, max_nonzeros=most)
            assert found.nonzeros.max() <= most
            for code, lam, x in zip(found.code, found.lam, X, strict=True):
                slope = (x - code @ D) @ D.T
                assert (slope if positive else np.abs(slope)).max() <= lam * (1 + 1e-9) + 1e-12
