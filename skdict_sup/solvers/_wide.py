"""Wider floats where short ones do not carry: hard signals, and extreme scales."""

from .._array import (
    astype_like,
    device_of,
    has_float64,
    namespace,
    narrow,
    put_rows,
    take_rows,
    to_numpy,
)
from ..certificate import careful_certificate, narrowed_certificate
from ..problem import Problem, narrowed
from .coordinate_descent import CoordinateDescent
from .homotopy import Homotopy

_DESCENT = CoordinateDescent(max_iter=20_000)
_EXTREME = 2.0**40  # beyond it, and below its inverse, sums of squares may leave float32


def may_overflow(array):
    """Whether squares may leave the range of the dtype of an array, and float64 is there."""
    return array.dtype == namespace(array).float32 and has_float64(array)


def magnitude(array):
    """Largest magnitude, as an array without dimensions; not finite where the array is not."""
    xp = namespace(array)
    if 0 in array.shape:
        return xp.zeros((), dtype=array.dtype, device=device_of(array))
    return xp.max(xp.stack([xp.max(array), -xp.min(array)]))  # abs would copy a whole data set


def row_sizes(X):
    """Largest magnitude of each signal; not finite where the signal is not."""
    xp = namespace(X)
    return xp.maximum(xp.max(X, axis=1), -xp.min(X, axis=1))


def is_extreme(magnitude):
    """Whether sums of squares at this scale overflow or vanish in float32."""
    return (magnitude > _EXTREME) | ((magnitude > 0) & (magnitude < 1 / _EXTREME))


def widen(problem, *arrays):
    """The problem and arrays in float64, or as they are on devices that have none."""
    wide = problem.wide
    if wide is problem:
        return problem, *arrays
    return wide, *(None if a is None else _astype(a, wide.dictionary.dtype) for a in arrays)


def _astype(array, dtype):
    if hasattr(array, "tocsr"):
        return array.astype(dtype)
    return namespace(array).astype(array, dtype, copy=False)


def second_way(problem, X, solver, tol, converged):
    """Codes and certificates of the few signals that a solver left above the tolerance.

    Once more in float64; elastic-net codes that still fail, for atoms that nearly depend on each
    other, by coordinate descent, which divides by no pivot: on the host, for it is sequential.
    """
    xp = namespace(X)
    wide, X = widen(problem, X)
    code, found = _certified(wide, X, solver, tol)
    worse = to_numpy(~converged(found) | ~(found.duality_gap < xp.inf))
    can = CoordinateDescent.handles(problem.reconstruction, problem.prior)
    if can and worse.any():
        other = Homotopy() if isinstance(solver, CoordinateDescent) else _DESCENT
        rows = worse.nonzero()[0]
        host = Problem(problem.reconstruction, problem.prior, to_numpy(wide.dictionary))
        host, rest = widen(host, to_numpy(take_rows(X, rows)))
        second_code, second = _certified(host, rest, other, tol)
        # gaps that are no proof order nothing; objectives do
        before = to_numpy(found.objective)[rows]
        better = converged(second) | ~(second.objective >= before)
        pairs = zip((code, *found), (second_code, *second), strict=True)
        code, *found = (put_rows(a, astype_like(b[better], a), rows[better]) for a, b in pairs)
    if code.dtype != problem.dictionary.dtype:
        return narrowed_codes(problem, X, code)
    return code, found


def narrowed_codes(problem, X, code):
    """Codes that were found in float64 in the dtype of the problem, and their certificate."""
    short = narrow(code, problem.dictionary.dtype)
    return short, narrowed(narrowed_certificate(problem.wide, X, code, short), short)


def _certified(problem, X, solver, tol):
    code, _, _ = solver.codes(problem, problem.corr(X), problem.energy(X), 0.5 * tol, None)
    return code, careful_certificate(problem, X, code)
