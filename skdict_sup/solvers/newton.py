"""Codes for smooth priors by Newton's method along the curve of w and phi'(w)."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from .._array import device_of, eps, namespace, set_rows, take_rows, to_numpy
from .._records import Data, Rows
from ..kernels import kl_codes
from ..priors import is_convex, is_positive, kl_weights, scaled, weight_of
from ._iterate import iterate

_DESCENT = 1e-4  # share of the predicted decrease that a step must reach
_HALVINGS = 30
_FORCING = 1e-4  # accuracy of the linear systems: an error of a step is left to the next one
_TINY = 1e-4  # lam relative to the largest correlation, below which larger ones come first:
_FACTOR = 10.0  # so many times larger
_RUNGS = 13  # at most: beyond, the least weight is lost in the rounding of correlations
_PATIENCE = 12  # iterations without progress after which these floats get no further


@dataclass(frozen=True)
class Newton:
    """Second-order solver: few iterations, with a linear system for each signal in each.

    The unknown is the rate s = phi'(w), and w follows. Where an entry shrinks a step is linear in
    s, where it grows in w: either cannot overshoot for a single entry, since phi' rises fast near
    zero and slowly beyond. A step is halved until the objective decreases, as it does for short
    ones, which set off in a direction of descent.

    References
    ----------
    D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, equations 6 and 9.
    """

    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        """Whether this solver is for such problems."""
        return prior.smooth and is_convex(prior)

    def codes(self, problem, data, tol, init=None):
        """Codes of a slice, to a relative optimality residual of tol."""
        if init is None:
            init = _approach(problem, data)
        limit, weights = self.max_iter or 1000, kl_weights(problem.prior, data.corr)
        compiled = problem.reconstruction.quadratic and kl_codes.compiled(data.corr)
        if weights is not None and compiled:  # the same
            return kl_codes(problem.gram, data.corr, data.offset, *weights, tol, init, limit)
        points = _start(problem, data, init)
        points, n_iter = iterate(points, partial(_step, problem), partial(_done, tol), limit)
        return points.code, points.slope, n_iter


def _approach(problem, data):
    """Codes to start from: where phi' is zero, or for tiny lam, codes of larger ones.

    Each signal has the rungs lam * FACTOR^k below a fraction of its largest correlation, which
    depend on it alone.
    """
    xp, prior = namespace(data.corr), problem.prior
    code = prior.code_at(xp.zeros_like(data.corr))
    top = to_numpy(xp.max(xp.abs(data.corr), axis=1)).astype(np.float64)
    room = np.maximum(_TINY * top / weight_of(prior, np.inf), 1.0)
    rungs = np.minimum(np.floor(np.log(room) / np.log(_FACTOR)), _RUNGS).astype(int)
    for rung in range(rungs.max(initial=0), 0, -1):
        rows = (rungs >= rung).nonzero()[0]
        easier = problem.with_prior(scaled(prior, _FACTOR**rung))
        points = _start(easier, data.rows(rows), take_rows(code, rows))
        near = partial(_near, easier.prior.lam)
        points, _ = iterate(points, partial(_step, easier), near, 50)
        code = set_rows(code, points.code, rows)
    return code


@dataclass(frozen=True, eq=False)
class _NewtonState(Rows):
    """Codes on the way, with rate = phi'(code), and all that follows from them."""

    data: Data
    code: Any
    rate: Any
    slope: Any
    objective: Any
    residual: Any
    stale: Any  # steps without progress


def _done(tol, points):
    return (points.residual <= tol) | _stuck(points)


def _stuck(points):
    """Whether these floats get no further."""
    return (points.stale >= _PATIENCE) | ~namespace(points.code).isfinite(points.objective)


def _start(problem, data, init):
    """Points at given codes."""
    xp = namespace(init)
    code = xp.abs(init) if is_positive(problem.prior) else init
    stale = xp.zeros(code.shape[0], dtype=xp.int64, device=device_of(code))
    return _at(problem, data, code, problem.prior.gradient(code), stale)


