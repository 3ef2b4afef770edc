"""Codes for elastic nets with any transfer, by Newton's method on the orthant of a code."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._array import device_of, namespace, to_numpy
from .._newton import MAX_TRIALS, PATIENCE, ROUNDING_UNITS, SUFFICIENT_DECREASE
from .._records import Data, Rows
from ..certificate import certificate
from ..priors import free_atoms, is_plain_elastic_net
from ._iterate import coarse_codes, iterate_in_stages

_NEAR_ZERO = 1e-2  # largest entries, relative to that of the code, that count as near zero

_DAMPING = 1e-3  # curvature that is added far from the optimum, relative to the largest one
_ENTRY = 0.5  # violation, relative to the largest one, at which a zero enters


@dataclass(frozen=True)
class ProjectedNewton:
    """Second-order solver for elastic nets: the loss is smooth while no entry changes sign.

    In the orthant of the code (for zeros, of the gradient) the objective is twice differentiable.
    A step solves Newton's equation for the entries that are nonzero or leave zero, and entries
    that would cross zero stop there. Entries near zero that shrink take a step of their own, by
    the diagonal, since the projection of a joint step may point uphill.

    References
    ----------
    D. Bertsekas, "Projected Newton methods for optimization problems with simple constraints",
    1982; G. Andrew, J. Gao, "Scalable training of l1-regularized log-linear models", 2007.
    """

    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        """Whether the solver supports this transfer and prior."""
        if reconstruction.quadratic:  # homotopy is exact, and faster
            return False
        return is_plain_elastic_net(prior) and not len(free_atoms(prior))

    def codes(self, problem, data, tol, init=None):
        """Codes of a slice, to tol by the measure of `Problem.converged`."""
        xp = namespace(data.corr)
        if init is None:
            init = coarse_codes(problem, data, xp.zeros_like(data.corr), _start, _step)
        state, n_iter = iterate_in_stages(
            problem,
            data,
            problem.prior.prox(init, 0.0),
            _start,
            _step,
            tol,
            self.max_iter or 1000,
            certify=_certificate,
            is_stalled=_is_stalled,
        )
        return state.code, state.slope, n_iter


@dataclass(frozen=True, eq=False)
class _State(Rows):
    """Codes of an iteration, with their slopes and objectives."""

    data: Data
    code: Any
    slope: Any
    loss: Any
    objective: Any
    kkt_residual: Any
    n_stalled: Any  # iterations in a row without progress


def _start(problem, data, code):
    xp = namespace(code)
    n_stalled = xp.zeros(code.shape[0], dtype=xp.int64, device=device_of(code))
    return _evaluate(problem, data, code, n_stalled)


def _evaluate(problem, data, code, n_stalled):
    slope, loss = problem.evaluate(data, code)
    residual = data.relative_residual(problem.prior.stationarity(code, slope))
    return _State(data, code, slope, loss, loss + problem.prior.value(code), residual, n_stalled)


def _is_stalled(state):
    """Whether no further progress is possible in the precision of the codes."""
    return (state.n_stalled >= PATIENCE) | ~namespace(state.code).isfinite(state.objective)


def _certificate(problem, state):
    """Certificate of a state for the stopping test, without rounding errors."""
    arrays = state.data, state.code, state.slope
    return certificate(problem, *arrays, counted=False, value=state.loss)


def _pull(prior, code, slope):
    """Steepest descent of the objective, entry by entry, and the sign of its orthant."""
    xp, lam = namespace(code), prior.weight(code)
    gradient = slope - prior.lam2 * code
    is_zero = code == 0
    sign = xp.ones_like(code) if prior.positive else xp.sign(xp.where(is_zero, gradient, code))
    pull = gradient - lam * sign
    return xp.where(is_zero & (pull * sign <= 0), xp.zeros_like(pull), pull), sign


def _step(problem, state):
    """State after a projected Newton step for each signal."""
    xp, prior, code = namespace(state.code), problem.prior, state.code
    pull, sign = _pull(prior, code, state.slope)
    hessian = problem.hessian(state.data, code, state.slope, state.loss)
    zero = xp.zeros_like(code)
    diagonal = hessian.diagonal + prior.lam2 + zero
    single = pull / xp.where(diagonal > 0, diagonal, zero + 1.0)
    stops = (prior.weight(code) > 0) | prior.positive | (zero > 0)  # zero is a kink or a bound
    change = xp.max(xp.abs(_stopped(code + single, sign, stops) - code), axis=1)
    near = xp.minimum(change, _NEAR_ZERO * xp.max(xp.abs(code), axis=1))[:, None]
    is_near = stops & (code != 0) & (xp.abs(code) <= near) & (pull * sign < 0)
    at_zero = xp.where(code == 0, xp.abs(pull), zero)
    enters = (at_zero > 0) & (at_zero >= _ENTRY * xp.max(at_zero, axis=1, keepdims=True))
    support = ((code != 0) | enters) & ~is_near
    # without curvature, a joint step would go far along directions of which nothing is known
    far = xp.minimum(state.kkt_residual, xp.ones_like(state.kkt_residual))[:, None]
    damping = _DAMPING * xp.max(diagonal, axis=1, keepdims=True) * far
    joint = hessian.solve(prior.lam2 + damping, support, pull, hessian.tol)
    move = _Move(xp.where(is_near, single, joint), pull, sign, stops, is_near)
    after = _search(problem, state, move)
    decreases = after.objective < state.objective - _rounding(problem, state)
    improves = decreases | (after.kkt_residual < 0.9 * state.kkt_residual)
    n_stalled = xp.where(improves, xp.zeros_like(state.n_stalled), state.n_stalled + 1)
    return replace(after, n_stalled=n_stalled)


@dataclass(frozen=True, eq=False)
class _Move(Rows):
    """A direction of each code, with what bends it at zero."""

    direction: Any
    pull: Any
    sign: Any  # signs of the orthant
    stops: Any  # whether an entry stops at zero
    is_near: Any  # whether an entry is near zero and shrinks


def _stopped(code, sign, stops):
    """Codes with the entries that have crossed zero set to zero."""
    xp = namespace(code)
    return xp.where(stops & (code * sign < 0), xp.zeros_like(code), code)


def _search(problem, state, move):
    """States after the first accepted step of length 1, 1/2, 1/4, ..., or unchanged ones."""
    after, rows, length, before = state, np.arange(state.n_rows), 1.0, state
    for _ in range(MAX_TRIALS):
        trial_code = _stopped(before.code + length * move.direction, move.sign, move.stops)
        trial = _evaluate(problem, before.data, trial_code, before.n_stalled)
        accepted = to_numpy(_is_accepted(problem, before, trial, move, length))
        found = accepted.nonzero()[0]
        if len(found):
            after = after.put(trial.rows(found), rows[found])
        left = (~accepted).nonzero()[0]
        if not len(left):
            break
        rows, before, move = rows[left], before.rows(left), move.rows(left)
        length = 0.5 * length
    return after


def _is_accepted(problem, before, after, move, length):
    """Whether a step decreases the objective sufficiently, or the residual where that is hidden.

    Where rounding hides the decrease, the residual decides.
    """
    xp = namespace(before.code)
    taken = xp.where(move.is_near, after.code - before.code, length * move.direction)
    predicted = xp.vecdot(move.pull, taken, axis=-1)
    change = after.objective - before.objective
    enough = change <= -SUFFICIENT_DECREASE * xp.maximum(predicted, xp.zeros_like(predicted))
    is_hidden = xp.abs(change) <= _rounding(problem, before)
    return enough | (is_hidden & (after.kkt_residual <= before.kkt_residual))


def _rounding(problem, state):
    """Bound on the rounding error of objectives."""
    xp = namespace(state.code)
    terms = xp.abs(state.data.offset) + xp.abs(state.objective)
    terms = terms + xp.vecdot(xp.abs(state.code), xp.abs(state.slope), axis=-1)
    return ROUNDING_UNITS * problem.eps(state.code) * terms
