"""Kernels that take a batch in one pass: the certificate of codes, and their gradients."""

import itertools

import numpy as np
import oracles
import pytest
from gradients import Case
from hypothesis import given
from hypothesis import strategies as st
from problems import PROBLEMS, unit_atoms

from skdict_sup import ElasticNet, code_vjp, encode
from skdict_sup._atoms import Atoms
from skdict_sup._records import Data
from skdict_sup.certificate import optimality_measures
from skdict_sup.kernels import code_moments, elastic_net_certificate, linear_vjp
from skdict_sup.problem import Problem
from skdict_sup.reconstruction.linear import Linear

every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)


class Own(ElasticNet):
    """A prior of the same numbers, whose certificate is summed term by term."""


# --- the certificate ---------------------------------------------------------------------------


def certificate_arguments(X, D, code, lam, lam2, positive):
    corr = X @ D.T
    return corr, (X * X).sum(axis=1), code, corr - code @ (D @ D.T), lam, lam2, positive


def terms_of(prior, D, corr, sq_norm, code, slope):
    """Terms of a certificate, as a problem computes them."""
    return optimality_measures(
        Problem(Linear(), prior, Atoms(D)), Data(corr, sq_norm), code, slope
    )


@st.composite
def certified(draw):
    """Codes that need not be optimal, zeros among them, of a random problem."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, p, m = draw(st.integers(1, 40)), draw(st.integers(1, 40)), draw(st.integers(1, 12))
    X, D = rng.normal(size=(n, m)), unit_atoms(rng, p, m)
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    code = rng.normal(size=(n, p)) * (rng.random((n, p)) < share)
    positive = draw(st.booleans())
    lam, lam2 = draw(st.sampled_from([0.0, 0.1, 1.0, 5.0])), draw(st.sampled_from([0.0, 0.3]))
    return X, D, np.abs(code) if positive else code, lam, lam2, positive


def assert_certificates_agree(found, expected, size, dtype, lam):
    names = "violation", "top", "gap", "objective", "l1", "scale"
    for name, one, other in zip(names, found, expected, strict=True):
        assert one.dtype == other.dtype == dtype
        # the scale is lam over a correlation that is at least lam
        off = np.abs(one - other) * (lam if name == "scale" else 1)
        np.testing.assert_array_less(off, size, err_msg=name)


def rounding(X, D, code, lam, lam2, positive):
    """Bound on what sums of this size may round by, in units of eps, for each signal."""
    corr, sq_norm, _, slope, *_ = certificate_arguments(X, D, code, lam, lam2, positive)
    terms = np.abs(code) * (np.abs(corr) + np.abs(slope) + lam2 * np.abs(code) + lam)
    top = np.abs(corr).max(axis=1) + np.abs(slope).max(axis=1) + lam
    return 64 * (sq_norm + terms.sum(axis=1) + top + lam2 * np.abs(code).max(axis=1))


@given(certified(), st.sampled_from([np.float64, np.float32]))
def test_compiled_certificates_equal_the_reference(problem, dtype):
    *arrays, lam, lam2, positive = certificate_arguments(*problem)
    arrays = [a.astype(dtype) for a in arrays]
    before = [a.copy() for a in arrays]
    found = elastic_net_certificate(*arrays, lam, lam2, positive)
    for mine, other in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(mine, other)
    expected = elastic_net_certificate.reference(*arrays, lam, lam2, positive)
    size = np.finfo(dtype).eps * rounding(*problem)
    assert_certificates_agree(found, expected, size, dtype, lam)


@given(certified())
def test_certificates_equal_the_formulas_of_the_terms(problem):
    _, D, _, lam, lam2, positive = problem
    *arrays, _, _, _ = certificate_arguments(*problem)
    generic = terms_of(Own(lam, lam2, positive), D, *arrays)
    one_pass = terms_of(ElasticNet(lam, lam2, positive), D, *arrays)
    size = np.finfo(np.float64).eps * rounding(*problem)
    assert_certificates_agree(one_pass, generic, size, np.float64, lam)
    reference = elastic_net_certificate.reference(*arrays, lam, lam2, positive)
    assert_certificates_agree(reference, generic, size, np.float64, lam)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize(("lam", "lam2"), [(0.2, 0.1), (0.2, 0.0), (0.0, 0.1), (50.0, 0.0)])
def test_certificates_of_every_library_equal_the_formulas_of_the_terms(xp, lam, lam2, positive):
    rng = np.random.default_rng(0)
    X, D = rng.normal(size=(6, 5)), unit_atoms(rng, 9, 5)
    code = rng.normal(size=(6, 9)) * rng.integers(0, 2, size=(6, 9))
    code = np.abs(code) if positive else code
    code[0] = 0.0
    *arrays, _, _, _ = certificate_arguments(X, D, code, lam, lam2, positive)
    expected = terms_of(Own(lam, lam2, positive), D, *arrays)
    arrays = [xp.asarray(a) for a in arrays]
    for certify in (elastic_net_certificate, elastic_net_certificate.reference):
        found = certify(*arrays, lam, lam2, positive)
        for mine, other in zip(found, expected, strict=True):
            assert xp.is_mine(mine)
            np.testing.assert_allclose(xp.to_numpy(mine), other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_certificates_are_what_the_oracles_say(problem):
    X, D, prior = problem.X, problem.dictionary, problem.prior
    rng = np.random.default_rng(1)
    code = np.abs(rng.normal(size=(len(X), len(D)))) * rng.integers(0, 2, size=(len(X), len(D)))
    arguments = certificate_arguments(X, D, code, prior.lam, prior.lam2, prior.positive)
    for certify in (elastic_net_certificate, elastic_net_certificate.reference):
        violation, top, gap, objective, *_ = certify(*arguments)
        one = np.where(top > 0, top, 1.0)
        close = {"rtol": 1e-9, "atol": 1e-9}
        np.testing.assert_allclose(
            violation / one, oracles.kkt_residual(X, D, prior, code), **close
        )
        value = oracles.objective(X, D, prior, code)
        np.testing.assert_allclose(objective, value, **close)
        expected = oracles.duality_gap(X, D, prior, code) * value
        np.testing.assert_allclose(gap, expected, rtol=1e-9, atol=1e-9 * max(1, value.max()))


@pytest.mark.parametrize("p", [1, 7, 8, 9, 15, 16, 17, 33])
@every_dtype
def test_a_certificate_reads_the_last_entries_of_a_row(p, dtype):
    # one entry at a time carries the violation, the largest correlation and the pull
    for j in range(p):
        corr, code = np.zeros((1, p), dtype), np.zeros((1, p), dtype)
        corr[0, j] = -3.0
        sq_norm = np.full(1, 9.0, dtype)
        found = elastic_net_certificate(corr, sq_norm, code, corr, 1.0, 0.0, False)
        # s = 1/3 of a residual of squared norm 9
        np.testing.assert_allclose(
            np.stack(found)[:, 0], [2.0, 3.0, 2.0, 4.5, 0.0, 1 / 3], rtol=1e-6
        )
        found = elastic_net_certificate(corr, sq_norm, code, corr, 1.0, 0.0, True)
        np.testing.assert_allclose(
            np.stack(found)[:, 0], [0.0, 3.0, 0.0, 4.5, 0.0, 1.0], rtol=1e-6
        )


@pytest.mark.parametrize("p", [5, 16, 35])
def test_certificates_of_any_order_and_stride_are_the_same(p):
    rng = np.random.default_rng(2)
    *arrays, lam, lam2, positive = certificate_arguments(
        rng.normal(size=(6, 5)), unit_atoms(rng, p, 5), rng.normal(size=(6, p)), 0.2, 0.1, False
    )
    plain = elastic_net_certificate(*arrays, lam, lam2, positive)
    fortran = [np.asfortranarray(a) for a in arrays]
    strided = [np.repeat(a, 2, axis=-1)[..., ::2] for a in arrays]
    for others in (fortran, strided):
        found = elastic_net_certificate(*others, lam, lam2, positive)
        np.testing.assert_array_equal(np.stack(found), np.stack(plain))


def test_an_empty_batch_has_an_empty_certificate():
    empty = np.empty((0, 4))
    found = elastic_net_certificate(empty, np.empty(0), empty, empty, 0.1, 0.0, False)
    assert [part.shape for part in found] == [(0,)] * 6


# --- gradients for dictionary and signals ------------------------------------------------------

SHARES = pytest.mark.parametrize(
    "share", [0.0, 0.05, 0.5, 1.0], ids=["empty", "sparse", "half", "full"]
)


def pulled(n, p, m, share, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    support = rng.random((n, p)) < share
    X, D = rng.normal(size=(n, m)), unit_atoms(rng, p, m)
    code, adjoint = rng.normal(size=(2, n, p)) * support
    return [a.astype(dtype) for a in (X, D, code, adjoint)]


def assert_gradients_agree(found, arguments, dtype):
    wide = [oracles.double(a) for a in arguments]
    expected = linear_vjp.reference(*wide)
    X, D, code, adjoint = map(np.abs, wide)
    # the same sums of magnitudes: what rounding is relative to
    toward_X = adjoint @ D
    sizes = adjoint.T @ (X + code @ D) + code.T @ toward_X, toward_X
    for mine, other, size in zip(found, expected, sizes, strict=True):
        assert mine.dtype == dtype
        assert mine.shape == other.shape
        assert (np.abs(mine - other) <= 64 * np.finfo(dtype).eps * size).all()


@SHARES
@every_dtype
@pytest.mark.parametrize("m", [1, 7, 15, 16, 17, 31, 32, 33, 64, 65, 130, 200])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_compiled_gradients_equal_the_reference(m, share, n_jobs, dtype):
    arguments = pulled(9, 40, m, share, dtype, seed=m)
    before = [a.copy() for a in arguments]
    found = linear_vjp(*arguments, n_jobs)
    for mine, other in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert_gradients_agree(found, arguments, dtype)


@given(
    st.integers(1, 12),
    st.integers(1, 30),
    st.integers(1, 140),
    st.floats(0, 0.3),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
)
def test_compiled_gradients_of_any_shape_equal_the_reference(n, p, m, share, n_jobs, seed):
    arguments = pulled(n, p, m, share, seed=seed)
    assert_gradients_agree(linear_vjp(*arguments, n_jobs), arguments, np.float64)


@SHARES
@every_dtype
@pytest.mark.parametrize("m", [1, 63, 64, 65, 130, 191, 200, 400])
def test_gradients_do_not_depend_on_the_number_of_threads(m, share, dtype):
    arguments = pulled(20, 40, m, share, dtype)
    alone = linear_vjp(*arguments, 1)
    for n_jobs in (2, 3, 8):
        for mine, other in zip(linear_vjp(*arguments, n_jobs), alone, strict=True):
            np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("share", [0.05, 1.0])
@every_dtype
def test_gradients_of_any_order_and_stride_are_the_same(share, dtype):
    arguments = pulled(9, 40, 130, share, dtype)
    fortran = [np.asfortranarray(a) for a in arguments]
    columns = [np.repeat(a, 2, axis=1)[:, ::2] for a in arguments]
    rows = [np.repeat(a, 3, axis=0)[::3] for a in arguments]
    backward = [np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1] for a in arguments]
    for others in (fortran, columns, rows, backward):
        assert_gradients_agree(linear_vjp(*others, 2), arguments, dtype)


def test_gradients_of_empty_codes_are_zero():
    for gradient in linear_vjp(*pulled(9, 40, 130, 0.0), 2):
        assert not gradient.any()
    toward_dictionary, toward_X = linear_vjp(*pulled(0, 40, 130, 0.0), 2)
    assert not toward_dictionary.any()
    assert toward_X.shape == (0, 130)


def test_an_atom_without_a_code_has_no_gradient():
    X, D, code, adjoint = pulled(9, 40, 130, 0.1)
    code[:, 3] = adjoint[:, 3] = 0.0
    toward_dictionary, _ = linear_vjp(X, D, code, adjoint)
    assert not toward_dictionary[3].any()


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_every_library_has_these_gradients(xp, share):
    arguments = pulled(5, 12, 20, share)
    arrays = [xp.asarray(a) for a in arguments]
    for pull in (linear_vjp, linear_vjp.reference):
        found = pull(*arrays)
        assert all(xp.is_mine(part) for part in found)
        assert_gradients_agree([xp.to_numpy(part) for part in found], arguments, np.float64)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("lam2", [0.0, 0.05])
@pytest.mark.parametrize(("lam", "share"), [(0.5, 0.2), (0.02, 1.0)], ids=["few", "many"])
def test_gradients_over_many_columns_are_the_derivatives_of_the_codes(lam, share, lam2, positive):
    rng = np.random.default_rng(3)
    D = unit_atoms(rng, 40, 150)
    support = rng.random((3, 40)) < share
    X = (np.abs(rng.normal(size=(3, 40))) * support) @ D
    X /= np.abs(X @ D.T).max(axis=1, keepdims=True)
    X += 0.01 * rng.normal(size=X.shape)
    case = Case(X, D, lam, lam2, positive, rng.normal(size=(3, 40)))
    code = case.code
    assert code.any(axis=1).all()
    found = code_vjp(X, D, code, case.cotangent, prior=case.prior)
    step, error, most = 1e-6, 0.0, 0.0

    def at(direction):
        moved = encode(X, D + direction, prior=case.prior, n_jobs=1).code
        np.testing.assert_array_equal(moved != 0, code != 0)  # no kink within the step
        return float((case.cotangent * moved).sum())

    used = np.flatnonzero(code.any(axis=0))
    # columns from every slice that a thread may take, and from the tail
    for atom, column in itertools.product(used[:6], (0, 15, 63, 64, 100, 127, 128, 143, 144, 149)):
        direction = np.zeros_like(D)
        direction[atom, column] = step
        expected = (at(direction) - at(-direction)) / (2 * step)
        error = max(error, abs(found.dictionary[atom, column] - expected))
        most = max(most, abs(expected))
    assert error <= 1e-6 * most


# --- moments of codes --------------------------------------------------------------------------


@SHARES
@every_dtype
@pytest.mark.parametrize("m", [1, 31, 33, 64, 130, 200])
@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_compiled_moments_equal_the_reference(m, share, n_jobs, dtype):
    X, _, code, weighted = pulled(9, 40, m, share, dtype, seed=m)
    before = [a.copy() for a in (X, code, weighted)]
    assert_moments_agree(X, code, weighted, n_jobs)
    for mine, other in zip((X, code, weighted), before, strict=True):
        np.testing.assert_array_equal(mine, other)


@given(
    st.integers(1, 12),
    st.integers(1, 30),
    st.integers(1, 140),
    st.floats(0, 0.3),
    st.integers(0, 2**32 - 1),
)
def test_compiled_moments_of_any_shape_equal_the_reference(n, p, m, share, seed):
    X, _, code, weighted = pulled(n, p, m, share, seed=seed)
    assert_moments_agree(X, code, weighted, 1)
    assert_moments_agree(*map(np.asfortranarray, (X, code, weighted)), 2)


def assert_moments_agree(X, code, weighted, n_jobs):
    found = code_moments(X, code, weighted, n_jobs)
    wide = [oracles.double(a) for a in (X, code, weighted)]
    expected = code_moments.reference(*wide)
    sizes = code_moments.reference(*map(np.abs, wide))
    for mine, other, size in zip(found, expected, sizes, strict=True):
        assert mine.dtype == X.dtype
        assert mine.shape == other.shape
        assert (np.abs(mine - other) <= 64 * np.finfo(X.dtype).eps * size).all()
