"""Numerical tests once more, through another array library: `python -m pytest --through torch`.

Tests are written for NumPy arrays. Where a module names functions or estimators in `CROSSED`,
these get arrays of the other library instead, and the tests see what they return as NumPy arrays.
"""

import sys
from dataclasses import is_dataclass, replace
from functools import wraps
from pathlib import Path

import numpy as np

from skdict_sup.kernels._interop import numpy_floats

THROUGH = ("array_api_strict", "torch", "cupy", "torch_cuda")
HERE = str(Path(__file__).parents[1])


def through(library, crossed):
    """A function or an estimator that takes a library's arrays in place of NumPy's."""
    if isinstance(crossed, type):
        return type(crossed.__name__, (_Through,), {"library": library, "made": crossed})
    return _called(library, crossed)


class _Through:
    """An estimator of which tests see NumPy arrays alone, though it sees none."""

    def __init__(self, *args, **params):
        self.inner = _called(self.library, self.made)(*args, **params)

    def __getattr__(self, name):
        if name == "inner":  # not there yet, as in a copy that is being made
            raise AttributeError(name)
        value = getattr(self.inner, name)
        return _called(self.library, value, self) if callable(value) else back(self.library, value)


def _called(library, function, owner=None):
    """The function, called with arrays of a library in place of NumPy's."""

    @wraps(function)
    def call(*args, **kwargs):
        if any(hasattr(a, "tocsr") for a in (*args, *kwargs.values())):
            return function(*args, **kwargs)  # SciPy's matrices go with NumPy's arrays alone
        found = function(
            *(there(library, a) for a in args),
            **{name: there(library, a) for name, a in kwargs.items()},
        )
        return owner if owner and found is owner.inner else back(library, found)

    return call


def versions_for(library, kernel):
    """Compiled versions of a kernel, and those for NumPy wrapped for arrays of the library.

    References are tested by themselves; training by them takes five hundred times as long.
    """

    def usable(*arrays):
        return all(map(library.is_mine, arrays))

    def wrap(function):
        return _wrapped(library, function)

    ours = [v for v in kernel.versions if v.usable is numpy_floats]
    return (*kernel.versions, *(replace(v, usable=usable, wrap=wrap) for v in ours))


def _wrapped(library, function):
    @wraps(function)
    def call(*args, **kwargs):
        found = function(*back(library, args), **back(library, kwargs))
        parts = [library.asarray(a) for a in (found if isinstance(found, tuple) else (found,))]
        return tuple(parts) if isinstance(found, tuple) else parts[0]

    return call


def there(library, value):
    """Arrays of numbers and truth values in the library, NumPy's numbers as those of Python."""
    if isinstance(value, _Through):
        return value.inner
    if isinstance(value, np.ndarray) and value.dtype.kind in "fb":
        return library.asarray(value, dtype=value.dtype.newbyteorder("="))
    return float(value) if isinstance(value, np.floating) else value


def back(library, value):
    """Arrays of the library as NumPy arrays, in records as well."""
    if library.is_mine(value):
        return library.to_numpy(value)
    if is_dataclass(value):
        return replace(value, **{name: back(library, part) for name, part in vars(value).items()})
    if isinstance(value, dict):
        return {name: back(library, part) for name, part in value.items()}
    if isinstance(value, list):
        return [back(library, part) for part in value]
    if isinstance(value, tuple):
        parts = [back(library, part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def holders(function):
    """(module, name) of every test module and helper that has imported a function."""
    for module in list(sys.modules.values()):
        if str(getattr(module, "__file__", None) or "").startswith(HERE):
            for name, value in list(vars(module).items()):
                if value is function:
                    yield module, name
