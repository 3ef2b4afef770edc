"""Moving fitted estimators to another array library or device."""

from copy import copy
from dataclasses import is_dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._array import is_array, resolve_device, to_numpy

_HOOK = "__sklearn_array_api_convert__"


def to_device(estimator: Any, xp: Any, device: str | None = None) -> Any:
    """Copy a fitted estimator to another array library or device.

    Parameters
    ----------
    estimator : estimator of this package
        A fitted estimator. It is not changed.
    xp : module or str
        The array library, such as ``numpy``, or its name, optionally with a device after a colon:
        "torch", "torch:cuda:0". The parameter ``device`` of estimators takes the same names.
    device : device, str or None, default=None
        Device, as the library names it; None is the device in `xp`, or the library's default.

    Returns
    -------
    estimator
        A copy with its arrays there: dictionary, weights, and the state from which `warm_start`
        and `partial_fit` continue. Labels, and arrays in the units of y, stay in host memory.

    Raises
    ------
    TypeError, ValueError
        If `estimator` is not from this package, or `xp` is not an array library.

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
    if not hasattr(estimator, _HOOK):
        raise TypeError(f"estimator must be one of this package, got {type(estimator).__name__}.")
    library, device_kwargs = resolve_device(xp, "xp") if isinstance(xp, str) else (xp, {})
    if not hasattr(library, "asarray"):
        raise TypeError(f"xp must be an array library or its name, got {xp!r}.")
    device_kwargs = device_kwargs if device is None else {"device": device}
    return estimator.__sklearn_array_api_convert__(
        lambda array: library.asarray(np.array(to_numpy(array)), **device_kwargs)
    )


def convert_arrays(value, converter, done, is_foreign=False):
    """Copy of a value with all its arrays converted; shared objects stay shared.

    `done` maps the id of each converted object to (object, copy). Arrays of estimators of other
    packages, most of which need NumPy, stay as they are, but not those of estimators within them.
    """
    if id(value) in done:
        return done[id(value)][1]
    if is_array(value):
        converted = converter(value) if _floating(value) and not is_foreign else value
    elif isinstance(value, dict):
        converted = {
            name: convert_arrays(item, converter, done, is_foreign) for name, item in value.items()
        }
    elif isinstance(value, (list, tuple)):
        converted = type(value)(
            convert_arrays(item, converter, done, is_foreign) for item in value
        )
    elif not isinstance(value, type) and (is_dataclass(value) or isinstance(value, BaseEstimator)):
        if isinstance(value, BaseEstimator):
            is_foreign = not hasattr(value, _HOOK)
        host_names = getattr(type(value), "stays_on_host", ())
        converted = copy(value)
        for name, item in vars(value).items():
            if name not in host_names:
                # the table also contains fields of frozen records and cached properties
                vars(converted)[name] = convert_arrays(item, converter, done, is_foreign)
    else:
        return value  # numbers, strings and functions
    done[id(value)] = value, converted
    return converted


def _floating(array):
    """Whether an array has a floating dtype; feature names and counts are not moved."""
    return str(array.dtype).split(".")[-1] in ("float32", "float64")
