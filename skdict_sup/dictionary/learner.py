"""Choice of the method of unsupervised dictionary learning, and its epochs over a data set."""

import numpy as np

from . import online, projected
from ._stream import learn


def method_for(reconstruction):
    """Module for a reconstruction term: closed-form updates if it is quadratic in the atoms.

    Both have the functions `initial_state(dictionary)` and `current_dictionary(state, settings)`,
    and those that `_stream` describes.
    """
    return online if reconstruction.quadratic else projected


def learn_from(state, X, settings):
    """State after the `Signals` X, with their objectives at coding time: (state, (n_samples,))."""
    return learn(method_for(settings.reconstruction), state, X, settings)


def learn_unlabelled(X, state, settings, n_epochs, rng):
    """Run epochs of dictionary learning; yields (state, mean objective) after each.

    Signals are shuffled before each epoch, unless `rng` is None.
    """
    n = X.shape[0]
    for _ in range(n_epochs):
        total = 0.0
        order = np.arange(n) if rng is None else rng.permutation(n)
        for rows in np.array_split(order, -(-n // 4096)):
            state, objective = learn_from(state, X.rows(rows), settings)
            total += float(objective.sum())
        yield state, total / n
