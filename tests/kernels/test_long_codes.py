"""Exact codes of long dictionaries and of many active atoms: the staged path, the growing space.

Signals are scaled so that the code of each is zero from lam = 1 on.
"""

import warnings

import numpy as np
import oracles
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from long_problems import (
    LONG,
    assert_optimal,
    assert_same_minimum,
    codes,
    draw,
    every_dtype,
    every_ridge,
    every_sign,
    products,
    settings_of,
    signals_of,
)
from problems import examples, unit_atoms

from skdict_sup import ElasticNet, encode
from skdict_sup._validation import ConvergenceWarning
from skdict_sup.kernels import elastic_net_codes
from skdict_sup.kernels._rank import min_relative_pivot


@LONG
@every_sign
@every_ridge
@pytest.mark.parametrize("lam", [0.5, 0.1, 0.01, 1e-4])
def test_codes_of_many_atoms_are_optimal(p, m, lam, lam2, positive):
    X, D = draw(0, 3, p, m, positive)
    prior = ElasticNet(lam, lam2, positive)
    code = codes(X, D, prior)
    assert_optimal(X, D, prior, code)
    if lam2 == 0:
        assert (np.count_nonzero(code, axis=1) <= m).all()


@LONG
@every_sign
@every_ridge
@pytest.mark.parametrize("lam", [0.5, 0.1, 0.01, 1e-4])
def test_codes_of_many_atoms_in_single_floats_are_optimal(p, m, lam, lam2, positive):
    X, D = (a.astype(np.float32) for a in draw(1, 3, p, m, positive))
    prior = ElasticNet(lam, lam2, positive)
    # entries rounded to float32 move the slopes by some eps: beside a small lam, a large share
    tolerance = max(2e-5, np.finfo(np.float32).eps / lam)
    with warnings.catch_warnings():
        if tolerance > 2e-5:
            warnings.simplefilter("ignore", ConvergenceWarning)
        solution = encode(X, D, prior=prior, n_jobs=1)
    assert solution.code.dtype == np.float32
    assert solution.converged.all() or tolerance > 2e-5
    assert oracles.duality_gap(X, D, prior, solution.code).max() <= tolerance
    best = oracles.objective(X, D, prior, codes(oracles.double(X), oracles.double(D), prior))
    value = oracles.objective(X, D, prior, solution.code)
    np.testing.assert_allclose(value, best, rtol=2e-5)
    assert (value - best <= solution.duality_gap * value + 1e-9 * value).all()


@LONG
@every_sign
@every_ridge
@pytest.mark.parametrize("lam", [0.5, 0.1])
def test_the_kernel_in_single_floats_is_optimal_without_help(p, m, lam, lam2, positive):
    # wide floats, a second time, are for signals with a far smaller lam
    X, D = (oracles.double(a.astype(np.float32)) for a in draw(2, 3, p, m, positive))
    prior = ElasticNet(lam, lam2, positive)
    code, slope, _ = elastic_net_codes(*products(X, D, np.float32), *settings_of(prior))
    assert code.dtype == slope.dtype == np.float32
    assert oracles.duality_gap(X, D, prior, code).max() <= 2e-5


@LONG
@every_sign
@every_ridge
@every_dtype
def test_slopes_belong_to_their_codes(p, m, lam2, positive, dtype):
    gram, corr = products(*draw(3, 3, p, m, positive), dtype)
    code, slope, _ = elastic_net_codes(gram, corr, 0.01, lam2, positive)
    expected = corr.astype(np.float64) - code.astype(np.float64) @ gram.astype(np.float64)
    size = 64 * np.finfo(dtype).eps * max(1.0, np.abs(code).sum(axis=1).max())
    np.testing.assert_allclose(slope, expected, atol=size)


