"""The method that learns a dictionary from signals alone, and its passes over a data set."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .._array import take_rows
from . import online, projected


@dataclass(frozen=True)
class Learner:
    """A method as functions of its state.

    `start(dictionary)` is the state before the first signal, `learn(state, X, settings)` the state
    after further signals with their objectives, and `published(state, settings)` the dictionary.
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
    """Pass over the signals with dictionary learning; yields (state, mean objective)."""
    learner = learner_of(settings.reconstruction)
    for _ in range(n_epochs):
        total = 0.0
        for rows in np.array_split(rng.permutation(X.shape[0]), -(-X.shape[0] // 4096)):
            state, objective = learner.learn(state, take_rows(X, rows), settings)
            total += float(objective.sum())
        yield state, total / X.shape[0]
