"""Systems G + diag(c) on supports, each row with curvatures of its own: compiled and reference."""

import math
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import unit_atoms

from skdict_sup import KL, encode
from skdict_sup._linalg import conjugate_gradients
from skdict_sup.kernels import support_solve

CROSSED = ("support_solve", "conjugate_gradients")

every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)
every_share = pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])


def draw(seed, n, p, m, share=0.5, low=-2.0, high=2.0):
    """Gram matrix, curvatures over powers of ten, supports and right-hand sides."""
    rng = np.random.default_rng(seed)
    D = unit_atoms(rng, p, m)
    curvature = 10.0 ** rng.uniform(low, high, size=(n, p))
    return D @ D.T, curvature, rng.random((n, p)) < share, rng.normal(size=(n, p))


def dense_solve(gram, curvature, support, rhs):
    """One row after another with NumPy, scaled so that the diagonal is at least one."""
    x = np.zeros_like(rhs)
    for i, S in enumerate(support):
        scale = 1 / np.sqrt(curvature[i, S])
        H = gram[np.ix_(S, S)] * scale[:, None] * scale + np.eye(S.sum())
        x[i, S] = scale * np.linalg.solve(H, scale * rhs[i, S])
    return x


def assert_solved(x, system, tol):
    """Close to the solution in the norm in which it is measured: both scaled by sqrt(c)."""
    _, curvature, support, rhs = system
    expected = dense_solve(*system)
    size = np.where(support, rhs / np.sqrt(curvature), 0.0)
    error = np.sqrt(curvature) * (x - expected)
    bound = tol * np.linalg.norm(size, axis=1)
    assert (np.linalg.norm(error, axis=1) <= bound).all()
    assert not x[~support].any()


@every_share
@pytest.mark.parametrize("tol", [None, 1e-4])
@pytest.mark.parametrize(("p", "m"), [(1, 3), (7, 9), (33, 20), (70, 40)])
def test_the_compiled_and_the_reference_solve_as_numpy(share, tol, p, m):
    system = draw(p, 12, p, m, share)
    for solve in (support_solve, support_solve.reference):
        x = solve(*system, tol)
        assert_solved(x, system, 1e-11 if tol is None else 2e-4)


@every_share
@pytest.mark.parametrize("tol", [None, 1e-4])
def test_float32(share, tol):
    system = draw(0, 12, 40, 25, share, -1.0, 2.0)
    single = [a.astype(np.float32) if a.dtype != bool else a for a in system]
    wide = [oracle.astype(np.float64) if oracle.dtype != bool else oracle for oracle in single]
    for solve in (support_solve, support_solve.reference):
        x = solve(*single, tol)
        assert x.dtype == np.float32
        assert_solved(x, wide, 2e-4 if tol is None else 1e-3)


@every_share
@every_dtype
@pytest.mark.parametrize("tol", [None, 1e-4])
@pytest.mark.parametrize(("p", "m"), [(3, 1), (40, 12), (99, 33), (130, 17)])
def test_few_features_solve_by_the_atoms(share, dtype, tol, p, m):
    rng = np.random.default_rng(p)
    D = unit_atoms(rng, p, m).astype(dtype)
    _, curvature, support, rhs = draw(p, 6, p, m, share)
    rhs, curvature = rhs.astype(dtype), curvature.astype(dtype)
    wide = [a.astype(np.float64) for a in (D, curvature, rhs)]
    system = wide[0] @ wide[0].T, wide[1], support, wide[2]
    x = support_solve(D @ D.T, curvature, support, rhs, tol, D)
    assert x.dtype == dtype
    assert_solved(x, system, (1e-9 if dtype == np.float64 else 2e-4) if tol is None else 2e-3)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.integers(1, 12),
    st.sampled_from([(-12, -8), (-8, 8), (8, 14), (-1, 1)]),
    st.sampled_from([None, 1e-4, 1e-8]),
    st.booleans(),
)
def test_curvatures_of_any_size(seed, p, m, powers, tol, by_atoms):
    # next to none: the Gram matrix is singular where p > m, the system is not; huge: a diagonal
    system = draw(seed, 4, p, m, 0.7, *powers)
    D = unit_atoms(np.random.default_rng(seed), p, m)  # those that were drawn
    x = support_solve(*system, tol, D if by_atoms else None)
    assert np.isfinite(x).all()
    gram, curvature, support, rhs = system
    residual = np.where(support, rhs - x @ gram - curvature * x, 0.0) / np.sqrt(curvature)
    size = np.linalg.norm(np.where(support, rhs, 0.0) / np.sqrt(curvature), axis=1)
    rounding = 1e-13 * np.linalg.norm(1 + np.diag(gram) / curvature, axis=1)
    assert (np.linalg.norm(residual, axis=1) <= (2 * (tol or 0) + 1e-11 + rounding) * size).all()


