"""Codes by accelerated proximal gradient (FISTA) with restarts, one matrix product a step."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from .._array import eps, namespace
from .._records import Data, Rows
from ..certificate import certificate
from ..priors import has_prox
from ._iterate import gradient_step, iterate

_CHECK = 10  # steps between two looks at the duality gap


@dataclass(frozen=True)
class FISTA:
    """First-order solver for priors with a proximal map, and any transfer.

    References
    ----------
    A. Beck, M. Teboulle, "A fast iterative shrinkage-thresholding algorithm", 2009;
    B. O'Donoghue, E. Candes, "Adaptive restart for accelerated gradient schemes", 2015.
    """

    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        """Whether this solver is for such problems."""
        return has_prox(prior)

    def codes(self, problem, data, tol, init=None):
        """Codes of a slice, to a relative duality gap of tol."""
        xp, like = namespace(data.corr), data.offset
        code = xp.zeros_like(data.corr) if init is None else problem.prior.prox(init, 0.0)
        step = partial(_step, problem, gradient_step(problem))
        points = _FISTAState(data, code, code, xp.ones_like(like), xp.full_like(like, xp.inf))
        limit = self.max_iter or 100_000
        points, n_iter = iterate(points, step, partial(_done, problem, tol), limit, every=_CHECK)
        return points.code, problem.slope(points.data, points.code), n_iter


@dataclass(frozen=True, eq=False)
class _FISTAState(Rows):
    data: Data
    code: Any
    point: Any  # where the next step starts: beyond the code, by the momentum
    momentum: Any
    change: Any  # largest, by the last step


def _done(problem, tol, points):
    xp, code = namespace(points.code), points.code
    slope = problem.slope(points.data, code)
    found = certificate(problem, points.data, code, slope, counted=False)
    # a step below rounding: these floats get no further
    resting = points.change <= eps(code) * xp.max(xp.abs(code), axis=1)
    return (found.duality_gap <= tol) | resting


def _step(problem, step, points):
    xp, momentum = namespace(points.code), points.momentum
    slope = problem.slope(points.data, points.point)
    following = problem.prior.prox(points.point + step * slope, step)
    change = following - points.code
    # the momentum points uphill: start it again, signal by signal
    uphill = xp.sum((points.point - following) * change, axis=1) > 0
    grown = xp.where(uphill, xp.ones_like(momentum), 0.5 * (1 + xp.sqrt(1 + 4 * momentum**2)))
    weight = xp.where(uphill, xp.zeros_like(momentum), (momentum - 1) / grown)
    point = following + weight[:, None] * change
    largest = xp.max(xp.abs(change), axis=1)
    return _FISTAState(points.data, following, point, grown, largest)
