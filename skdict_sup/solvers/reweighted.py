"""Stationary codes for concave powers, by reweighted l1."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from .._array import namespace
from .._records import Data, Rows
from ..priors import ElasticNet, is_convex, is_power
from ._iterate import gradient_step, iterate
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
        return reconstruction.quadratic and is_power(prior) and not is_convex(prior)

    def codes(self, problem, data, tol, init=None):
        """Codes of a slice, to a relative optimality residual of tol."""
        if init is None:
            l1 = problem.with_prior(ElasticNet(problem.prior.lam))
            init, _, _ = Homotopy().codes(l1, data, tol)
        points, n_iter = iterate(
            _ReweightedState(data, init),
            partial(_step, problem, gradient_step(problem)),
            partial(_done, problem, tol),
            self.max_iter or 100_000,
            every=10,
        )
        return points.code, problem.slope(points.data, points.code), n_iter


@dataclass(frozen=True, eq=False)
class _ReweightedState(Rows):
    data: Data
    code: Any


def _done(problem, tol, points):
    xp = namespace(points.code)
    slope = problem.slope(points.data, points.code)
    violation = xp.max(problem.prior.stationarity(points.code, slope), axis=1)
    return violation <= tol * xp.max(xp.abs(points.data.corr), axis=1)


def _step(problem, step, points):
    xp, code = namespace(points.code), points.code
    moved = code + step * problem.slope(points.data, code)
    size = xp.abs(moved) - step * xp.abs(problem.prior.gradient(code))
    stays = (size <= 0) | (code == 0)
    return _ReweightedState(
        points.data, xp.where(stays, xp.zeros_like(code), xp.sign(moved) * size)
    )
