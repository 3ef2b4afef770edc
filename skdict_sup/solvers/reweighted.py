"""Stationary codes for concave powers, by reweighted l1."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from .._array import namespace
from ..priors import ElasticNet, Lp
from ..problem import Problem
from ..reconstruction import Linear
from ._batch import Points, gradient_step, iterate
from .homotopy import Homotopy


@dataclass(frozen=True)
class Reweighted:
    """Local method: each step shrinks by the slope that the prior has at the last code.

    The l1 codes of the same weight are the start; an entry that has become zero stays there.

    References
    ----------
    E. Candes, M. Wakin, S. Boyd, "Enhancing sparsity by reweighted l1 minimization", 2008.
    """

    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        """Whether this solver is for such problems."""
        concave = isinstance(prior, Lp) and prior.exponent < 1
        return concave and isinstance(reconstruction, Linear)

    def codes(self, problem, corr, energy, tol, init=None):
        """Codes of a slice, to a relative optimality residual of tol."""
        if init is None:
            l1 = ElasticNet(problem.prior.lam)
            start = Problem(problem.reconstruction, l1, problem.dictionary)
            init, _, _ = Homotopy().codes(start, corr, energy, tol)
        points, n_iter = iterate(
            _Shrunk(corr, init),
            partial(_step, problem, gradient_step(problem)),
            partial(_done, problem, tol),
            self.max_iter or 100_000,
            every=10,
        )
        slope = problem.reconstruction.slope(points.corr, points.code, problem)
        return points.code, slope, n_iter


@dataclass(frozen=True, eq=False)
class _Shrunk(Points):
    corr: Any
    code: Any


def _done(problem, tol, points):
    xp = namespace(points.code)
    slope = problem.reconstruction.slope(points.corr, points.code, problem)
    violation = xp.max(problem.prior.stationarity(points.code, slope), axis=1)
    return violation <= tol * xp.max(xp.abs(points.corr), axis=1)


def _step(problem, step, points):
    xp, code = namespace(points.code), points.code
    moved = code + step * problem.reconstruction.slope(points.corr, code, problem)
    size = xp.abs(moved) - step * xp.abs(problem.prior.gradient(code))
    stays = (size <= 0) | (code == 0)
    return _Shrunk(points.corr, xp.where(stays, xp.zeros_like(code), xp.sign(moved) * size))
