"""Online dictionary learning by projected stochastic gradients, for any transfer.

As in `online`, the dictionary is updated at the end of each mini-batch, and the result depends on
the stream alone, not on the calls in which it arrives. Unused atoms are not replaced.

References
----------
D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, equation 7.
"""

from dataclasses import dataclass, replace
from typing import Any

from .._array import namespace
from ..optim import Adam

_OPTIMIZER = Adam()
_LEARNING_RATE = 0.1  # length of the first step of an atom, in units of its norm
_DECAY_STEPS = 50  # steps after which the learning rate has decayed by the square root of two


@dataclass(frozen=True, eq=False)
class ProjectedState:
    """State of learning by projected gradients."""

    dictionary: Any
    gradient: Any  # gradient of the mini-batch so far
    moments: Any
    n_seen: int = 0
    n_revived: int = 0


def initial_state(dictionary):
    """State before the first signal."""
    zeros = namespace(dictionary).zeros_like(dictionary)
    return ProjectedState(dictionary, zeros, _OPTIMIZER.initial_moments(dictionary, by_row=True))


@dataclass(frozen=True, eq=False)
class GradientPart:
    """Gradient of the atoms for some signals, and their number."""

    gradient: Any
    n_signals: int


def measure(coded, first, settings):
    """Gradient of the atoms for coded signals."""
    residual = coded.problem.reconstruct(coded.code) - coded.X
    return GradientPart(coded.code.T @ residual, coded.X.shape[0])


def add(state, part, settings):
    """State with the gradient of further signals added."""
    gradient, n_seen = state.gradient + part.gradient, state.n_seen + part.n_signals
    return replace(state, gradient=gradient, n_seen=n_seen)


def current_dictionary(state, settings):
    """Dictionary of the last complete mini-batch, or updated by the incomplete first one."""
    if state.n_seen and state.moments.n_steps == 0:
        return update(state, settings).dictionary
    return state.dictionary


def update(state, settings):
    """State after a projected gradient step of the atoms."""
    n_steps = state.moments.n_steps + 1
    learning_rate = _LEARNING_RATE * (1 + n_steps / _DECAY_STEPS) ** -0.5
    arguments = state.moments, state.dictionary, state.gradient, learning_rate
    moments, dictionary = _OPTIMIZER.ball_step(*arguments, settings.positive_dictionary)
    zeros = namespace(dictionary).zeros_like(dictionary)
    return replace(state, dictionary=dictionary, gradient=zeros, moments=moments)
