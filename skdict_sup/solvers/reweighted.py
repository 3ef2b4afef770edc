"""Stationary codes for concave powers, by reweighted l1."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from .._array import namespace
from .._records import Data, Rows
from ..priors import ElasticNet, is_convex, is_power
from ._iterate import gradient_step, iterate_to_tol, weighted_step
from .homotopy import Homotopy

_TEST_EVERY = 10  # steps between two stopping tests, which take a product with the Gram matrix


@dataclass(frozen=True)
class Reweighted:
    """Local method: each step soft-thresholds by the derivative of the prior at the last code.

    The initial codes are the l1 codes of the same weight. An entry that becomes zero remains zero.

    References
    ----------
    E. Candes, M. Wakin, S. Boyd, "Enhancing sparsity by reweighted l1 minimization", 2008.
    """

    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        """Whether the solver supports this transfer and prior."""
        return reconstruction.quadratic and is_power(prior) and not is_convex(prior)

    def codes(self, problem, data, tol, init=None):
        """Codes of a slice, to a relative optimality residual of tol."""
        if init is None:
            l1 = problem.with_prior(ElasticNet(problem.prior.lam))
            init, _, _ = Homotopy().codes(l1, data, tol)
        state, n_iter = iterate_to_tol(
            problem,
            _ReweightedState(data, init),
            partial(_step, problem, gradient_step(problem)),
            tol,
            self.max_iter or 100_000,
            every=_TEST_EVERY,
        )
        return state.code, problem.slope(state.data, state.code), n_iter


@dataclass(frozen=True, eq=False)
class _ReweightedState(Rows):
    """Codes of an iteration."""

    data: Data
    code: Any


def _step(problem, step_size, state):
    """One proximal-gradient step for the l1 norm weighted by the derivative of the prior."""
    xp, code = namespace(state.code), state.code
    step_size = weighted_step(step_size, state.data)
    point = code + step_size * problem.slope(state.data, code)
    magnitude = xp.abs(point) - step_size * xp.abs(problem.prior.gradient(code))
    is_zero = (magnitude <= 0) | (code == 0)
    code = xp.where(is_zero, xp.zeros_like(code), xp.sign(point) * magnitude)
    return _ReweightedState(state.data, code)
