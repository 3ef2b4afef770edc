"""The one door to the array libraries: everything above speaks the array API standard.

Names of array libraries stand here and in `kernels/`, nowhere else.
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
    "from_numpy_view",
    "has_float64",
    "in_float64",
    "is_array",
    "is_cupy",
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
    "take_rows",
    "to_numpy",
    "unboxed",
    "unflagged",
]

ROWS = 48  # a multiple of the tiles of matrix products
_SMALL_PRODUCT = 100**3  # multiplications up to which OpenBLAS has kernels of their own


def namespace(*arrays: Any) -> Any:
    """Array API namespace shared by the given arrays; None and Python scalars don't vote."""
    voters = [a for a in arrays if is_array_api_obj(a)]
    return array_api_compat.array_namespace(*voters)


def is_array(value):
    """Whether value is an array of a library that speaks the standard (lists aren't)."""
    return is_array_api_obj(value) and hasattr(value, "shape")


def is_numpy(*arrays):
    """Whether every given array is a NumPy array."""
    return all(is_numpy_array(a) for a in arrays)


def is_cupy(*arrays):
    """Whether every given array is a CuPy array."""
    return all(is_cupy_array(a) for a in arrays)


def is_torch(*arrays):
    """Whether every given array is a torch tensor."""
    return all(is_torch_array(a) for a in arrays)


def is_sparse(value):
    """Whether value is a SciPy sparse matrix or array."""
    return hasattr(value, "tocsr")


def is_lazy(value):
    """Whether value stands for a computation that is still to come, as dask arrays do."""
    graph = getattr(value, "__dask_graph__", None)
    return callable(graph) and graph() is not None


def is_differentiated(value):
    """Whether a graph of gradients is recorded for value, which no code of ours goes on with."""
    if not (is_array(value) and is_torch_array(value) and value.requires_grad):
        return False
    return sys.modules["torch"].is_grad_enabled()


def detached(array):
    """The array without the graph of gradients that torch may keep for it."""
    return array.detach() if is_torch_array(array) else array


def dense(array):
    """The array, or a sparse matrix (of few rows) as a NumPy array."""
    return array.toarray() if is_sparse(array) else array


def eps(array):
    """Machine epsilon of the array's dtype, as a float."""
    return float(namespace(array).finfo(array.dtype).eps)


def has_float64(array):
    """Whether the device that an array lives on has float64."""
    info = namespace(array).__array_namespace_info__()
    return "float64" in info.dtypes(device=device_of(array))


def in_float64(array):
    """The array as a factor of products that need accuracy: float32 in float64, if there is one.

    A float32 product over m terms errs by some sqrt(m) units: at small lam that alone is worth
    more than the duality gap that float32 codes can reach.
    """
    xp = namespace(array)
    if array.dtype == xp.float32 and has_float64(array):
        return xp.astype(array, xp.float64)
    return array


def unflagged():
    """Context or decorator in which NumPy does not warn of results that are not finite.

    What is not finite is looked for among results. Flags of the processor tell less: the products
    of OpenBLAS raise them for finite numbers too, from lanes that no result depends on.
    """
    return np.errstate(over="ignore", divide="ignore", invalid="ignore")


def narrow(array, dtype):
    """The array in a dtype; numbers beyond its range become infinite without a warning."""
    with unflagged():
        return namespace(array).astype(array, dtype, copy=False)


def on_host(array):
    """Whether an array lives in host memory."""
    return "cpu" in str(device_of(array)).lower()


def as_numpy_view(array):
    """A torch tensor in host memory as the NumPy array that shares it; others as they are."""
    if not is_torch_array(array) or not on_host(array):
        return array
    return array.detach().numpy()


def from_numpy_view(array, like):
    """A NumPy array as an array of the library of `like`, without a copy; others as they are."""
    if is_numpy_array(array) and not is_numpy_array(like):
        return namespace(like).from_dlpack(array)
    return array


