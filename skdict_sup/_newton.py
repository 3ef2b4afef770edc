"""Damped Newton's method along the curve (w, phi'(w)), for smooth convex priors.

The unknown is the dual variable s = phi'(w), and w follows. With the residual r = slope - s, which
is minus the gradient of the objective, and the Hessian H of the loss, Newton's equation reads

    (H + diag(phi''(w))) move = r,      direction = phi''(w) move, in s.

An entry that shrinks takes its step in s. An entry that grows takes it in w, along the tangent of
the curve: a step in s would overshoot by orders of magnitude. A step is halved until it lowers
the objective enough.

The solver `newton` runs these functions on any problem, and the reference of the kernel `kl_codes`
on a Gram matrix. The compiled versions of that kernel implement the same method for one signal at
a time, with the same constants.

A `problem` has `prior` (a `SmoothPrior`), `evaluate(data, code)`, the slope and the loss, and
`hessian(data, code, slope, loss)`, the Hessian H or an approximation of it: a record with the
`diagonal`, `product(direction)`, `solve(curvature, support, rhs, tol)` and the `tol` that steps
need. It also has `penalty(code, slope)`, the violation of the optimality condition and the value
of the prior, `curvature(code)`, the second derivative of the prior and the support of the code,
`eps(code)`, the machine epsilon of slopes and losses, and `is_quadratic`, whether the loss is.

References
----------
D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, equations 6 and 9.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ._array import device_of, namespace, take_rows, to_numpy
from ._records import Data, Rows

SUFFICIENT_DECREASE = 1e-4  # fraction of the predicted decrease that a step must reach
_PRECISE = 1e-3  # largest tolerance of systems whose solutions count as precise
MAX_TRIALS = 30  # maximum number of step lengths in one iteration
ROUNDING_UNITS = 16  # bound on the rounding error of an objective, in units of eps
PATIENCE = 12  # iterations without progress after which a signal counts as stalled


@dataclass(frozen=True, eq=False)
class NewtonState(Rows):
    """Codes of an iteration, with their dual variables, slopes and objectives."""

    data: Data
    code: Any
    dual: Any  # phi'(code); still accurate where an entry of the code underflows
    slope: Any
    loss: Any
    objective: Any
    kkt_residual: Any  # relative to the largest correlation of the signal
    n_stalled: Any  # iterations in a row without progress


def start(problem, data, code):
    """State at the initial codes."""
    xp = namespace(code)
    n_stalled = xp.zeros(code.shape[0], dtype=xp.int64, device=device_of(code))
    return _evaluate(problem, data, code, problem.prior.gradient(code), n_stalled)


def step(problem, state):
    """State after one damped Newton step for each signal."""
    xp = namespace(state.code)
    residual = state.slope - state.dual
    direction, radius = _direction(problem, state, residual)
    after = _backtrack(problem, state, direction, residual, radius)
    # the residual may increase between iterations: a decrease of the objective also counts
    decreases = after.objective < state.objective - _rounding(problem, state)
    improves = decreases | (after.kkt_residual < 0.9 * state.kkt_residual)
    n_stalled = xp.where(improves, xp.zeros_like(state.n_stalled), state.n_stalled + 1)
    return replace(after, n_stalled=n_stalled)


def is_stalled(state):
    """Whether no further progress is possible in the precision of the codes."""
    return (state.n_stalled >= PATIENCE) | ~namespace(state.code).isfinite(state.objective)


def _evaluate(problem, data, code, dual, n_stalled):
    slope, loss = problem.evaluate(data, code)
    violation, value = problem.penalty(code, slope)
    kkt_residual, objective = violation / data.scale, loss + value
    return NewtonState(data, code, dual, slope, loss, objective, kkt_residual, n_stalled)


def _direction(problem, state, residual):
    """Newton direction in the dual variable, and the |w| up to which entries grow freely.

    Below that radius the prior has more curvature than the loss, and a step cannot overshoot.
    """
    xp, code = namespace(state.code), state.code
    curvature, support = problem.curvature(code)
    hessian = problem.hessian(state.data, code, state.slope, state.loss)
    move, diagonal = hessian.solve(curvature, support, residual, hessian.tol), hessian.diagonal
    # both expressions equal phi'' move: the first amplifies errors of the system where the
    # curvature is large, the second cancels where it is small, and needs a precise solution
    uses_move = support if hessian.tol > _PRECISE else support & (curvature < diagonal)
    direction = curvature * move
    if not bool(xp.all(uses_move)):
        direction = xp.where(uses_move, direction, residual - hessian.product(move))
    inverse = 1.0 / xp.where(diagonal > 0, diagonal, xp.ones_like(diagonal))
    return direction, problem.prior.reach(inverse)


def _backtrack(problem, state, direction, residual, radius):
    """States after the first accepted step of length 1, 1/2, 1/4, ..."""
    after = _step_along(problem, state, direction, radius)
    rows, length = np.arange(state.n_rows), 1.0
    accepted = to_numpy(_is_accepted(problem, state, after, residual))
    for _ in range(1, MAX_TRIALS):
        if accepted.all():
            break
        kept = (~accepted).nonzero()[0]
        rows, length = rows[kept], 0.5 * length
        direction, residual = take_rows(direction, kept), take_rows(residual, kept)
        radius = take_rows(radius, kept) if radius.shape[0] > 1 else radius
        before = state.rows(rows)
        trial = _step_along(problem, before, length * direction, radius)
        accepted = to_numpy(_is_accepted(problem, before, trial, residual))
        after = after.put(trial, rows)
    return after


def _step_along(problem, state, direction, radius):
    """State after a step along the curve: in the dual, or in the code where that is shorter.

    Beyond the free radius, |w| grows at most as far as the tangent.
    """
    xp, prior = namespace(direction), problem.prior
    dual = state.dual + direction
    code = prior.code_at(dual)
    zero = xp.zeros_like(code)
    sign_change = xp.sign(state.code) * code < 0
    # an entry that changes sign grows from zero
    base_code = xp.where(sign_change, zero, state.code)
    base_dual = xp.where(sign_change, zero, state.dual)
    tangent = xp.abs(base_code + prior.mobility(base_code) * (dual - base_dual))
    bound = xp.maximum(tangent, xp.minimum(xp.abs(code), radius))
    is_bounded = (xp.abs(code) > xp.abs(base_code)) & (xp.abs(code) > bound)
    code = xp.where(is_bounded, xp.sign(code) * bound, code)
    dual = xp.where(is_bounded, prior.gradient(code), dual)
    return _evaluate(problem, state.data, code, dual, state.n_stalled)


def _is_accepted(problem, before, after, residual):
    """Whether a step decreases the objective sufficiently, or halves the residual.

    The residual alone decides for quadratic losses only: that of others may be small far from the
    minimum, where their gradients are bounded. Where rounding hides the decrease, the trapezoidal
    rule estimates it from the derivatives at both ends of the step.
    """
    xp = namespace(residual)
    move = after.code - before.code
    predicted = xp.sum(residual * move, axis=1)
    change = after.objective - before.objective
    enough = change <= -SUFFICIENT_DECREASE * xp.maximum(predicted, xp.zeros_like(predicted))
    is_hidden = xp.abs(change) <= _rounding(problem, before)
    decreases = predicted + xp.sum((after.slope - after.dual) * move, axis=1) >= 0
    halved = after.kkt_residual <= 0.5 * before.kkt_residual
    halved = halved if problem.is_quadratic else halved & (is_hidden | (change < 0))
    return enough | (is_hidden & decreases) | halved


def _rounding(problem, state):
    """Bound on the rounding error of objectives."""
    xp = namespace(state.code)
    terms = xp.abs(state.data.offset) + xp.abs(state.objective)
    terms = terms + xp.sum(xp.abs(state.code * state.slope), axis=1)
    return ROUNDING_UNITS * problem.eps(state.code) * terms
