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
from ._stream import learn_from

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


def learn(state, X, settings):
    """State after the signals X, with their objectives at coding time: (state, (n_samples,))."""
    return learn_from(_accumulate, _update, state, X, settings)


def _accumulate(state, X, code, objective, problem, settings):
    """State with the gradient of further signals added."""
    residual = problem.reconstruct(code) - X
    gradient = state.gradient + code.T @ residual
    return replace(state, gradient=gradient, n_seen=state.n_seen + X.shape[0])


def current_dictionary(state, settings):
    """Dictionary of the last complete mini-batch, or updated by the incomplete first one."""
    if state.n_seen and state.moments.n_steps == 0:
        return _update(state, settings).dictionary
    return state.dictionary


def _update(state, settings):
    """State after a projected gradient step of the atoms."""
    n_steps = state.moments.n_steps + 1
    learning_rate = _LEARNING_RATE * (1 + n_steps / _DECAY_STEPS) ** -0.5
    arguments = state.moments, state.dictionary, state.gradient, learning_rate
    moments, dictionary = _OPTIMIZER.ball_step(*arguments, settings.positive_dictionary)
    zeros = namespace(dictionary).zeros_like(dictionary)
    return replace(state, dictionary=dictionary, gradient=zeros, moments=moments)
