"""The method that learns a dictionary from signals alone, and its passes over a data set."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import online, projected


@dataclass(frozen=True)
class Learner:
    """A method as functions of its state.

    `start(dictionary)` is the state before the first signal, `learn(state, X, settings)` the state
    after further `Signals` with their objectives, and `published(state, settings)` the dictionary.
    """

    start: Callable
    learn: Callable
    published: Callable


ONLINE = Learner(online.start, online.learn, online.published)
PROJECTED = Learner(projected.start, projected.learn, projected.published)


def learner_of(reconstruction):
    """Method for a reconstruction term: closed updates where the loss is quadratic in atoms."""
    return ONLINE if reconstruction.quadratic else PROJECTED


def learn_unlabelled(X, state, settings, n_epochs, rng):
    """Pass over `Signals` with dictionary learning; yields (state, mean objective).

    The order is drawn anew for each pass, or kept where `rng` is None.
    """
    learner, n = learner_of(settings.reconstruction), X.shape[0]
    for _ in range(n_epochs):
        total = 0.0
        order = np.arange(n) if rng is None else rng.permutation(n)
        for rows in np.array_split(order, -(-n // 4096)):
            state, objective = learner.learn(state, X.rows(rows), settings)
            total += float(objective.sum())
        yield state, total / n
