"""The registry, the support-restricted solve and the atom update, compiled and reference."""

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import unit_atoms

from skdict_sup import kernels
from skdict_sup.kernels import atom_update, ball_step, support_solve
from skdict_sup.kernels._interop import numpy_floats
from skdict_sup.kernels._registry import REGISTRY

CROSSED = ("atom_update", "ball_step", "support_solve")

every_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)


@pytest.mark.parametrize(
    "version",
    [v for v in REGISTRY if v.backend == "numba"],
    ids=lambda v: f"{v.kernel}-{v.usable.__name__}",
)
def test_every_row_of_the_registry_names_a_compiled_kernel(version):
    compiled = getattr(import_module(version.module, "skdict_sup.kernels"), version.kernel)
    kernel = getattr(kernels, version.kernel)
    assert callable(compiled)
    assert kernel.reference is not compiled


@pytest.mark.parametrize(
    ("dtype", "usable"), [("float64", True), ("float32", True), ("float16", False), ("i8", False)]
)
def test_compiled_versions_take_single_and_double_floats(dtype, usable):
    assert numpy_floats(np.ones(2, dtype), np.ones(3, dtype)) is usable


def test_arrays_of_two_dtypes_are_refused():
    # they would promote in the reference, and miss the compiled version, silently
    gram, support, rhs = _systems()
    with pytest.raises(TypeError, match=r"support_solve got arrays of dtypes .*float32.*float64"):
        support_solve(gram, 0.0, support, rhs.astype(np.float32))


def test_compiled_versions_leave_other_libraries_alone(xp):
    assert numpy_floats(xp.asarray(np.ones(2))) is (xp.module == "numpy")


# --- the support-restricted solve ------------------------------------------------------------


def dense_solve(gram, lam2, support, rhs):
    """One row after another, with NumPy; the supports must be of independent atoms."""
    x = np.zeros_like(rhs)
    for i, S in enumerate(support):
        H = gram[np.ix_(S, S)] + lam2 * np.eye(S.sum())
        x[i, S] = np.linalg.solve(H, rhs[i, S])
    return x


def _systems(seed=0, n=12, p=7, m=9):
    rng = np.random.default_rng(seed)
    D = unit_atoms(rng, p, m)
    support = rng.integers(0, 2, size=(n, p)).astype(bool)
    support[0], support[1] = False, True
    return D @ D.T, support, rng.normal(size=(n, p))


@pytest.mark.parametrize("lam2", [0.0, 0.3])
def test_support_solve_solves_on_the_support_and_is_zero_off_it(xp, lam2):
    gram, support, rhs = _systems()
    expected = dense_solve(gram, lam2, support, rhs)
    for solve in (support_solve, support_solve.reference):
        x = solve(xp.asarray(gram), lam2, xp.asarray(support), xp.asarray(rhs))
        assert xp.is_mine(x)
        x = xp.to_numpy(x)
        np.testing.assert_allclose(x, expected, rtol=1e-10, atol=1e-12)
        assert not x[~support].any()


@every_dtype
def test_support_solve_drops_an_atom_that_depends_on_earlier_ones(dtype):
    rng = np.random.default_rng(1)
    D = unit_atoms(rng, 4, 6)
    D = np.vstack([D, D[0], D[1] - 2 * D[2], np.zeros(6)])
    support = np.array([[1, 0, 0, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1, 1], [0, 1, 0, 0, 1, 1, 0]], bool)
    kept = np.array([[1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0], [0, 1, 0, 0, 1, 1, 0]], bool)
    gram, rhs = (D @ D.T).astype(dtype), rng.normal(size=(3, 7)).astype(dtype)
    expected = dense_solve(D @ D.T, 0.0, kept, rhs.astype(np.float64))
    for solve in (support_solve, support_solve.reference):
        x = solve(gram, 0.0, support, rhs)
        assert x.dtype == dtype
        np.testing.assert_allclose(x, expected, atol=2e4 * np.finfo(dtype).eps)
        assert not x[~kept].any()


def test_support_solve_of_empty_supports_is_zero(xp):
    gram, _, rhs = _systems(2)
    nowhere = np.zeros(rhs.shape, bool)
    for solve in (support_solve, support_solve.reference):
        x = solve(xp.asarray(gram), 0.0, xp.asarray(nowhere), xp.asarray(rhs))
        assert x.shape == rhs.shape
        assert not xp.to_numpy(x).any()


# --- the atom update -------------------------------------------------------------------------


