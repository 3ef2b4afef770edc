"""The only module, beside `kernels/`, that names array libraries.

All other modules are written for the array API standard.
"""

import sys
from importlib import import_module
from typing import Any

import array_api_compat
import numpy as np
from array_api_compat import device as device_of
from array_api_compat import (
    is_array_api_obj,
    is_cupy_array,
    is_numpy_array,
    is_torch_array,
    to_device,
)

__all__ = [
    "ROWS",
    "as_numpy_view",
    "astype_like",
    "check_same_device",
    "dense",
    "detached",
    "device_of",
    "eps",
    "exp_in_place",
    "from_numpy_view",
    "has_float64",
    "ignore_float_warnings",
    "is_array",
    "is_boolean",
    "is_cupy",
    "is_dask",
    "is_differentiated",
    "is_lazy",
    "is_numpy",
    "is_sparse",
    "is_torch",
    "namespace",
    "narrow",
    "on_host",
    "resolve_device",
    "rows_times",
    "set_rows",
    "take_columns",
    "take_rows",
    "to_float64",
    "to_numpy",
    "unwrap_scalar",
]

ROWS = 48  # a multiple of the tile height of BLAS matrix products
_NUMPY = array_api_compat.array_namespace(np.zeros(0))
_NO_ARRAYS = {bool, float, int, list, str, tuple, type(None)}
_SMALL_PRODUCT = 100**3  # OpenBLAS has special kernels up to this number of multiplications


def namespace(*arrays: Any) -> Any:
    """Array API namespace of the arrays; None and Python scalars are ignored."""
    if len(arrays) == 1 and type(arrays[0]) is np.ndarray:  # most calls: without a search
        return _NUMPY
    return array_api_compat.array_namespace(*(a for a in arrays if is_array_api_obj(a)))


def is_array(value):
    """Whether value is an array of an array API library; lists are not."""
    kind = type(value)
    if kind is np.ndarray or kind in _NO_ARRAYS:  # most calls: without a search
        return kind is np.ndarray
    return is_array_api_obj(value) and hasattr(value, "shape")


def is_boolean(array):
    """Whether the entries of an array are true or false."""
    if type(array) is np.ndarray:
        return array.dtype.kind == "b"
    return "bool" in str(array.dtype)


def is_numpy(*arrays):
    """Whether all arrays are NumPy arrays."""
    return all(type(a) is np.ndarray or is_numpy_array(a) for a in arrays)


def is_cupy(*arrays):
    """Whether all arrays are CuPy arrays."""
    return all(is_cupy_array(a) for a in arrays)


def is_torch(*arrays):
    """Whether all arrays are torch tensors."""
    return all(is_torch_array(a) for a in arrays)


def is_sparse(value):
    """Whether value is a SciPy sparse matrix or array."""
    return hasattr(value, "tocsr")


def is_lazy(value):
    """Whether value is a lazy array, such as a dask array."""
    graph = getattr(value, "__dask_graph__", None)
    return callable(graph) and graph() is not None


def is_dask(value):
    """Whether value is a dask array."""
    return type(value).__module__.partition(".")[0] == "dask" and hasattr(value, "to_delayed")


def is_differentiated(value):
    """Whether value is a tensor that autograd tracks; this package does not extend its graph."""
    if not (is_array(value) and is_torch_array(value) and value.requires_grad):
        return False
    return sys.modules["torch"].is_grad_enabled()


def detached(array):
    """The array, detached from the autograd graph if it is a torch tensor."""
    return array.detach() if is_torch_array(array) else array


def dense(array):
    """Convert a sparse matrix (of few rows) to a NumPy array; return other arrays unchanged."""
    return array.toarray() if is_sparse(array) else array


def eps(array):
    """Machine epsilon of the array's dtype, as a float."""
    return float(namespace(array).finfo(array.dtype).eps)


def has_float64(array):
    """Whether the device of an array supports float64."""
    info = namespace(array).__array_namespace_info__()
    return "float64" in info.dtypes(device=device_of(array))


def to_float64(array):
    """Convert float32 to float64 where the device supports it, for accurate matrix products.

    A float32 product over m terms has an error of about sqrt(m) units in the last place. At small
    lam this alone exceeds the duality gap that float32 codes can reach.
    """
    xp = namespace(array)
    if array.dtype == xp.float32 and has_float64(array):
        return xp.astype(array, xp.float64)
    return array


def ignore_float_warnings():
    """Context manager or decorator that silences NumPy's floating-point warnings.

    Results are checked for NaN and infinity instead. The floating-point flags of the processor are
    unreliable: OpenBLAS also raises them for finite results, from unused vector lanes.
    """
    return np.errstate(over="ignore", divide="ignore", invalid="ignore")


def narrow(array, dtype):
    """Cast an array to a dtype; numbers beyond its range silently become infinite."""
    with ignore_float_warnings():
        return namespace(array).astype(array, dtype, copy=False)


def exp_in_place(array):
    """Replace the entries of an array by their exponentials, where possible; return the array."""
    if type(array) is np.ndarray:
        return np.exp(array, out=array)
    return namespace(array).exp(array)


def on_host(array):
    """Whether an array is in host memory."""
    return "cpu" in str(device_of(array)).lower()


def as_numpy_view(array: Any) -> Any:
    """NumPy view of a torch tensor in host memory; other arrays are returned unchanged."""
    if not is_torch_array(array) or not on_host(array):
        return array
    return array.detach().numpy()


