"""Dictionary learning without labels by projected stochastic gradients, for any transfer.

As in `online`, the dictionary moves when a mini-batch of the stream is complete, and the result
depends on the stream alone, not on the pieces in which it arrives. Dead atoms are left alone.

References
----------
D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, equation 7.
"""

from dataclasses import dataclass, replace
from typing import Any

from .._array import namespace
from .._linalg import project_ball
from ..optim import Adam
from ._stream import learn_from

_OPTIMIZER = Adam()
_RATE = 0.1  # of the first step, in units of an atom's norm
_STEPS = 50  # after which the rate has fallen by the square root of two


@dataclass(frozen=True, eq=False)
class ProjectedState:
    """Everything that learning needs to go on."""

    anchor: Any
    gradient: Any  # of the open mini-batch
    moments: Any
    n_seen: int = 0
    n_revived: int = 0


def start(dictionary):
    """State before the first signal."""
    zeros = namespace(dictionary).zeros_like(dictionary)
    return ProjectedState(dictionary, zeros, _OPTIMIZER.start(dictionary, by_row=True))


def learn(state, X, settings):
    """State after the signals X, with their objectives at coding time: (state, (n_samples,))."""
    return learn_from(_take, _advance, state, X, settings)


def _take(state, X, code, objective, problem, settings):
    rest = problem.reconstruct(code) - X
    gradient = state.gradient + code.T @ rest
    return replace(state, gradient=gradient, n_seen=state.n_seen + X.shape[0])


def published(state, settings):
    """Dictionary that users see: of the last complete mini-batch, or of the open first one."""
    if state.n_seen and state.moments.n_steps == 0:
        return _advance(state, settings).anchor
    return state.anchor


def _advance(state, settings):
    """State at the end of a mini-batch: atoms move."""
    moments, direction = _OPTIMIZER.direction(state.moments, state.gradient)
    rate = _RATE * (1 + moments.n_steps / _STEPS) ** -0.5
    moved = state.anchor - rate * direction
    anchor = project_ball(moved, settings.positive_dictionary)
    zeros = namespace(anchor).zeros_like(anchor)
    return replace(state, anchor=anchor, gradient=zeros, moments=moments)