def _moments(seed, p=5, m=4, n=30, positive=False):
    rng = np.random.default_rng(seed)
    code = rng.normal(size=(n, p)) * rng.integers(0, 2, size=(n, p))
    code[:, 2] = 0.0  # an atom that no code uses
    X = rng.normal(size=(n, m))
    D = unit_atoms(rng, p, m)
    return (np.abs(D) if positive else D), code.T @ code, code.T @ X


def quadratic(D, A, B):
    return 0.5 * np.trace(D.T @ A @ D) - np.trace(D.T @ B)


def best_atom(D, A, B, j, positive):
    """Minimiser in atom j alone, by many small projected-gradient steps."""
    atom = D[j].copy()
    rest = B[j] - A[j] @ D + A[j, j] * D[j]
    for _ in range(300):
        atom = atom - 0.3 * (A[j, j] * atom - rest) / A[j, j]
        atom = np.maximum(atom, 0.0) if positive else atom
        atom = atom / max(np.linalg.norm(atom), 1.0)
    return atom


@pytest.mark.parametrize("positive", [False, True])
def test_atom_update_minimises_over_each_atom_in_turn(xp, positive):
    D, A, B = _moments(0, positive=positive)
    expected = D.copy()
    for j in (0, 1, 3, 4):
        expected[j] = best_atom(expected, A, B, j, positive)
    for update in (atom_update, atom_update.reference):
        found = update(xp.asarray(D), xp.asarray(A), xp.asarray(B), positive)
        assert xp.is_mine(found)
        np.testing.assert_allclose(xp.to_numpy(found), expected, atol=1e-10)


@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([np.float64, np.float32]))
def test_atom_update_descends_within_its_constraints(seed, positive, dtype):
    D, A, B = (part.astype(dtype) for part in _moments(seed, positive=positive))
    before = D.copy()
    for update in (atom_update, atom_update.reference):
        found = update(D, A, B, positive)
        assert found.dtype == dtype
        unit = np.finfo(dtype).eps
        size = np.abs(A).sum() + np.abs(B).sum()
        wide = [part.astype(np.float64) for part in (found, D, A, B)]
        assert quadratic(wide[0], *wide[2:]) <= quadratic(wide[1], *wide[2:]) + 8 * unit * size
        assert (np.linalg.norm(found, axis=1) <= 1 + 4 * unit).all()
        assert (found[2] == D[2]).all()
        assert not positive or (found >= 0).all()
    np.testing.assert_array_equal(D, before)


# --- a step of Adam in the unit ball ---------------------------------------------------------


def _step_arguments(dtype, n_steps=3, seed=0, n=9, m=70):
    rng = np.random.default_rng(seed)
    rows, gradient, mean = unit_atoms(rng, n, m), rng.normal(size=(n, m)), rng.normal(size=(n, m))
    gradient[2] = mean[3] = 0.0
    squares = rng.random((n, 1))
    return *(a.astype(dtype) for a in (rows, gradient, 0.1 * mean, squares)), n_steps


@every_dtype
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("rate", [0.01, 10.0])
def test_steps_in_the_ball_are_those_of_the_reference(dtype, positive, rate):
    arguments = _step_arguments(dtype)
    found = ball_step(*arguments, rate, positive)
    expected = ball_step.reference(*arguments, rate, positive)
    tolerance = 20 * np.finfo(dtype).eps
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
    norms = np.linalg.norm(found[0], axis=1)
    assert (norms <= 1 + tolerance).all()
    assert not positive or (found[0] >= 0).all()
    np.testing.assert_array_equal(arguments[0], _step_arguments(dtype)[0])  # not in place


def test_the_first_step_of_a_row_has_the_length_of_the_rate():
    rows, gradient, *_ = _step_arguments(np.float64)
    rows, zeros = 0.1 * rows, np.zeros_like(rows)
    found, _, _ = ball_step(rows, gradient, zeros, zeros[:, :1], 1, 0.01, False)
    moved = np.linalg.norm(found - rows, axis=1)
    np.testing.assert_allclose(np.delete(moved, 2), 0.01, rtol=1e-6)
    assert moved[2] == 0


@every_dtype
def test_a_row_that_is_not_finite_shows(dtype):
    rows, gradient, *others = _step_arguments(dtype)
    gradient[4, 1] = np.nan
    found, _, _ = ball_step(rows, gradient, *others, 0.1, True)
    assert np.isnan(found[4]).any()