@examples(25)
@given(
    st.integers(385, 450),
    st.integers(5, 60),
    st.floats(-5, -0.1),
    st.sampled_from([0.0, 1e-3, 0.1]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_codes_of_any_long_problem_are_optimal(p, m, power, lam2, positive, seed):
    X, D = draw(seed, 2, p, m, positive)
    prior = ElasticNet(10.0**power, lam2, positive)
    assert_optimal(X, D, prior, codes(X, D, prior))


@examples(25)
@given(st.integers(385, 450), st.integers(2, 6), st.sampled_from([0.5, 1.0, 2.0]), st.booleans())
@example(385, 4, 1.0, False)  # entries of 1e-16 with the wrong sign, where several vanish at once
@example(389, 6, 2.0, False)
@example(389, 5, 2.0, True)
@example(393, 5, 2.0, False)
@example(430, 5, 2.0, False)
@example(445, 5, 1.0, False)
def test_codes_of_long_problems_with_ties_are_optimal(p, m, lam, positive):
    # small integers: many atoms are equal, opposite or zero, and meet the bound together
    rng = np.random.default_rng(p)
    X = rng.integers(-3, 4, size=(3, m)).astype(float)
    D = rng.integers(-1, 2, size=(p, m)).astype(float)
    prior = ElasticNet(lam, 0.0, positive)
    assert_optimal(X, D, prior, codes(X, D, prior))


@every_sign
@pytest.mark.parametrize("lam2", [0.0, 1e-6, 0.1])
@pytest.mark.parametrize("lam", [0.5, 0.1, 0.01])
def test_every_atom_twice_fits_like_every_atom_once(lam, lam2, positive):
    X, D = draw(4, 3, 250, 40, positive)
    prior, twice = ElasticNet(lam, lam2, positive), np.vstack([D, D])
    code = codes(X, twice, prior)
    assert_optimal(X, twice, prior, code)
    # a ridge shares an entry evenly, and so acts on the sum with half its strength
    once = ElasticNet(lam, lam2 / 2, positive)
    assert_same_minimum(X, D, once, code[:, :250] + code[:, 250:], codes(X, D, once))


@every_sign
@every_ridge
def test_every_atom_with_its_negative(lam2, positive):
    # signed codes need no negatives; nonnegative ones over both signs are the signed ones
    X, D = draw(5, 3, 250, 40)
    prior, both = ElasticNet(0.05, lam2, positive), np.vstack([D, -D])
    code = codes(X, both, prior)
    assert_optimal(X, both, prior, code)
    signed = ElasticNet(0.05, lam2 if positive else lam2 / 2)
    assert_same_minimum(X, D, signed, code[:, :250] - code[:, 250:], codes(X, D, signed))


@every_sign
@every_ridge
@pytest.mark.parametrize("apart", [1e-4, 1e-7, 1e-10])
@pytest.mark.parametrize("lam", [0.5, 0.05])
def test_atoms_that_are_nearly_equal(lam, apart, lam2, positive):
    X, D = draw(6, 3, 250, 40, positive)
    D = np.vstack([D, D + apart * unit_atoms(np.random.default_rng(7), 250, 40)])
    prior = ElasticNet(lam, lam2, positive)
    # a pair that counts as dependent is one atom, which costs up to the distance of the two
    one = lam2 == 0 and apart**2 < min_relative_pivot(np.finfo(float).eps)
    assert_optimal(X, D, prior, codes(X, D, prior), max(1e-10, apart) if one else 1e-10)


@every_sign
@pytest.mark.parametrize("lam2", [0.0, 1e-6])
@pytest.mark.parametrize("lam", [0.5, 0.05, 1e-3])
def test_atoms_of_very_different_norms(lam, lam2, positive):
    rng = np.random.default_rng(8)
    D = unit_atoms(rng, 500, 40) * 10.0 ** rng.uniform(-6, 6, size=(500, 1))
    X = signals_of(rng, 3, D, positive)
    prior = ElasticNet(lam, lam2, positive)
    assert_optimal(X, D, prior, codes(X, D, prior))


@every_sign
@every_ridge
@pytest.mark.parametrize("atoms_scale", [1e-100, 1e100])
@pytest.mark.parametrize("signals_scale", [1e-100, 1.0, 1e100])
def test_codes_scale_over_the_range_of_doubles(atoms_scale, signals_scale, lam2, positive):
    X, D = draw(9, 3, 500, 40, positive)
    plain = codes(X, D, ElasticNet(0.05, lam2, positive))
    prior = ElasticNet(
        0.05 * atoms_scale * signals_scale, lam2 * atoms_scale * atoms_scale, positive
    )
    scaled = codes(signals_scale * X, atoms_scale * D, prior) / signals_scale * atoms_scale
    np.testing.assert_allclose(scaled, plain, atol=1e-9 * np.abs(plain).max())


@every_sign
@every_ridge
@pytest.mark.parametrize("far", [1, 7, 15])
@pytest.mark.parametrize("p", [128, 384, 400])
@pytest.mark.parametrize("noise", [0.02, 0.0], ids=["apart", "tied"])
def test_a_stage_that_follows_all_atoms_but_a_few(noise, p, far, lam2, positive):
    # so few that the whole vectors of those it follows would hold every atom
    rng = np.random.default_rng(27)
    x = unit_atoms(rng, 1, 40)
    D = unit_atoms(rng, p, 40)
    D -= (D @ x.T) * x
    D = 0.4 * D + 0.9 * x
    places = rng.choice(p, far, replace=False)
    D[places] = (-3.0 * D[places]) if positive else D[places] - 0.9 * x
    X = x + noise * unit_atoms(rng, 1, 40)  # without noise all but a few meet the bound at once
    X /= (X @ D.T).max()
    for lam in (0.9, 0.5, 0.1):
        prior = ElasticNet(lam, lam2, positive)
        assert_optimal(X, D, prior, codes(X, D, prior))


@every_ridge
@pytest.mark.parametrize("p", [1, 9, 40, 100, 250, 384])
def test_nonnegative_codes_of_signals_that_point_away_from_most_atoms(p, lam2):
    # correlations far below minus the largest: atoms that start beyond the bound with a sign
    rng = np.random.default_rng(p)
    D = unit_atoms(rng, p, 30)
    X = -D.mean(axis=0) * np.array([[0.3], [1.0], [3.0]]) * np.sqrt(p) + rng.normal(size=(3, 30))
    X /= np.maximum((X @ D.T).max(axis=1, keepdims=True), 1e-3)
    for lam in (0.5, 0.1, 0.01):
        prior = ElasticNet(lam, lam2, positive=True)
        assert_optimal(X, D, prior, codes(X, D, prior))


# --- more active atoms than the first work space holds -----------------------------------------
