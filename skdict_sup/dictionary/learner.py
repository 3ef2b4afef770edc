"""Choice of the method of unsupervised dictionary learning, and its epochs over a data set."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import online, projected


@dataclass(frozen=True)
class Learner:
    """Method of dictionary learning, as functions of its state.

    `initial_state(dictionary)` is the state before the first signal, `learn(state, X, settings)`
    the state after further `Signals`, with their objectives, and `current_dictionary(state,
    settings)` the dictionary.
    """

    initial_state: Callable
    learn: Callable
    current_dictionary: Callable


ONLINE = Learner(online.initial_state, online.learn, online.current_dictionary)
PROJECTED = Learner(projected.initial_state, projected.learn, projected.current_dictionary)


def learner_for(reconstruction):
    """Method for a reconstruction term: closed-form updates if it is quadratic in the atoms."""
    return ONLINE if reconstruction.quadratic else PROJECTED


def learn_unlabelled(X, state, settings, n_epochs, rng):
    """Run epochs of dictionary learning; yields (state, mean objective) after each.

    Signals are shuffled before each epoch, unless `rng` is None.
    """
    learner, n = learner_for(settings.reconstruction), X.shape[0]
    for _ in range(n_epochs):
        total = 0.0
        order = np.arange(n) if rng is None else rng.permutation(n)
        for rows in np.array_split(order, -(-n // 4096)):
            state, objective = learner.learn(state, X.rows(rows), settings)
            total += float(objective.sum())
        yield state, total / n
