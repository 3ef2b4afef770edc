"""Wider floats where short ones do not carry: hard signals, and extreme scales."""

import numpy as np

from .._array import has_float64, namespace
from ..problem import Problem
from .coordinate_descent import CoordinateDescent

_EXTREME = 2.0**40  # beyond it, and below its inverse, sums of squares may leave float32


def is_extreme(*arrays):
    """Whether float32 arrays hold a scale at which sums of their squares overflow or vanish."""
    return any(_is_extreme(array) for array in arrays)


def _is_extreme(array):
    xp = namespace(array)
    if array.dtype != xp.float32 or not has_float64(array) or 0 in array.shape:
        return False
    top = max(float(xp.max(array)), -float(xp.min(array)))  # abs would copy a whole data set
    return top > _EXTREME or 0 < top < 1 / _EXTREME


def widen(problem, *arrays):
    """The problem and arrays in float64, or as they are on devices that have none."""
    xp = namespace(problem.dictionary)
    if not has_float64(problem.dictionary):
        return problem, *arrays
    wide = Problem(
        problem.reconstruction, problem.prior, xp.astype(problem.dictionary, xp.float64)
    )
    return wide, *(None if a is None else _astype(a, xp.float64) for a in arrays)


def narrow(array, dtype):
    """An array back in its dtype; what is beyond its range becomes infinite without a word."""
    with np.errstate(over="ignore"):
        return _astype(array, dtype)


def _astype(array, dtype):
    if hasattr(array, "tocsr"):
        return array.astype(dtype)
    return namespace(array).astype(array, dtype, copy=False)


def second_way(problem, X, solver, tol, converged):
    """Codes and certificates of the few signals that a solver left above the tolerance.

    Once more in float64; elastic-net codes that still fail, for atoms that nearly depend on each
    other, by coordinate descent, which divides by no pivot.
    """
    xp = namespace(X)
    wide, X = widen(problem, X)
    corr, energy = wide.corr(X), wide.energy(X)
    code, slope, _ = solver.codes(wide, corr, energy, tol, None)
    found = wide.certificate(corr, energy, code, slope)
    worse = ~converged(found) | ~(found.duality_gap < xp.inf)
    can = CoordinateDescent.handles(problem.reconstruction, problem.prior)
    if can and bool(xp.any(worse)) and not isinstance(solver, CoordinateDescent):
        other, slope, _ = CoordinateDescent(max_iter=20_000).codes(wide, corr, energy, tol)
        second = wide.certificate(corr, energy, other, slope)
        better = worse & ~(second.duality_gap > found.duality_gap)
        code = xp.where(better[:, None], other, code)
        found = [xp.where(better, b, a) for a, b in zip(found, second, strict=True)]
    dtype = problem.dictionary.dtype
    return narrow(code, dtype), [narrow(column, dtype) for column in found]