@every_dtype
def test_any_order_and_stride_of_the_arrays(dtype):
    gram, curvature, support, rhs = draw(1, 9, 21, 30)
    gram, curvature, rhs = (a.astype(dtype) for a in (gram, curvature, rhs))
    expected = support_solve(gram, curvature, support, rhs)
    for layout in (
        np.asfortranarray,
        lambda a: np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    ):
        arrays = [layout(a) for a in (gram, curvature, support, rhs)]
        before = [a.copy() for a in arrays]
        np.testing.assert_array_equal(support_solve(*arrays), expected)
        for array, copy in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(array, copy)


@pytest.mark.numpy_alone("a promise for NumPy")
@every_dtype
@pytest.mark.parametrize("tol", [None, 1e-4])
def test_a_solution_depends_on_its_row_alone(dtype, tol):
    gram, curvature, support, rhs = draw(2, 50, 37, 30)
    gram, curvature, rhs = (a.astype(dtype) for a in (gram, curvature, rhs))
    whole = support_solve(gram, curvature, support, rhs, tol)
    for rows in (slice(0, 1), slice(49, 50), slice(7, 20)):
        part = support_solve(gram, curvature[rows], support[rows], rhs[rows], tol)
        np.testing.assert_array_equal(part, whole[rows])


def test_one_curvature_for_all_is_an_array_of_it(xp):
    gram, _, support, rhs = draw(3, 6, 5, 9)
    expected = support_solve(gram, 0.3, support, rhs)
    arrays = [xp.asarray(a) for a in (gram, np.full(rhs.shape, 0.3), support, rhs)]
    for solve in (support_solve, support_solve.reference):
        x = solve(*arrays)
        assert xp.is_mine(x)
        np.testing.assert_allclose(xp.to_numpy(x), expected, rtol=1e-10, atol=1e-13)


def test_empty_supports_and_zero_sides_have_zero_solutions():
    gram, curvature, support, rhs = draw(4, 6, 5, 9)
    assert not support_solve(gram, curvature, 0 * support > 0, rhs).any()
    assert not support_solve(gram, curvature, support, 0 * rhs).any()


def test_many_systems_at_once_are_solved_in_parts():
    system = draw(5, 600, 70, 40, 1.0)
    assert_solved(support_solve.reference(*system), system, 1e-11)


# --- conjugate gradients ---------------------------------------------------------------------


def test_conjugate_gradients_of_a_batch(xp):
    rng = np.random.default_rng(6)
    root = rng.normal(size=(5, 8, 8))
    H = root @ root.transpose(0, 2, 1) + 0.5 * np.eye(8)
    rhs = rng.normal(size=(5, 8))
    rhs[2] = 0.0
    mine = xp.asarray(H)
    diagonal = xp.asarray(np.array(np.diagonal(H, axis1=1, axis2=2)))
    x = conjugate_gradients(
        lambda v: (mine @ v[:, :, None])[:, :, 0], xp.asarray(rhs), diagonal, 1e-13
    )
    assert xp.is_mine(x)
    expected = np.linalg.solve(H, rhs[:, :, None])[:, :, 0]
    np.testing.assert_allclose(xp.to_numpy(x), expected, atol=1e-8)
    assert not xp.to_numpy(x)[2].any()


