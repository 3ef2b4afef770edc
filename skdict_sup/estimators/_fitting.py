"""Shared parts of fits: restoring on errors, atomic updates, random generators."""

from contextlib import contextmanager
from functools import wraps

import numpy as np
from sklearn.utils import check_random_state

from ..supervised.rate_search import generator_from_state

__all__ = ["as_generator", "atomic_update", "generator_from_state", "restore_on_error"]


def as_generator(random_state):
    """NumPy generator seeded by scikit-learn's random_state."""
    try:
        legacy_rng = check_random_state(random_state)
    except ValueError:
        raise ValueError(
            f"random_state must be an integer from 0 to 2**32 - 1, a numpy.random.RandomState or "
            f"None, got {random_state!r}."
        ) from None
    return np.random.default_rng(legacy_rng.randint(2**31, size=4))


@contextmanager
def restore_on_error(estimator):
    """Restore the attributes of an estimator if the block raises.

    A KeyboardInterrupt restores them too, unless the block has already set a new training.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException as error:
        updated = vars(estimator).get("_training") is not before.get("_training")
        if isinstance(error, Exception) or not updated:
            estimator.__dict__ = before
        raise


def atomic_update(method):
    """Decorate a method to set all attributes at once: it works on a copy, which then replaces."""

    @wraps(method)
    def call(estimator, *args, **kwargs):
        draft = object.__new__(type(estimator))
        draft.__dict__ = dict(vars(estimator))
        method(draft, *args, **kwargs)
        estimator.__dict__ = draft.__dict__

    return call