def rows_times(array, matrix):
    """Matrix product of which each row depends on nothing but that row, bit for bit, for NumPy.

    Matrix products round the last few rows in another way than full tiles: rows of zeros fill
    them up to a multiple of ROWS. Small products have kernels of their own, which round in
    another way again: where ROWS rows are one, every product has so many. Products in float32
    round a row by its place within a tile, on processors without AVX-512: they are made in
    float64. Rows in another order than C's would be multiplied as a transpose: they are copied.
    All this holds where BLAS has one thread, as in `_threads.computing`.
    """
    if not is_numpy_array(array):
        return array @ matrix
    (n, k), p = array.shape, matrix.shape[1]
    if n % ROWS:
        filled = np.zeros((n + -n % ROWS, k))
        filled[:n] = array
    else:
        filled = np.ascontiguousarray(in_float64(array))
    n_filled = filled.shape[0]
    if ROWS * k * p <= _SMALL_PRODUCT:
        filled = filled.reshape(n_filled // ROWS, ROWS, k)
    product = (filled @ in_float64(matrix)).reshape(n_filled, p)
    return product[:n].astype(array.dtype, copy=False)


def to_numpy(array: Any) -> Any:
    """Copy an array to host memory as NumPy; NumPy arrays and lists come back as they are."""
    if not is_array_api_obj(array) or is_numpy_array(array):
        return np.asarray(array)
    there: Any = array
    if is_torch_array(array):
        return there.detach().cpu().numpy()
    return there.get() if hasattr(there, "get") else np.from_dlpack(there)


def unboxed(value):
    """Number of a NumPy scalar or of an array without dimensions; others as they are."""
    if isinstance(value, np.generic) or (is_array(value) and value.ndim == 0):
        return value.item() if hasattr(value, "item") else to_numpy(value).item()
    return value


def astype_like(value, like):
    """`value` as an array in the namespace, dtype and device of `like`."""
    xp = namespace(like)
    if is_array_api_obj(value) and namespace(value) is xp:
        value = xp.astype(value, like.dtype, copy=False)
        there = device_of(value) == device_of(like)
        return value if there else to_device(value, device_of(like))
    value = to_numpy(value)
    value = value if value.flags.writeable else value.copy()  # torch would share it, and warn
    return xp.asarray(value, dtype=like.dtype, device=device_of(like))


def take_rows(array, rows):
    """Rows of an array at NumPy integer positions, wherever the array lives."""
    if is_numpy_array(array) or is_sparse(array):
        return array[rows]
    xp = namespace(array)
    return xp.take(array, xp.asarray(rows, device=device_of(array)), axis=0)


def set_rows(array, values, rows):
    """A copy of an array with other values at NumPy integer positions."""
    if is_numpy_array(array):
        array = array.copy()
        array[rows] = values
        return array
    order = np.arange(array.shape[0])
    order[rows] = array.shape[0] + np.arange(len(rows))
    return take_rows(namespace(array).concat([array, values], axis=0), order)


def check_same_device(**arrays):
    """Raise unless all named arrays share one array library and one device."""
    given = {name: a for name, a in arrays.items() if a is not None}
    homes = {name: (namespace(a).__name__, str(device_of(a))) for name, a in given.items()}
    (first, home), *rest = homes.items()
    for name, other in rest:
        if other != home:
            raise ValueError(
                f"{name} lives in {other[0]} on {other[1]}, but {first} lives in {home[0]} on "
                f"{home[1]}; move one of them so that both share one array library and device "
                "(skdict_sup.to_device moves a fitted estimator)."
            )


def resolve_device(name, parameter):
    """Array library of a name such as "cupy" or "torch:cuda:0", and keywords for its device."""
    module, _, place = name.partition(":")
    try:
        library = import_module(module)
        where = {"device": _device(library, place)} if place else {}
        library.zeros(1, **where)
    except (ImportError, AttributeError, RuntimeError, ValueError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{parameter} must be an array library, with the name of a device after a colon where "
            f"it is not the default one, such as 'torch:cuda' or 'cupy', got {name!r}: {reason}"
        ) from None
    return library, where


def _device(library, place):
    """Device of a library by its name; numbers are those of CUDA devices."""
    if place.isdigit():
        return library.cuda.Device(int(place))
    return getattr(library, "Device", str)(place)
