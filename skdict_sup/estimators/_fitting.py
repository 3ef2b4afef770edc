"""What fits have in common: all or nothing, attributes that appear at once, generators."""

from contextlib import contextmanager
from functools import wraps

import numpy as np
from sklearn.utils import check_random_state

from ..supervised.rate_search import generator_at as generator_from_state

__all__ = ["as_generator", "generator_from_state", "in_one_step", "restore_on_error"]


def as_generator(random_state):
    """NumPy generator for scikit-learn's random_state."""
    try:
        source = check_random_state(random_state)
    except ValueError:
        raise ValueError(
            f"random_state must be an integer from 0 to 2**32 - 1, a numpy.random.RandomState or "
            f"None, got {random_state!r}."
        ) from None
    return np.random.default_rng(source.randint(2**31, size=4))


@contextmanager
def restore_on_error(estimator):
    """Restore an estimator's attributes if what is inside fails.

    An interrupt restores them too, unless learning has published a state of its own by then.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException as error:
        published = vars(estimator).get("_training") is not before.get("_training")
        if isinstance(error, Exception) or not published:
            estimator.__dict__ = before
        raise


def in_one_step(method):
    """Let what a method sets appear at once: it works on a draft, which then takes over."""

    @wraps(method)
    def call(estimator, *args, **kwargs):
        draft = object.__new__(type(estimator))
        draft.__dict__ = dict(vars(estimator))
        method(draft, *args, **kwargs)
        estimator.__dict__ = draft.__dict__

    return call
