"""Decorator that turns a reference implementation into a kernel."""

from functools import cache, wraps
from importlib import import_module
from typing import Any

from .._array import is_array, is_boolean
from ._registry import REGISTRY


@cache
def _load(version):
    """Import the function of a compiled version, at its first call."""
    return version.wrap(getattr(import_module(version.module, __package__), version.kernel))


def kernel(reference) -> Any:
    """Dispatch calls of `reference` to the first compiled version that supports the arrays.

    The floating array arguments decide which; boolean arrays, scalars and None are ignored. The
    kernel has the body as attribute `reference`, and its compiled versions as `versions`.
    """
    name = reference.__name__

    @wraps(reference)
    def call(*args, **kwargs):
        arrays = [a for a in (*args, *kwargs.values()) if is_array(a) and not is_boolean(a)]
        # they would be promoted silently, or a fast version missed
        if any(a.dtype != arrays[0].dtype for a in arrays):
            raise TypeError(
                f"{name} got arrays of dtypes {sorted({str(a.dtype) for a in arrays})}."
            )
        for version in dispatcher.versions:
            if version.usable(*arrays):
                return _load(version)(*args, **kwargs)
        return reference(*args, **kwargs)

    dispatcher: Any = call  # a function with attributes
    dispatcher.reference = reference
    dispatcher.versions = tuple(v for v in REGISTRY if v.kernel == name)
    return dispatcher
