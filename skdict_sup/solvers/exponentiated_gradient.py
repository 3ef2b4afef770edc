"""Codes for the KL prior by exponentiated gradient descent with backtracking, as published."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from .._array import eps, namespace
from .._records import Data, Rows
from ..priors import is_entropy
from ._iterate import iterate_to_tol, stopping_certificate

_SHRINK_ABOVE = 0.6  # fraction of rejected steps above which the initial step size shrinks
_GROW_BELOW = 0.3  # and below which it grows
_SIZE_CHANGE = 0.1  # relative change of the initial step size
_AVERAGE_DECAY = 0.9  # weight of the past in the running fraction of rejected steps


@dataclass(frozen=True)
class ExponentiatedGradient:
    """First-order solver, a mirror descent for the KL prior: w_j <- w_j exp(-step gradient_j).

    Signed codes are the difference of two nonnegative ones, over [D, -D]. A step that does not
    lower the objective by half of the predicted decrease is rejected, and the step size is halved.
    The initial step size shrinks by 10 % while more than 0.6 of the recent steps were rejected,
    and grows by 10 % while fewer than 0.3 were.

    References
    ----------
    D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, equations 5 and 6, footnote 4.
    """

    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        """Whether the solver supports this transfer and prior."""
        return is_entropy(prior)

    def codes(self, problem, data, tol, init=None):
        """Codes of a slice, to a relative optimality residual of tol."""
        xp, ones = namespace(data.corr), namespace(data.corr).ones_like(data.offset)
        zero = xp.zeros_like(data.corr)
        plus = zero if init is None else problem.prior.gradient(init) / problem.prior.lam
        minus = None if problem.prior.positive else -plus  # a signed code is p (e^s - e^-s)
        state, n_iter = iterate_to_tol(
            problem,
            _evaluate(problem, data, plus, minus, ones, ones, xp.zeros_like(ones)),
            partial(_step, problem),
            tol,
            self.max_iter or 100_000,
            certify=lambda state: stopping_certificate(problem, state, state.slope),
        )
        return state.code, state.slope, n_iter


@dataclass(frozen=True, eq=False)
class _EGState(Rows):
    """Nonnegative codes of an iteration, as log(w / p), with their slope and objective."""

    data: Data
    plus: Any  # log(w / p) of the positive part
    minus: Any  # log(w / p) of the negative part; None for nonnegative codes
    plus_code: Any
    code: Any
    slope: Any
    objective: Any
    initial_size: Any  # step size after an accepted step
    step_size: Any  # size of the next step, which is smaller after rejected ones
    rejected: Any  # running fraction of rejected steps


def _evaluate(problem, data, plus, minus, initial_size, step_size, rejected):
    """State for the logarithms of two nonnegative codes."""
    xp, prior = namespace(plus), problem.prior
    mean = prior.mean(plus)
    plus_code = code = mean * xp.exp(plus)
    divergence = xp.sum(code * (plus - 1.0) + mean, axis=1)
    if minus is not None:
        minus_code = mean * xp.exp(minus)
        divergence = divergence + xp.sum(minus_code * (minus - 1.0) + mean, axis=1)
        code = code - minus_code
    slope = problem.slope(data, code)
    objective = problem.loss(data, code, slope) + prior.lam * divergence
    iterate = plus, minus, plus_code, code, slope, objective
    return _EGState(data, *iterate, initial_size, step_size, rejected)


def _step(problem, state):
    """State after a trial step, which is accepted or rejected for each signal."""
    xp, lam = namespace(state.code), problem.prior.lam
    size, initial_size = state.step_size[:, None], state.initial_size
    plus = state.plus - size * (lam * state.plus - state.slope)
    minus = state.minus
    if minus is not None:
        minus = minus - size * (lam * minus + state.slope)
    settings = initial_size, state.step_size, state.rejected
    trial = _evaluate(problem, state.data, plus, minus, *settings)
    accepted = _is_accepted(lam, state, trial)
    is_rejected = xp.astype(~accepted, size.dtype)
    rejected = _AVERAGE_DECAY * state.rejected + (1 - _AVERAGE_DECAY) * is_rejected
    shrunk = xp.where(rejected > _SHRINK_ABOVE, (1 - _SIZE_CHANGE) * initial_size, initial_size)
    initial_size = xp.where(rejected < _GROW_BELOW, (1 + _SIZE_CHANGE) * initial_size, shrunk)

    def chosen(name):
        new, old = getattr(trial, name), getattr(state, name)
        if new is None:
            return None
        return xp.where(accepted[:, None] if new.ndim == 2 else accepted, new, old)

    names = "plus", "minus", "plus_code", "code", "slope", "objective"
    return replace(
        state,
        **{name: chosen(name) for name in names},
        initial_size=initial_size,
        step_size=xp.where(accepted, initial_size, 0.5 * state.step_size),
        rejected=rejected,
    )


def _is_accepted(lam, state, trial):
    """Whether the objective decreases by half of the predicted decrease.

    With less than that, steps may alternate between two sides of the minimum forever. Where
    rounding hides the decrease, the derivative at the end of the step decides, by convexity.
    """
    xp = namespace(state.code)
    plus_move, minus_move = trial.plus_code - state.plus_code, None
    if trial.minus is not None:
        minus_move = (trial.plus_code - trial.code) - (state.plus_code - state.code)
    predicted = _directional_derivative(lam, state, plus_move, minus_move)
    change = trial.objective - state.objective
    decreases = change <= 0.5 * predicted
    magnitude = xp.abs(state.objective) + xp.abs(state.data.offset)
    rounding = 16 * eps(state.code) * magnitude
    is_hidden = xp.abs(change) <= rounding
    if not bool(xp.any(is_hidden)):
        return decreases
    derivative = _directional_derivative(lam, trial, plus_move, minus_move)
    return xp.where(is_hidden, derivative <= 0, decreases)


def _directional_derivative(lam, state, plus_move, minus_move):
    """Derivative of the objective along changes of the positive and negative parts."""
    xp = namespace(state.code)
    derivative = xp.sum((lam * state.plus - state.slope) * plus_move, axis=1)
    if minus_move is not None:
        minus_gradient = lam * state.minus + state.slope
        derivative = derivative + xp.sum(minus_gradient * minus_move, axis=1)
    return derivative
