"""Gradients through the codes, against finite differences of the codes themselves.

A code is smooth in the data as long as no entry of it comes or goes. Every case is therefore asked to
keep a margin: off the support |slope_j| stays MARGIN below lam, on it |w_j| stays MARGIN above zero, and
the atoms of a support are independent enough that the steps, far shorter than MARGIN, cannot use it up.
"""

from dataclasses import dataclass, replace

import numpy as np
import oracles
import pytest
import scipy.sparse
from hypothesis import assume, given
from hypothesis import strategies as st
from problems import unit_atoms

from skdict_sup import ElasticNet, code_vjp, encode

MARGIN = 1e-2
CURVATURE = 0.05  # least eigenvalue of H on a support: a step moves a code by some step / CURVATURE
STEP = 1e-5
RTOL = 1e-6


@dataclass(frozen=True)
class Case:
    """A batch, a prior and a cotangent: everything that a gradient is computed from."""

    X: np.ndarray
    dictionary: np.ndarray
    lam: float
    lam2: float
    positive: bool
    cotangent: np.ndarray

    @property
    def prior(self):
        return ElasticNet(self.lam, self.lam2, self.positive)

    @property
    def code(self):
        return encode(self.X, self.dictionary, prior=self.prior, n_jobs=1).code

    def vjp(self):
        return code_vjp(self.X, self.dictionary, self.code, self.cotangent, prior=self.prior)

    def loss(self):
        return float((self.cotangent * self.code).sum())

    def keeps_its_distance_from_kinks(self):
        code = self.code
        u = oracles.slope(self.X, self.dictionary, self.prior, code)
        support = code != 0
        room = self.lam - (u if self.positive else np.abs(u))
        H = self.dictionary @ self.dictionary.T + self.lam2 * np.eye(len(self.dictionary))
        curvatures = [
            np.linalg.eigvalsh(H[np.ix_(row, row)])[0] if row.any() else np.inf for row in support
        ]
        return (
            room[~support].min(initial=np.inf) > MARGIN
            and np.abs(code[support]).min(initial=np.inf) > MARGIN
            and min(curvatures) > CURVATURE
        )


def difference(case, name, direction):
    """Derivative of the loss along a direction, from four codes: the error is of order STEP^4."""

    def at(step):
        return replace(case, **{name: getattr(case, name) + step * direction}).loss()

    inner, outer = at(STEP) - at(-STEP), at(2 * STEP) - at(-2 * STEP)
    return (8 * inner - outer) / (12 * STEP)


def differences(case, name):
    """Gradient of the loss in one argument, entry by entry."""
    value = getattr(case, name)
    if not isinstance(value, np.ndarray):
        return difference(case, name, 1.0)
    gradient = np.empty_like(value)
    for place in np.ndindex(value.shape):
        direction = np.zeros_like(value)
        direction[place] = 1.0
        gradient[place] = difference(case, name, direction)
    return gradient


def assert_gradients_agree(case, arguments=("dictionary", "X", "lam", "lam2")):
    found = case.vjp()
    scale = max(1.0, np.abs(case.cotangent).max())
    for name in arguments:
        given_ = getattr(found, name) if hasattr(found, name) else getattr(found.prior, name)
        expected = differences(case, name)
        error = np.abs(given_ - expected).max()
        assert error <= RTOL * max(scale, np.abs(expected).max()), name


@st.composite
def cases(draw, duplicates=st.just(False), lam=st.floats(0.05, 0.8), positive=st.booleans()):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_samples, n_components, n_features = (
        draw(st.integers(1, 3)),
        draw(st.integers(1, 5)),
        draw(st.integers(2, 5)),
    )
    dictionary = unit_atoms(rng, n_components, n_features) * rng.uniform(0.5, 1.5)
    if draw(duplicates):
        dictionary = np.vstack([dictionary, dictionary[:1]])
    return Case(
        X=rng.normal(size=(n_samples, n_features)),
        dictionary=dictionary,
        lam=draw(lam),
        lam2=draw(st.sampled_from([0.01, 0.1, 1.0])),
        positive=draw(positive),
        cotangent=rng.normal(size=(n_samples, len(dictionary))),
    )


@given(cases())
def test_gradients_are_the_derivatives_of_the_codes(case):
    assume(case.keeps_its_distance_from_kinks())
    assert_gradients_agree(case)


@given(cases())
def test_gradients_without_a_ridge(case):
    # lam2 = 0 is the end of its range: its own derivative is that of one side, so it isn't asked for
    case = replace(case, lam2=0.0)
    assume(case.keeps_its_distance_from_kinks())
    assert_gradients_agree(case, ("dictionary", "X", "lam"))


@given(cases(duplicates=st.just(True)))
def test_gradients_with_the_same_atom_twice(case):
    # the ridge gives both the same entry, on the support or off it
    assume(case.keeps_its_distance_from_kinks())
    assert_gradients_agree(case)


@given(cases())
def test_gradients_with_the_same_atom_twice_off_the_support(case):
    code = replace(case, lam2=0.0).code
    unused = (code == 0).all(axis=0)
    assume(unused.any())
    idle = int(np.flatnonzero(unused)[0])
    twice = replace(
        case,
        lam2=0.0,
        dictionary=np.vstack([case.dictionary, case.dictionary[idle]]),
        cotangent=np.hstack([case.cotangent, np.ones((len(case.X), 1))]),
    )
    assume(twice.keeps_its_distance_from_kinks())
    assert_gradients_agree(twice, ("dictionary", "X", "lam"))
    assert (twice.vjp().dictionary[[idle, -1]] == 0).all()