def _at(problem, data, code, rate, stale):
    xp = namespace(code)
    slope = problem.slope(data, code)
    objective = problem.objective(data, code, slope)
    top = xp.max(xp.abs(data.corr), axis=1)
    residual = xp.max(problem.prior.stationarity(code, slope), axis=1)
    residual = residual / xp.where(top > 0, top, xp.ones_like(top))
    return _NewtonState(data, code, rate, slope, objective, residual, stale)


def _near(lam, points):
    """Whether codes are near enough to optimal ones for a tenth of their lam to start there."""
    xp = namespace(points.code)
    near = points.residual * xp.max(xp.abs(points.data.corr), axis=1) <= 0.3 * lam
    return near | _stuck(points)


def _step(problem, points):
    """Points after one step each."""
    xp, prior = namespace(points.code), problem.prior
    excess = points.slope - points.rate
    move, curvature, support = problem.newton_system(points.code, excess, _FORCING)
    diagonal = problem.diagonal(points.code)
    # curvature * move, written so that errors of the system are not multiplied by large numbers
    turn = xp.where(
        support & (curvature < diagonal),
        curvature * move,
        excess - problem.product(move, points.code),
    )
    room = prior.reach(1.0 / xp.where(diagonal > 0, diagonal, xp.ones_like(diagonal)))
    code, rate = _moved(prior, points, turn, room)
    found = _at(problem, points.data, code, rate, points.stale)
    rows, length, good = np.arange(points.n_rows), 1.0, to_numpy(_descends(points, found, excess))
    for _ in range(1, _HALVINGS):
        if good.all():
            break
        kept = (~good).nonzero()[0]
        rows, length = rows[kept], 0.5 * length
        turn, excess = take_rows(turn, kept), take_rows(excess, kept)
        room = take_rows(room, kept) if room.shape[0] > 1 else room
        part = points.rows(rows)
        code, rate = _moved(prior, part, length * turn, room)
        trial = _at(problem, part.data, code, rate, part.stale)
        good = to_numpy(_descends(part, trial, excess))
        found = found.put(trial, rows)
    # a residual may rise on the way; then the objective tells
    falls = found.objective < points.objective - _rounding(points)
    better = falls | (found.residual < 0.9 * points.residual)
    stale = xp.where(better, xp.zeros_like(points.stale), points.stale + 1)
    return replace(found, stale=stale)


def _moved(prior, points, turn, room):
    """Codes and rates along the curve: by `turn` in the rate, but by no more than the tangent.

    Up to `room` growth is free: there the curvature of the prior outweighs the loss's.
    """
    xp = namespace(turn)
    target = points.rate + turn
    code = prior.code_at(target)
    zero = xp.zeros_like(code)
    crosses = xp.sign(points.code) * code < 0
    base, rate = xp.where(crosses, zero, points.code), xp.where(crosses, zero, points.rate)
    tangent = xp.abs(base + prior.mobility(base) * (target - rate))
    bound = xp.maximum(tangent, xp.minimum(xp.abs(code), room))
    far = (xp.abs(code) > xp.abs(base)) & (xp.abs(code) > bound)
    code = xp.where(far, xp.sign(code) * bound, code)
    return code, xp.where(far, prior.gradient(code), target)


def _descends(points, trial, excess):
    """Whether the objective decreases by its share of the prediction.

    Where rounding hides that, the derivatives at both ends of the step tell, as of a parabola.
    """
    xp = namespace(excess)
    move = trial.code - points.code
    predicted = xp.sum(excess * move, axis=1)
    change = trial.objective - points.objective
    enough = change <= -_DESCENT * xp.maximum(predicted, xp.zeros_like(predicted))
    close = xp.abs(change) <= _rounding(points)
    falls = predicted + xp.sum((trial.slope - trial.rate) * move, axis=1) >= 0
    return enough | (close & falls) | (trial.residual <= 0.5 * points.residual)


def _rounding(points):
    """How far rounding can move an objective."""
    xp = namespace(points.code)
    parts = xp.abs(points.data.offset) + xp.abs(points.objective)
    return 16 * eps(points.code) * (parts + xp.sum(xp.abs(points.code * points.slope), axis=1))
