"""Dask arrays: their checks, lazy results for their blocks, and where warnings of tasks go."""

from typing import Any

import numpy as np

from .._array import is_dask
from .._validation import warn
from ._files import by_name


def dask_array():
    """The module dask.array; raises with the cure where dask is missing."""
    try:
        import dask.array
    except ImportError as error:
        raise ImportError(
            "skdict_sup.parallel needs dask: install it by "
            'pip install "skdict-sup[parallel]" or pip install "dask[array,distributed]".'
        ) from error
    return dask.array


def _delayed():
    """The function dask.delayed."""
    from dask.delayed import delayed

    return delayed


def whole_rows(X, name="X"):
    """A dask array of two dimensions whose blocks have all columns, of float32 or float64."""
    da = dask_array()
    if not is_dask(X):
        if not (hasattr(X, "shape") and hasattr(X, "dtype") and hasattr(X, "__getitem__")):
            raise TypeError(
                f"{name} must be a dask array or an array that dask reads block by block (a "
                f"memory map, Zarr), got {type(X).__name__}; dask.array.from_array makes one."
            )
        X = by_name(X)
        chunks: Any = ("auto", X.shape[1]) if len(X.shape) == 2 else "auto"
        X = da.from_array(X, chunks=chunks)
    if X.ndim != 2:
        raise ValueError(f"{name} must be 2-dimensional, (rows, columns), got shape {X.shape}.")
    if X.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got dtype {X.dtype}.")
    if np.isnan(X.shape[1]):
        raise ValueError(
            f"{name} must have a known number of columns; call {name}.compute_chunk_sizes()."
        )
    X = whole_columns(X)
    return X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)


def known_rows(X, name="X"):
    """Raise unless the number of rows of each block is known."""
    if any(np.isnan(n) for n in X.chunks[0]):
        raise ValueError(
            f"{name} must have blocks of known sizes to be learned from; call "
            f"{name}.compute_chunk_sizes() first."
        )
    return X


def whole_columns(array):
    """A dask array whose blocks have all columns."""
    return array.rechunk({1: -1}) if array.ndim > 1 and array.numblocks[1] > 1 else array


def like_rows(array, X, name):
    """A dask array with the row blocks of X, for what belongs to its signals; None is None."""
    if array is None:
        return None
    da = dask_array()
    if not is_dask(array):
        array = array if hasattr(array, "shape") else np.asarray(array)
        array = da.from_array(array, chunks="auto")
    if array.ndim == 2 and array.shape[1] != X.shape[1]:
        raise ValueError(
            f"{name} must have one column per column of X: got {array.shape[1]} columns for "
            f"{X.shape[1]} of X."
        )
    if array.shape[0] != X.shape[0] and not np.isnan([array.shape[0], X.shape[0]]).any():
        raise ValueError(
            f"{name} must have one row per row of X: got {array.shape[0]} rows for "
            f"{X.shape[0]} of X."
        )
    array = whole_columns(array)
    if any(np.isnan(n) for n in X.chunks[0]):
        if array.numblocks[0] != X.numblocks[0]:
            raise ValueError(
                f"{name} must have the row blocks of X, whose sizes are not known; call "
                "X.compute_chunk_sizes()."
            )
        return array
    return array.rechunk({0: X.chunks[0]})


def _starts(X):
    """First row of each block, or None where blocks have unknown sizes."""
    sizes = X.chunks[0]
    if any(np.isnan(n) for n in sizes):
        return [None] * len(sizes)
    return [int(start) for start in np.cumsum([0, *sizes[:-1]])]


def _call_block(*blocks, function, model, starts, block_id=None):
    """Call the function of a task, which dask tells the number of the block."""
    i = block_id[0] if block_id else 0
    return function(*blocks, model=model, place=(i, starts[i]), report=report)


def map_rows(function, X, arrays, model, like):
    """Lazy results of a function for the blocks of X and further arrays.

    `like` is the result for one row, whose columns and types are those of all.
    """
    da, model = dask_array(), delayed(model)
    columns = [array if array.ndim == 2 else array[:, None] for array in arrays]
    starts = _delayed()(_starts(X), traverse=False)
    settings = {"function": function, "model": model, "starts": starts}
    if like.ndim == 1:
        shape = {"chunks": (X.chunks[0],), "drop_axis": 1}
    else:
        shape = {"chunks": (X.chunks[0], (like.shape[1],))}
    return da.map_blocks(_call_block, X, *columns, **settings, **shape, meta=_meta(like))


def delayed_blocks(function, X, arrays, model):
    """Delayed results of a function for the blocks of X and further arrays."""
    model, starts = delayed(model), _starts(X)
    columns = [array if array.ndim == 2 else array[:, None] for array in arrays]
    blocks = zip(*(array.to_delayed().ravel() for array in (X, *columns)), strict=True)
    task = _delayed()(function)
    return [
        task(*block, model=model, place=(i, starts[i]), report=report)
        for i, block in enumerate(blocks)
    ]


def delayed(model):
    """A model as one node of a graph."""
    return _delayed()(model, name=model.name, traverse=False)


def join(solutions, name, sizes, like):
    """Dask array of one field of delayed records, whose blocks have some numbers of rows."""
    da, meta = dask_array(), _meta(like)
    take = _delayed()(getattr)
    parts = [
        da.from_delayed(take(solution, name), (n, *like.shape[1:]), meta=meta)
        for solution, n in zip(solutions, sizes, strict=True)
    ]
    return da.concatenate(parts)


def _meta(like):
    """Empty array by which dask knows the type of blocks."""
    if hasattr(like, "tocsr"):
        return type(like)((0, 0), dtype=like.dtype)
    if not hasattr(like, "__array_function__"):
        kind = f"{type(like).__module__}.{type(like).__qualname__}"
        raise TypeError(
            f"device must be None or cupy for lazy results, got one whose results are {kind}: "
            "blocks of dask arrays are arrays of NumPy or CuPy, or CSR matrices."
        )
    return like[:0]


def take(X, ranges):
    """Rows in some ranges of a dask array, in memory."""
    return dask_array().concatenate([X[start:stop] for start, stop in ranges]).compute()


def report_once(found):
    """Issue the first warning of each category."""
    for category in {category: None for _, category in found}:
        messages = [message for message, other in found if other is category]
        report(messages[0], category)


def report(message, category):
    """Issue a warning: from a worker of a cluster, in the process of its client."""
    try:
        from distributed import get_worker
        from distributed.worker import warn as warn_client

        get_worker()
    except (ImportError, ValueError):
        warn(message, category)
        return
    warn_client(message, category)