def from_numpy_view(array: Any, like: Any) -> Any:
    """View of a NumPy array in the library of `like`; other arrays are returned unchanged."""
    if is_numpy_array(array) and not is_numpy_array(like):
        return namespace(like).from_dlpack(array)
    return array


def rows_times(array, matrix):
    """Matrix product in which each row depends, bit for bit, on that row alone (for NumPy).

    BLAS breaks this in four ways, each of which is avoided here. It rounds the last rows
    differently from full tiles: rows of zeros fill the array up to a multiple of ROWS. OpenBLAS
    has special kernels for small products, which round differently: if ROWS rows are such a small
    product, the rows are multiplied in blocks of ROWS. Without AVX-512, a float32 product rounds a
    row by its position in a tile: products are computed in float64. Arrays that are not in C order
    would be multiplied as a transpose: they are copied.
    BLAS must have one thread, as in `_threads.one_blas_thread`.
    """
    if not is_numpy_array(array):
        return array @ matrix
    (n, k), p = array.shape, matrix.shape[1]
    if n % ROWS:
        padded = np.zeros((n + -n % ROWS, k))
        padded[:n] = array
    else:
        padded = np.ascontiguousarray(to_float64(array))
    n_padded = padded.shape[0]
    if ROWS * k * p <= _SMALL_PRODUCT:
        padded = padded.reshape(n_padded // ROWS, ROWS, k)
    product = (padded @ to_float64(matrix)).reshape(n_padded, p)
    return product[:n].astype(array.dtype, copy=False)


def to_numpy(array: Any) -> Any:
    """Copy an array to host memory as a NumPy array; NumPy arrays are not copied."""
    if not is_array_api_obj(array) or is_numpy_array(array):
        return np.asarray(array)
    device_array: Any = array
    if is_torch_array(array):
        return device_array.detach().cpu().numpy()
    has_get = hasattr(device_array, "get")  # CuPy
    return device_array.get() if has_get else np.from_dlpack(device_array)


def unwrap_scalar(value):
    """Convert a NumPy scalar or a 0-d array to a Python scalar; return other values unchanged."""
    if isinstance(value, np.generic) or (is_array(value) and value.ndim == 0):
        return value.item() if hasattr(value, "item") else to_numpy(value).item()
    return value


def astype_like(value, like):
    """`value` as an array in the namespace, dtype and device of `like`."""
    if type(value) is type(like) is np.ndarray:
        return value.astype(like.dtype, copy=False)
    xp = namespace(like)
    if is_array_api_obj(value) and namespace(value) is xp:
        value = xp.astype(value, like.dtype, copy=False)
        is_same_device = device_of(value) == device_of(like)
        return value if is_same_device else to_device(value, device_of(like))
    value = to_numpy(value)
    # torch would share read-only memory, and warn
    value = value if value.flags.writeable else value.copy()
    return xp.asarray(value, dtype=like.dtype, device=device_of(like))


def take_rows(array, rows):
    """Select rows of an array, on any device, by NumPy integer positions."""
    if is_numpy_array(array) or is_sparse(array):
        return array[rows]
    xp = namespace(array)
    return xp.take(array, xp.asarray(rows, device=device_of(array)), axis=0)


def take_columns(array, columns):
    """Select columns of an array, on any device, by NumPy integer positions."""
    if is_numpy_array(array):
        return array[:, columns]
    xp = namespace(array)
    return xp.take(array, xp.asarray(columns, device=device_of(array)), axis=1)


def set_rows(array, values, rows):
    """Copy of an array with the rows at NumPy integer positions replaced by values."""
    if is_numpy_array(array):
        array = array.copy()
        array[rows] = values
        return array
    order = np.arange(array.shape[0])
    order[rows] = array.shape[0] + np.arange(len(rows))
    return take_rows(namespace(array).concat([array, values], axis=0), order)


def check_same_device(**arrays):
    """Raise ValueError unless all arrays, named by keyword, share one library and device."""
    places = {
        name: (namespace(array).__name__.removeprefix("array_api_compat."), str(device_of(array)))
        for name, array in arrays.items()
        if array is not None
    }
    (first, expected), *others = places.items()
    for name, place in others:
        if place != expected:
            raise ValueError(
                f"{name} is an array of {place[0]} on {place[1]}, but {first} is an array of "
                f"{expected[0]} on {expected[1]}; move one of them so that both have the same "
                "library and device (skdict_sup.to_device moves a fitted estimator)."
            )


def resolve_device(name, parameter):
    """Array library and device keywords for a name such as "cupy" or "torch:cuda:0"."""
    module, _, device = name.partition(":")
    try:
        library = import_module(module)
        device_kwargs = {"device": _device(library, device)} if device else {}
        library.zeros(1, **device_kwargs)
    except (
        ImportError,
        AttributeError,
        RuntimeError,
        TypeError,
        ValueError,
        AssertionError,
    ) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{parameter} must be the name of an installed array library, optionally followed by "
            f"a colon and a device, such as 'torch:cuda' or 'cupy', got {name!r}: {reason}"
        ) from None
    return library, device_kwargs


def _device(library, name):
    """Device object of a library for a device name; a number is a CUDA device number."""
    if name.isdigit():
        return library.cuda.Device(int(name))
    return getattr(library, "Device", str)(name)
