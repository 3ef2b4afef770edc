"""Exact codes where supports are large, starts are given, or limits are met."""

import numpy as np
import oracles
import pytest
from long_problems import (
    TOLERANCE,
    assert_optimal,
    assert_same_minimum,
    codes,
    draw,
    every_dtype,
    every_ridge,
    every_sign,
    products,
    settings_of,
)

from skdict_sup import ElasticNet
from skdict_sup.kernels import elastic_net_codes


@every_sign
@every_ridge
@pytest.mark.parametrize(("lam", "n_active"), [(0.1, 32), (0.01, 64), (1e-3, 128)])
def test_more_active_atoms_than_the_first_work_space_holds(lam, n_active, lam2, positive):
    X, D = draw(10, 3, 300, 200, positive)
    prior = ElasticNet(lam, lam2, positive)
    code = codes(X, D, prior)
    assert (np.count_nonzero(code, axis=1) > n_active * (0.5 if positive else 1)).all()
    assert_optimal(X, D, prior, code)


@pytest.mark.parametrize("p", [63, 64, 65, 66, 127, 128, 129, 130, 257])
@every_dtype
def test_all_atoms_may_be_active(p, dtype):
    rng = np.random.default_rng(p)
    gram = np.eye(p) + 0.1 / p
    corr = rng.uniform(1, 2, size=(2, p)) * rng.choice([-1, 1], size=(2, p))
    code, _, _ = elastic_net_codes(gram.astype(dtype), corr.astype(dtype), 1e-3, 0.0, False)
    assert (code != 0).all()
    expected = np.linalg.solve(gram, (corr - 1e-3 * np.sign(corr)).T).T
    np.testing.assert_allclose(code, expected, atol=64 * np.finfo(dtype).eps)


@pytest.mark.parametrize("n_active", [62, 63, 64, 65, 66, 67, 128, 129, 130])
@every_sign
def test_supports_about_as_large_as_the_work_space(n_active, positive):
    rng = np.random.default_rng(n_active)
    X, D = rng.normal(size=(2, 200)), np.linalg.qr(rng.normal(size=(200, 200)))[0]
    X = np.abs(X @ D.T) @ D if positive else X
    order = -np.sort(-np.abs(X @ D.T), axis=1)
    for i in range(2):
        prior = ElasticNet(order[i, n_active - 1 : n_active + 1].mean(), 0.0, positive)
        code = codes(X[[i]], D, prior)
        assert_optimal(X[[i]], D, prior, code)
        assert np.count_nonzero(code) == n_active


# --- tails of vectors, and the border between short and long dictionaries ----------------------


@every_sign
@every_ridge
@every_dtype
@pytest.mark.parametrize("p", [1, 2, 7, 8, 9, 15, 16, 17, 31, 33])
def test_short_dictionaries_have_the_codes_of_the_reference(p, lam2, positive, dtype):
    gram, corr = products(*draw(p, 4, p, 12, positive and p > 1), dtype)
    for lam in (0.9, 0.3, 0.05):
        code, slope, _ = elastic_net_codes(gram, corr, lam, lam2, positive)
        other, other_slope, _ = elastic_net_codes.reference(gram, corr, lam, lam2, positive)
        size = 1e4 * np.finfo(dtype).eps
        np.testing.assert_allclose(slope, other_slope, atol=size * max(1, np.abs(other).max()))
        np.testing.assert_allclose(np.abs(code).sum(1), np.abs(other).sum(1), rtol=10 * size)


@every_sign
@every_ridge
@every_dtype
@pytest.mark.parametrize("p", [63, 64, 65, 383, 384, 385, 391, 392, 393, 400, 401])
def test_codes_at_the_border_of_long_dictionaries_are_optimal(p, lam2, positive, dtype):
    X, D = (oracles.double(a.astype(dtype)) for a in draw(p, 3, p, 30, positive))
    for lam in (0.9, 0.3, 0.05):
        prior = ElasticNet(lam, lam2, positive)
        code, _, _ = elastic_net_codes(*products(X, D, dtype), *settings_of(prior))
        assert oracles.duality_gap(X, D, prior, code).max() <= TOLERANCE[dtype]


