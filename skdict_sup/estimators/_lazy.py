"""Dask arrays in methods of fitted estimators: they are passed on, and answered lazily."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from sklearn.utils.metaestimators import available_if

from .._array import is_dask

_Method = TypeVar("_Method", bound=Callable[..., Any])


def takes_dask(method: _Method) -> _Method:
    """Let a method of one array pass dask arrays on to the function of its name in `parallel`."""

    @wraps(method)
    def call(estimator, X, *args, **kwargs):
        if not is_dask(X):
            return method(estimator, X, *args, **kwargs)
        from .. import parallel  # with dask, at its first use

        if args or kwargs:
            raise TypeError(
                f"{method.__name__} takes a dask array and no other argument, since all blocks "
                f"are treated alike; got {[*args, *kwargs]}."
            )
        return getattr(parallel, method.__name__)(estimator, X)

    return call  # pyright: ignore[reportReturnType]


def available_lazily_if(check: Callable[[Any], Any]) -> Callable[[_Method], _Method]:
    """`available_if` of scikit-learn, and dask arrays as by `takes_dask`."""
    available: Any = available_if(check)  # a descriptor, which acts as the method
    return lambda method: available(takes_dask(method))