@given(cases(lam=st.just(0.0), positive=st.just(False)))
def test_gradients_of_ridge_regression(case):
    # without lam the support is full, and the code a smooth function everywhere
    code = case.code
    assert (code != 0).all()
    assume(np.linalg.eigvalsh(case.dictionary @ case.dictionary.T)[0] + case.lam2 > CURVATURE)
    assert_gradients_agree(case, ("dictionary", "X", "lam2"))


@given(cases(lam=st.just(10.0)))
def test_empty_supports_have_no_gradient(case):
    assume(np.abs(case.X @ case.dictionary.T).max() < 10.0)
    found = case.vjp()
    assert not case.code.any()
    for gradient in (found.dictionary, found.X, found.prior.lam, found.prior.lam2):
        assert not np.any(gradient)


@given(cases(duplicates=st.booleans()))
def test_the_gradient_of_a_batch_is_the_sum_over_its_signals(case):
    whole = case.vjp()
    parts = [
        replace(case, X=case.X[[i]], cotangent=case.cotangent[[i]]).vjp()
        for i in range(len(case.X))
    ]
    close = {"rtol": 1e-9, "atol": 1e-12}
    np.testing.assert_allclose(whole.dictionary, sum(g.dictionary for g in parts), **close)
    np.testing.assert_allclose(whole.X, np.vstack([g.X for g in parts]), **close)
    np.testing.assert_allclose(whole.prior.lam, sum(g.prior.lam for g in parts), **close)
    np.testing.assert_allclose(whole.prior.lam2, sum(g.prior.lam2 for g in parts), **close)


@given(cases())
def test_the_gradient_is_linear_in_the_cotangent(case):
    once, thrice = case.vjp(), replace(case, cotangent=-3 * case.cotangent).vjp()
    np.testing.assert_allclose(thrice.dictionary, -3 * once.dictionary, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(thrice.X, -3 * once.X, rtol=1e-12, atol=1e-14)


def _fixed_case(seed=0, n_samples=5):
    rng = np.random.default_rng(seed)
    return Case(
        X=rng.normal(size=(n_samples, 6)),
        dictionary=unit_atoms(rng, 9, 6),
        lam=0.15,
        lam2=0.05,
        positive=False,
        cotangent=rng.normal(size=(n_samples, 9)),
    )


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-10), (np.float32, 1e-3)])
def test_every_library_has_the_same_gradients(xp, dtype, rtol):
    case = _fixed_case()
    expected, code = case.vjp(), case.code
    arrays = [
        xp.asarray(a, dtype=dtype) for a in (case.X, case.dictionary, code, case.cotangent)
    ]
    found = code_vjp(*arrays, prior=case.prior)
    pairs = (
        (found.dictionary, expected.dictionary),
        (found.X, expected.X),
        (found.prior.lam, expected.prior.lam),
        (found.prior.lam2, expected.prior.lam2),
    )
    for mine, reference in pairs:
        assert str(mine.dtype).endswith(np.dtype(dtype).name)
        np.testing.assert_allclose(xp.to_numpy(mine), reference, rtol=rtol, atol=rtol)
    assert xp.is_mine(found.dictionary)
    assert xp.is_mine(found.X)


def test_a_numpy_scalar_in_the_prior_does_not_widen_float32():
    case = _fixed_case()
    prior = ElasticNet(lam=np.float64(case.lam), lam2=np.float64(case.lam2))
    X, D, g = (a.astype(np.float32) for a in (case.X, case.dictionary, case.cotangent))
    code = encode(X, D, prior=prior).code
    found = code_vjp(X, D, code, g, prior=prior)
    assert {code.dtype, found.X.dtype, found.dictionary.dtype} == {np.dtype(np.float32)}


def test_sparse_codes_have_the_gradients_of_dense_ones():
    case = _fixed_case()
    dense = case.vjp()
    code = scipy.sparse.csr_matrix(case.code)
    found = code_vjp(case.X, case.dictionary, code, case.cotangent, prior=case.prior)
    np.testing.assert_array_equal(found.dictionary, dense.dictionary)
    np.testing.assert_array_equal(found.X, dense.X)


def test_long_batches_are_summed_over_slices():
    # more signals than are worked on at once, so that slices are joined
    case = _fixed_case(n_samples=5000)
    whole, front, back = (
        replace(case, X=case.X[rows], cotangent=case.cotangent[rows]).vjp()
        for rows in (slice(None), slice(0, 2000), slice(2000, None))
    )
    np.testing.assert_allclose(whole.dictionary, front.dictionary + back.dictionary, rtol=1e-9)
    np.testing.assert_allclose(whole.X, np.vstack([front.X, back.X]), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(whole.prior.lam, front.prior.lam + back.prior.lam, rtol=1e-9)


def test_inputs_are_left_alone():
    case = _fixed_case()
    arrays = case.X, case.dictionary, case.code, case.cotangent
    before = [a.copy() for a in arrays]
    code_vjp(*arrays, prior=case.prior)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