# --- small lam ---------------------------------------------------------------------------------


@every_sign
@pytest.mark.parametrize("lam", [1e-6, 1e-9, 1e-12, 0.0])
@pytest.mark.parametrize(("p", "m"), [(30, 60), (150, 300), (400, 500)])
def test_small_lam_on_independent_atoms(p, m, lam, positive):
    # at the minimum the loss is most of the objective: optimality is asked of the gradient
    X, D = draw(11, 2, p, m, positive)
    prior = ElasticNet(lam, 0.0, positive)
    code = codes(X, D, prior)
    assert oracles.kkt_residual(X, D, prior, code).max() <= 1e-12
    if lam == 0.0:
        best = oracles.least_squares_objective(X, D, prior)
        np.testing.assert_allclose(oracles.objective(X, D, prior, code), best, rtol=1e-12)


@every_sign
@pytest.mark.parametrize("lam", [1e-6, 1e-9])
@pytest.mark.parametrize("lam2", [0.0, 1e-3])
def test_small_lam_on_many_more_atoms_than_features(lam, lam2, positive):
    X, D = draw(12, 2, 500, 40, positive)
    prior = ElasticNet(lam, lam2, positive)
    code = codes(X, D, prior)
    assert oracles.kkt_residual(X, D, prior, code).max() <= 1e-12


@every_sign
def test_a_ridge_alone_on_many_more_atoms_than_features(positive):
    X, D = draw(13, 2, 500, 40, positive)
    prior = ElasticNet(0.0, 0.1, positive)
    code = codes(X, D, prior)
    assert oracles.kkt_residual(X, D, prior, code).max() <= 1e-12
    best = oracles.least_squares_objective(X, D, prior)
    np.testing.assert_allclose(oracles.objective(X, D, prior, code), best, rtol=1e-12)


# --- starts ------------------------------------------------------------------------------------


@every_sign
@every_ridge
@pytest.mark.parametrize(("p", "m"), [(500, 40), (300, 200)])
@pytest.mark.parametrize("lam", [0.2, 0.01])
def test_any_start_ends_at_the_same_minimum(p, m, lam, lam2, positive):
    X, D = draw(14, 3, p, m, positive)
    rng = np.random.default_rng(15)
    prior = ElasticNet(lam, lam2, positive)
    cold = codes(X, D, prior)
    nearby = codes(X, D + 1e-2 * rng.normal(size=D.shape) / np.sqrt(m), prior)
    full = 10 * rng.normal(size=cold.shape)
    some = full * (rng.random(cold.shape) < 0.1)
    for init in (cold, -cold, nearby, full, -full, some, np.zeros_like(cold)):
        before = init.copy()
        code = codes(X, D, prior, init)
        assert_optimal(X, D, prior, code)
        assert_same_minimum(X, D, prior, code, cold)
        np.testing.assert_array_equal(init, before)


@every_sign
def test_a_start_at_the_minimum_takes_no_change(positive):
    gram, corr = products(*draw(16, 3, 500, 40, positive))
    code, _, _ = elastic_net_codes(gram, corr, 0.05, 0.0, positive)
    _, _, n_iter = elastic_net_codes(gram, corr, 0.05, 0.0, positive, code)
    assert not np.any(n_iter)


# --- one signal, many signals ------------------------------------------------------------------


def assert_rows_are_alone(gram, corr, *others, init=None):
    together = elastic_net_codes(gram, corr, *others, init)
    for i in range(len(corr)):
        start = None if init is None else init[[i]]
        alone = elastic_net_codes(gram, corr[[i]], *others, start)
        for one, many in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one[0], many[i])


@every_sign
@every_ridge
@every_dtype
@pytest.mark.parametrize("lam", [0.3, 0.01])
def test_a_code_does_not_depend_on_the_rest_of_the_batch(lam, lam2, positive, dtype):
    gram, corr = products(*draw(17, 8, 500, 40, positive), dtype)
    assert_rows_are_alone(gram, corr, lam, lam2, positive)


