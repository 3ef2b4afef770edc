"""Fitted estimators in another array library or on another device."""

from copy import copy
from dataclasses import is_dataclass

import numpy as np
from sklearn.base import BaseEstimator

from .._array import is_array, resolve_device, to_numpy


def to_device(estimator, xp, device=None):
    """Copy a fitted estimator to another array library or device.

    Parameters
    ----------
    estimator : estimator of this package
        A fitted estimator. It stays as it is.
    xp : module or str
        The array library, such as ``numpy``, or its name, with that of a device after a colon:
        "torch", "torch:cuda:0". The parameter ``device`` of estimators has the same names.
    device : device, str or None, default=None
        Device of that library in its own terms; None is its default, or that of the name.

    Returns
    -------
    estimator
        A copy whose arrays live there: dictionary, weights, and all that `warm_start` and
        `partial_fit` go on from. Labels, and what is in the units of y, stay in host memory.

    Raises
    ------
    TypeError, ValueError
        If it is no estimator of this package, or xp no array library.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skdict_sup import OnlineDictionaryLearning, to_device
    >>> X, _ = load_digits(return_X_y=True)
    >>> learner = OnlineDictionaryLearning(10, max_iter=1, random_state=0).fit(X)
    >>> to_device(learner, np).transform(X[:3]).shape
    (3, 10)
    """
    if not hasattr(estimator, "__sklearn_array_api_convert__"):
        raise TypeError(f"estimator must be one of this package, got {type(estimator).__name__}.")
    library, where = resolve_device(xp, "xp") if isinstance(xp, str) else (xp, {})
    if not hasattr(library, "asarray"):
        raise TypeError(f"xp must be an array library or its name, got {xp!r}.")
    where = where if device is None else {"device": device}
    return estimator.__sklearn_array_api_convert__(
        lambda array: library.asarray(np.array(to_numpy(array)), **where)
    )


def convert_arrays(value, converter, done):
    """Copy of a value with every array in it converted; what was one object stays one.

    `done` maps the identity of what has been converted to (itself, its copy).
    """
    if id(value) in done:
        return done[id(value)][1]
    if is_array(value):
        found = converter(value) if _floating(value) else value
    elif isinstance(value, dict):
        found = {name: convert_arrays(part, converter, done) for name, part in value.items()}
    elif isinstance(value, (list, tuple)):
        found = type(value)(convert_arrays(part, converter, done) for part in value)
    elif not isinstance(value, type) and (is_dataclass(value) or isinstance(value, BaseEstimator)):
        stays = getattr(type(value), "on_host", ())
        found = copy(value)
        for name, part in vars(value).items():
            if name not in stays:
                # what is frozen or cached is an entry of the same table
                vars(found)[name] = convert_arrays(part, converter, done)
    else:
        return value  # numbers, functions, counts
    done[id(value)] = value, found
    return found


def _floating(array):
    """Whether an array holds floats: names of features and counts stay where they are."""
    return str(array.dtype).split(".")[-1] in ("float32", "float64")
