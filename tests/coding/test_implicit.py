"""Gradients through the codes, against finite differences of the codes themselves.

Where a code has a kink, no derivative exists: `gradients.Case.keeps_its_distance_from_kinks`
states the margin that every case here is asked to keep.
"""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from gradients import CURVATURE, Case, assert_gradients_agree, cases
from hypothesis import assume, given
from hypothesis import strategies as st
from problems import unit_atoms

from skdict_sup import ElasticNet, code_vjp, encode

CROSSED = ("encode", "code_vjp")


@given(cases())
def test_gradients_are_the_derivatives_of_the_codes(case):
    assume(case.keeps_its_distance_from_kinks())
    assert_gradients_agree(case)


@given(cases())
def test_gradients_without_a_ridge(case):
    # lam2 = 0 is the end of its range: there is no difference from both sides for it
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
    arrays = [xp.asarray(a, dtype=dtype) for a in (case.X, case.dictionary, code, case.cotangent)]
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


@pytest.mark.numpy_alone("of SciPy matrices")
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
