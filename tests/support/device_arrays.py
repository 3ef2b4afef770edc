"""Arrays that stand in for those of CuPy: on another device, and never silently copied to here."""

from functools import wraps
from types import SimpleNamespace

import numpy as np
from array_api_compat import numpy as host

DEVICE = "stand-in:0"


def there(value):
    """A value with its NumPy arrays on the device."""
    if isinstance(value, np.ndarray | np.generic) and not isinstance(value, DeviceArray):
        return DeviceArray(np.asarray(value))
    if isinstance(value, tuple | list):
        parts = [there(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def here(value):
    """A value with its arrays of the device in host memory."""
    if isinstance(value, DeviceArray):
        return value.array
    if isinstance(value, tuple | list):
        return type(value)(here(part) for part in value)
    return value


def _on_device(function):
    """A function of NumPy arrays, for arrays on the device."""

    @wraps(function)
    def call(*args, **kwargs):
        kwargs = {name: here(value) for name, value in kwargs.items() if name != "device"}
        return there(function(*here(list(args)), **kwargs))

    return call


class _Namespace:
    """The array API standard for arrays on the device."""

    __name__ = "stand_in"

    def __getattr__(self, name):
        found = getattr(host, name)
        is_function = callable(found) and not isinstance(found, type)
        if name == "linalg":
            return SimpleNamespace(
                **{key: _on_device(f) for key, f in vars(found).items() if callable(f)}
            )
        return _on_device(found) if is_function else found

    def __array_namespace_info__(self):
        return host.__array_namespace_info__()

    def astype(self, array, dtype, *, copy=True, device=None):
        return there(array.array.astype(dtype, copy=copy))


NAMESPACE = _Namespace()


class DeviceArray:
    """An array on the device; only `get` copies it to host memory, as for CuPy."""

    __array_priority__ = 1000.0

    def __init__(self, array):
        self.array = array

    shape = property(lambda self: self.array.shape)
    ndim = property(lambda self: self.array.ndim)
    dtype = property(lambda self: self.array.dtype)
    size = property(lambda self: self.array.size)
    nbytes = property(lambda self: self.array.nbytes)
    T = property(lambda self: there(self.array.T))
    mT = property(lambda self: there(self.array.mT))  # noqa: N815 - a name of the standard
    device = DEVICE

    def get(self):
        return self.array

    def __array__(self, *args, **kwargs):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __array_namespace__(self, api_version=None):
        return NAMESPACE

    def __array_function__(self, function, types, args, kwargs):
        return _on_device(function)(*args, **kwargs)

    def __getitem__(self, key):
        return there(self.array[here(key)])

    def __setitem__(self, key, value):
        self.array[here(key)] = here(value)

    def __len__(self):
        return len(self.array)

    def __bool__(self):
        return bool(self.array)

    def __float__(self):
        return float(self.array)

    def __int__(self):
        return int(self.array)

    def copy(self):
        return there(self.array.copy())


def _operator(name):
    method = getattr(np.ndarray, name)
    return lambda self, *others: there(method(self.array, *(here(other) for other in others)))


for _name in (
    *("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "matmul"),
    *("lt", "le", "gt", "ge", "eq", "ne", "neg", "abs", "and", "or", "invert", "iadd", "imul"),
):
    setattr(DeviceArray, f"__{_name}__", _operator(f"__{_name}__"))
DeviceArray.__hash__ = object.__hash__
