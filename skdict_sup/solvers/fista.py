"""Codes by accelerated proximal gradient (FISTA) with restarts: one matrix product per step."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from .._array import eps, namespace
from .._records import Data, Rows
from ..priors import free_atoms, has_prox
from ._iterate import gradient_step, iterate_to_tol, weighted_step

_TEST_EVERY = 10  # steps between two stopping tests, which take a product with the Gram matrix


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
        """Whether the solver supports this transfer and prior."""
        # without penalty, no residual of another transfer is dual feasible
        return has_prox(prior) and (reconstruction.quadratic or not len(free_atoms(prior)))

    def codes(self, problem, data, tol, init=None):
        """Codes of a slice, to tol by the measure of `Problem.converged`."""
        xp, like = namespace(data.corr), data.offset
        code = xp.zeros_like(data.corr) if init is None else problem.prior.prox(init, 0.0)
        step = partial(_step, problem, gradient_step(problem))
        state = _FISTAState(data, code, code, xp.ones_like(like), xp.full_like(like, xp.inf))
        state, n_iter = iterate_to_tol(
            problem,
            state,
            step,
            tol,
            self.max_iter or 100_000,
            is_stalled=_is_stalled,
            every=_TEST_EVERY,
        )
        return state.code, problem.slope(state.data, state.code), n_iter


@dataclass(frozen=True, eq=False)
class _FISTAState(Rows):
    """Codes and momentum of an iteration."""

    data: Data
    code: Any
    point: Any  # the extrapolated point, where the next gradient is taken
    momentum: Any
    change: Any  # largest change of an entry by the last step


def _is_stalled(state):
    """Whether the last step was below the rounding error of the code."""
    xp, code = namespace(state.code), state.code
    return state.change <= eps(code) * xp.max(xp.abs(code), axis=1)


def _step(problem, step_size, state):
    """One accelerated proximal-gradient step, with restart."""
    xp, momentum = namespace(state.code), state.momentum
    step_size = weighted_step(step_size, state.data)
    slope = problem.slope(state.data, state.point)
    code = problem.prior.prox(state.point + step_size * slope, step_size)
    change = code - state.code
    # a signal restarts without momentum where the momentum increases the objective
    is_restart = xp.sum((state.point - code) * change, axis=1) > 0
    increased = 0.5 * (1 + xp.sqrt(1 + 4 * momentum**2))
    next_momentum = xp.where(is_restart, xp.ones_like(momentum), increased)
    weight = xp.where(is_restart, xp.zeros_like(momentum), (momentum - 1) / next_momentum)
    point = code + weight[:, None] * change
    largest = xp.max(xp.abs(change), axis=1)
    return _FISTAState(state.data, code, point, next_momentum, largest)