@pytest.mark.numpy_alone("its callback takes arrays of NumPy")
def test_conjugate_gradients_stop_where_they_are_told():
    H, rhs = np.diag(np.geomspace(1, 1e4, 30)), np.ones((2, 30))
    calls = []

    def product(v):
        calls.append(len(v))
        return v @ H

    conjugate_gradients(product, rhs, np.ones_like(rhs), 1e-2)
    loose = len(calls)
    conjugate_gradients(product, rhs, np.ones_like(rhs), 1e-10, max_iter=7)
    assert len(calls) - loose == 7
    exact = conjugate_gradients(product, rhs, np.broadcast_to(np.diag(H), rhs.shape), 1e-12)
    np.testing.assert_allclose(exact, 1 / np.diag(H) * rhs, rtol=1e-12)


def test_curvatures_lost_in_float32_leave_systems_solvable():
    gram = np.ones((3, 3), np.float32)  # three equal atoms
    curvature, support = np.full((2, 3), 1e-12, np.float32), np.ones((2, 3), bool)
    for solve in (support_solve, support_solve.reference):
        x = solve(gram, curvature, support, np.ones((2, 3), np.float32))
        np.testing.assert_allclose(x.sum(axis=1), 1.0, rtol=1e-4)


@pytest.mark.numpy_alone("the matrix of the product is an array of NumPy")
def test_conjugate_gradients_that_rounding_leads_astray_end_at_the_least_residual():
    # products with a matrix that is not symmetric by far more than its smallest eigenvalue
    rng = np.random.default_rng(0)
    A = unit_atoms(rng, 12, 3).astype(np.float32)
    H = A @ A.T + np.float32(1e-9) * np.eye(12, dtype=np.float32)
    rough = H + np.float32(1e-3) * rng.standard_normal((12, 12)).astype(np.float32)
    rhs = rng.standard_normal((8, 12)).astype(np.float32)
    diagonal = np.broadcast_to(H.diagonal(), rhs.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        x = conjugate_gradients(lambda x: x @ rough, rhs, diagonal, 1e-6, max_iter=500)
    assert np.isfinite(x).all()
    residual = ((rhs - x @ rough) ** 2 / diagonal).sum(axis=1)
    assert (residual <= (1 + 1e-3) * (rhs**2 / diagonal).sum(axis=1)).all()


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("p", [1, 4, 31, 32, 33, 70])
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_the_compiled_versions_stay_within_their_arrays(p, share, positive, monkeypatch):
    names = "_curved", "_products", "support_solve", "kl_codes", "kl_certificate"
    modules = [import_module(f"skdict_sup.kernels._numba.{name}") for name in names]
    fences, allocate = [], modules[0].aligned

    def fenced(shape, dtype, new=np.empty):
        count = math.prod(shape) if isinstance(shape, tuple) else shape
        array = allocate(count + 64, dtype, new)
        array[count:] = 7
        fences.append(array[count:])
        return array[:count].reshape(shape)

    for module in modules:
        monkeypatch.setattr(module, "aligned", fenced)
    _, curvature, support, rhs = draw(5, 6, p, 20, share=1.0)
    m = max(1, int(share * p))
    D = unit_atoms(np.random.default_rng(1), p, m)
    gram = D @ D.T
    for tol in (1e-4, None):
        assert_solved(
            support_solve(gram, curvature, support, rhs, tol, D),
            (gram, curvature, support, rhs),
            2e-4,
        )
    for lam, mean in ((0.1, 1e-3), (1e-3, 1.0)):
        solution = encode(rhs[:, :m], D, prior=KL(lam, mean, positive))
        assert solution.converged.all()
    assert len(fences) > 10
    assert all((fence == 7).all() for fence in fences)
