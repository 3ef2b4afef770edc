"""Limits at which the path of a signal stops, and the distance of a code to them."""

from collections import namedtuple

import numpy as np

from ._compile import INTERNAL, compiled

Limit = namedtuple(
    "Limit",
    (
        "most",  # number of active atoms at which a path stops
        "sq_norm",  # squared norm of the signal
        "sq_bound",  # squared norm of the residual at which a path stops; negative for none
    ),
)


@compiled(**INTERNAL)
def residual_excess(corr, i, mu, limit, lam2, k, state):
    """Squared norm of the residual of a code on the path at mu, minus its bound."""
    total = limit.sq_norm - limit.sq_bound
    for r in range(k):
        j, value = state.active[r], np.float64(state.values[r])
        slope = np.float64(mu) * np.float64(state.pulls[r]) + np.float64(lam2) * value
        total -= value * (np.float64(corr[i, j]) + slope)
    return total


@compiled(**INTERNAL)
def exact_residual_excess(corr, i, limit, lam2, k, state):
    """Squared norm of the residual of a code with slopes in `u`, minus its bound."""
    total = limit.sq_norm - limit.sq_bound
    for r in range(k):
        j, value = state.active[r], np.float64(state.values[r])
        slope = np.float64(state.u[j]) + np.float64(lam2) * value
        total -= value * (np.float64(corr[i, j]) + slope)
    return total


@compiled(**INTERNAL)
def step_to_residual(excess, mu, lam2, k, state):
    """Decrease of mu at which the residual has lost `excess`, on the segment of the support.

    The squared norm is a quadratic function of the decrease; infinite where it does not get there.
    """
    linear, square = 0.0, 0.0
    for r in range(k):
        d = np.float64(state.direction[r])
        pull, value = np.float64(state.pulls[r]), np.float64(state.values[r])
        linear += d * (np.float64(mu) * pull + np.float64(lam2) * value)
        square += d * (np.float64(lam2) * d - pull)
    # excess = 2 linear t + square t^2
    root = linear * linear + square * excess
    if linear <= 0.0 or root < 0.0:
        return np.inf
    return excess / (linear + np.sqrt(root))


@compiled(**INTERNAL)
def count_penalised(k, state):
    """Number of active atoms with a penalty."""
    count = 0
    for r in range(k):
        count += state.pulls[r] != 0
    return count


@compiled(**INTERNAL)
def has_idle_atom(k, state):
    """Whether an active atom with a penalty has an entry of zero: it has entered by a tie."""
    largest, least = 0.0, np.inf
    for r in range(k):
        value = abs(np.float64(state.values[r]))
        largest = max(largest, value)
        if state.pulls[r] != 0:
            least = min(least, value)
    return least <= 64 * np.finfo(state.values.dtype).eps * largest