@pytest.mark.parametrize(("p", "m"), [(300, 200), (300, 66), (300, 70), (500, 68)])
@every_sign
@every_ridge
@every_dtype
def test_a_code_does_not_depend_on_a_neighbour_that_makes_the_work_space_grow(
    p, m, lam2, positive, dtype
):
    gram, corr = products(*draw(18, 12, p, m, positive), dtype)
    corr *= np.geomspace(30, 0.3, 12).astype(dtype)[:, None]  # from many active atoms to few
    for order in (slice(None), slice(None, None, -1)):
        assert_rows_are_alone(gram, corr[order], 0.02, lam2, positive)


@every_sign
@every_ridge
def test_a_warm_code_does_not_depend_on_the_rest_of_the_batch(lam2, positive):
    gram, corr = products(*draw(19, 6, 300, 200, positive))
    init = np.random.default_rng(20).normal(size=corr.shape)
    init[::2] = 0
    corr *= np.geomspace(100, 1, 6)[:, None]
    assert_rows_are_alone(gram, corr, 0.2, lam2, positive, init=init)


@every_sign
def test_orders_and_strides_of_arrays_do_not_matter(positive):
    gram, corr = products(*draw(21, 4, 500, 40, positive))
    plain = elastic_net_codes(gram, corr, 0.05, 0.0, positive)
    wide = np.zeros((4, 1000))
    wide[:, ::2] = corr
    for other in (np.asfortranarray(corr), wide[:, ::2]):
        found = elastic_net_codes(np.asfortranarray(gram), other, 0.05, 0.0, positive)
        for mine, theirs in zip(found, plain, strict=True):
            np.testing.assert_array_equal(mine, theirs)


# --- limits ------------------------------------------------------------------------------------


@every_sign
@every_ridge
@pytest.mark.parametrize("max_iter", [1, 2, 5, 20, 60, 100])
def test_changes_of_the_support_stay_within_their_limit(max_iter, lam2, positive):
    for p, m in ((20, 8), (300, 100), (500, 40)):
        gram, corr = products(*draw(22, 8, p, m, positive))
        for lam in (0.1, 1e-3):
            *_, n_iter = elastic_net_codes(gram, corr, lam, lam2, positive, None, max_iter)
            assert max(n_iter) <= max_iter


@every_sign
@every_ridge
@pytest.mark.parametrize("max_iter", [1, 5, 60])
def test_codes_cut_short_come_with_their_slopes(max_iter, lam2, positive):
    for p, m in ((20, 8), (385, 100), (500, 40)):
        gram, corr = products(*draw(28, 8, p, m, positive))
        code, slope, _ = elastic_net_codes(gram, corr, 1e-3, lam2, positive, None, max_iter)
        np.testing.assert_allclose(slope, corr - code @ gram, atol=1e-10)


@every_sign
@pytest.mark.parametrize("max_iter", [1, 5, 50])
def test_changes_of_a_given_support_stay_within_their_limit(max_iter, positive):
    gram, corr = products(*draw(23, 4, 500, 40, positive))
    init = np.random.default_rng(24).normal(size=corr.shape)
    _, _, n_iter = elastic_net_codes(gram, corr, 0.1, 0.0, positive, init, max_iter)
    assert max(n_iter) <= max_iter


def test_an_empty_batch_has_no_codes():
    gram, corr = products(*draw(25, 3, 500, 40))
    code, slope, n_iter = elastic_net_codes(gram, corr[:0], 0.1, 0.0, False)
    assert code.shape == slope.shape == (0, 500)
    assert len(n_iter) == 0


@every_sign
@every_ridge
@every_dtype
def test_zero_signals_and_zero_atoms_have_no_code(lam2, positive, dtype):
    X, D = draw(26, 4, 500, 40, positive)
    X[1], D[::3] = 0.0, 0.0
    for atoms in (D, 0 * D):
        gram, corr = products(X, atoms, dtype)
        for lam in (0.05, 0.0) if lam2 else (0.05,):
            code, _, n_iter = elastic_net_codes(gram, corr, lam, lam2, positive)
            assert not code[1].any()
            assert not code[:, ::3].any()
            assert n_iter[1] == 0
