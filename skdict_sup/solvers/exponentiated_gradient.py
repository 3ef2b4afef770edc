"""Codes for the KL prior by exponentiated gradient descent with backtracking, as published."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from .._array import eps, namespace
from .._records import Data, Rows
from ..priors import is_entropy
from ._iterate import iterate

_OFTEN, _SELDOM = 0.6, 0.3  # shares of backtracking beyond which the step size changes
_CHANGE = 0.1
_MEMORY = 0.9  # weight of the past in the running share


@dataclass(frozen=True)
class ExponentiatedGradient:
    """First-order solver, the natural one for the KL prior: w_j <- w_j exp(-step gradient_j).

    Signed codes are the difference of two nonnegative ones, over [D, -D]. A step that does not
    lower the objective by half of what the gradient predicts is taken back and halved. The size
    that steps set out with falls by 10 % while more than 0.6 of the recent steps were taken back,
    and grows by 10 % while fewer than 0.3 were.

    References
    ----------
    D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, equations 5 and 6, footnote 4.
    """

    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        """Whether this solver is for such problems."""
        return is_entropy(prior)

    def codes(self, problem, data, tol, init=None):
        """Codes of a slice, to a relative optimality residual of tol."""
        xp, ones = namespace(data.corr), namespace(data.corr).ones_like(data.offset)
        zero = xp.zeros_like(data.corr)
        rate = zero if init is None else problem.prior.gradient(init) / problem.prior.lam
        other = None if problem.prior.positive else -rate  # a signed code is p (e^s - e^-s)
        points = _at(problem, data, rate, other, ones, ones, xp.zeros_like(ones))
        limit = self.max_iter or 100_000
        points, n_iter = iterate(
            points, partial(_step, problem), partial(_done, problem, tol), limit
        )
        return points.code, points.slope, n_iter


@dataclass(frozen=True, eq=False)
class _EGState(Rows):
    """Nonnegative codes on the way, as log(w / p), and what follows from them."""

    data: Data
    plus: Any
    minus: Any  # None where codes are nonnegative
    plus_code: Any
    code: Any
    slope: Any
    objective: Any
    size: Any  # of steps when they set out
    step: Any  # the next one: shorter while steps are taken back
    share: Any  # of steps taken back, lately


def _at(problem, data, plus, minus, size, step, share):
    xp, prior = namespace(plus), problem.prior
    mean = prior.mean(plus)
    plus_code = code = mean * xp.exp(plus)
    distance = xp.sum(code * (plus - 1.0) + mean, axis=1)
    if minus is not None:
        other = mean * xp.exp(minus)
        distance = distance + xp.sum(other * (minus - 1.0) + mean, axis=1)
        code = code - other
    slope = problem.slope(data, code)
    objective = problem.loss(data, code, slope) + prior.lam * distance
    found = plus, minus, plus_code, code, slope, objective
    return _EGState(data, *found, size, step, share)


def _done(problem, tol, points):
    xp = namespace(points.code)
    violation = xp.max(problem.prior.stationarity(points.code, points.slope), axis=1)
    return violation <= tol * xp.max(xp.abs(points.data.corr), axis=1)


def _step(problem, points):
    """One trial for each signal: taken, or taken back."""
    xp, lam = namespace(points.code), problem.prior.lam
    step = points.step[:, None]
    plus = points.plus - step * (lam * points.plus - points.slope)
    minus = points.minus
    if minus is not None:
        minus = minus - step * (lam * minus + points.slope)
    trial = _at(problem, points.data, plus, minus, points.size, points.step, points.share)
    taken = _descends(lam, points, trial)
    share = _MEMORY * points.share + (1 - _MEMORY) * xp.astype(~taken, step.dtype)
    shrunk = xp.where(share > _OFTEN, (1 - _CHANGE) * points.size, points.size)
    size = xp.where(share < _SELDOM, (1 + _CHANGE) * points.size, shrunk)

    def kept(name):
        a, b = getattr(trial, name), getattr(points, name)
        return a if a is None else xp.where(taken[:, None] if a.ndim == 2 else taken, a, b)

    changed = "plus", "minus", "plus_code", "code", "slope", "objective"
    settings = {"size": size, "step": xp.where(taken, size, 0.5 * points.step), "share": share}
    return replace(points, **{name: kept(name) for name in changed}, **settings)


def _descends(lam, points, trial):
    """Whether the objective falls by half of what its slope predicts.

    Less than that may mean steps from one side of the minimum to the other, for ever. Where
    rounding hides the fall, the slope at the end says whether it is there, by convexity.
    """
    xp = namespace(points.code)
    plus, minus = trial.plus_code - points.plus_code, None
    if trial.minus is not None:
        minus = (trial.plus_code - trial.code) - (points.plus_code - points.code)
    predicted = _slope_along(lam, points, plus, minus)
    change = trial.objective - points.objective
    falls = change <= 0.5 * predicted
    size = xp.abs(points.objective) + xp.abs(points.data.offset)
    rounding = 16 * eps(points.code) * size
    close = xp.abs(change) <= rounding
    if not bool(xp.any(close)):
        return falls
    return xp.where(close, _slope_along(lam, trial, plus, minus) <= 0, falls)


def _slope_along(lam, points, plus, minus):
    """Derivative of the objective along a change of the halves."""
    xp = namespace(points.code)
    along = xp.sum((lam * points.plus - points.slope) * plus, axis=1)
    if minus is not None:
        along = along + xp.sum((lam * points.minus + points.slope) * minus, axis=1)
    return along
