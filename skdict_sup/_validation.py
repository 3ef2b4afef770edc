"""Input validation; messages name the parameter, what is expected and what was given."""

import math
import numbers
import sys
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning  # the class that users already filter

from ._array import (
    check_same_device,
    detached,
    ignore_float_warnings,
    is_array,
    is_lazy,
    is_numpy,
    namespace,
    to_numpy,
)

__all__ = [
    "ConvergenceWarning",
    "check_finite",
    "check_matrix",
    "check_option",
    "check_plain",
    "check_scalar",
    "check_shapes",
    "check_sparse",
    "collect_warnings",
    "non_finite_rows",
    "refuse_non_finite",
    "warn",
    "warn_of_empty",
]

_collected: ContextVar[list | None] = ContextVar("collected", default=None)
# packages to skip when looking for the caller's line
_SKIPPED_PACKAGES = {
    *("skdict_sup", "sklearn", "joblib", "skops", "torch", "dask", "distributed"),
    *("contextlib", "copy", "pickle"),
}


def check_verbose(verbose: Any) -> None:
    """Raise unless a value of `verbose` is True, False or a number of at least 0."""
    if not isinstance(verbose, bool | np.bool_):
        check_scalar(verbose, "verbose", low=0, integer=True)


def check_scalar(
    value: Any, name, *, low=-math.inf, high=math.inf, strict=False, integer=False, also=""
) -> Any:
    """Return value if it is a number in [low, high], or in (low, high] if strict."""
    kind, word = (numbers.Integral, "an integer") if integer else (numbers.Real, "a number")
    bound = f"{word} {'>' if strict else '>='} {low:g}" if low > -math.inf else word
    bound += f" and <= {high:g}" if high < math.inf else ""
    expected = f"{name} must be {bound} {also}".rstrip()
    if isinstance(value, bool | np.bool_) or not isinstance(value, kind):
        raise TypeError(f"{expected}, got {value!r} of type {type(value).__name__}.")
    number: Any = value
    below = number <= low if strict else number < low
    if below or number > high or not math.isfinite(number):
        raise ValueError(f"{expected}, got {value!r}.")
    return value


def check_option(value, name, options):
    """Return value if it is one of the options, else raise ValueError."""
    if not (isinstance(value, str) and value in options):
        raise ValueError(f"{name} must be one of {sorted(options)}, got {value!r}.")
    return value


@contextmanager
def collect_warnings():
    """Collect the warnings of this package, as pairs of message and category, unissued."""
    found = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def warn(message, category=UserWarning):
    """Issue a warning that points to the line of the user's code that called the package."""
    collected = _collected.get()
    if collected is not None:
        collected.append((message, category))
        return
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in _SKIPPED_PACKAGES:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def warn_of_empty(n_rows):
    """Warn that signals of zeros are not distributions."""
    if n_rows:
        warn(
            f"X has {_count(n_rows)} of zeros, not distributions as transfer='softmax' expects: "
            "their codes minimise the prior alone. Remove such rows if they are not intended."
        )


def warn_of_unobserved(n_rows, n_all):
    """Warn that signals have no observed entry."""
    if n_rows:
        warn(
            f"{n_rows} of {n_all} signals have no observed entry: their codes minimise the prior "
            "alone."
        )


def warn_of_low_bounds(n_rows, n_all):
    """Warn that bounds on residuals cannot be met."""
    if n_rows:
        warn(
            f"max_residual is below the residual of least squares for {n_rows} of {n_all} "
            "signals: their codes are those of least squares, and do not count as converged."
        )


_MISSING = (
    "missing values of signals need mask=~np.isnan(X) in encode and code_vjp, or allow_nan=True "
    "in an estimator."
)


def check_plain(value, name):
    """Raise TypeError for masked arrays and lazy arrays."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} must be an array without a mask, got a masked array with "
            f"{np.ma.count_masked(value)} masked entries: the mask would be lost. Use "
            f"{name}.filled(0), for signals with mask=~np.ma.getmaskarray({name}), or remove the "
            "rows with masked entries."
        )
    if is_lazy(value):
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise TypeError(
            f"{name} must be an array in memory, got a lazy {kind}; "
            f"use {name}.map_blocks with a function of one block, skdict_sup.parallel for dask "
            f"arrays (parallel.fit, parallel.encode), or {name}.compute()."
        )


def check_matrix(array, name, finite=True):
    """Return a two-dimensional floating-point array in its own library, by default finite.

    Lists and integer NumPy arrays are converted to float64. Arrays of other libraries must be
    floating point already, because a conversion would hide a copy.
    """
    check_plain(array, name)
    array = detached(array) if is_array(array) and not is_numpy(array) else _as_float(array, name)
    xp = namespace(array)
    check_two_dimensional(array, name)
    if array.dtype not in (xp.float32, xp.float64):
        raise TypeError(f"{name} must hold float32 or float64 values, got dtype {array.dtype}.")
    if 0 in array.shape:
        raise ValueError(
            f"{name} must have at least one row and one column, got shape {tuple(array.shape)}."
        )
    if finite:
        check_finite(array, name)
    return array


def check_two_dimensional(array, name):
    """Raise ValueError for an array that has not two dimensions."""
    if array.ndim != 2:
        rows = f"images are rows of {name}.reshape(len({name}), -1)"
        if array.ndim == 3 and array.shape[2] in (3, 4):
            rows += ", patches of one image those of skdict_sup.image.extract_patches"
        cure = f"a single signal is {name}[None, :]" if array.ndim < 2 else rows
        raise ValueError(
            f"{name} must be 2-dimensional, (rows, columns), got shape {tuple(array.shape)}; "
            f"{cure}."
        )


@ignore_float_warnings()  # the sum of infinities of both signs is NaN
def non_finite_rows(array):
    """Indices of the rows of a matrix with a NaN or infinite entry."""
    xp = namespace(array)
    # if the sum is finite, so is every entry: this takes one pass and no mask
    if math.isfinite(float(xp.sum(array))) or bool(xp.all(xp.isfinite(array))):
        return np.zeros(0, np.int64)
    return to_numpy(xp.any(~xp.isfinite(array), axis=1)).nonzero()[0]


def refuse_non_finite(rows, name, cure=None):
    """Raise ValueError if a list of non-finite rows is not empty."""
    if len(rows):
        cure = _MISSING if cure is None and name == "X" else cure
        cure = cure or "missing values are not supported."
        raise ValueError(
            f"{name} must be finite, got NaN or infinity in {_count(len(rows))}, first in row "
            f"{rows[0]}; {cure}"
        )


def check_finite(array, name):
    """Raise ValueError if an entry of a matrix is NaN or infinite."""
    refuse_non_finite(non_finite_rows(array), name)


def _count(n_rows):
    return "1 row" if n_rows == 1 else f"{n_rows} rows"


def _as_float(array, name):
    if hasattr(array, "toarray"):
        raise TypeError(
            f"{name} must be a dense array, got {type(array).__name__}; use {name}.toarray()."
        )
    try:
        array = np.asarray(array)
    except ValueError as error:
        raise ValueError(
            f"{name} must be 2-dimensional, with rows of equal length: {error}"
        ) from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}.")
    is_float = array.dtype.newbyteorder("=") in (np.float32, np.float64)
    dtype = array.dtype.newbyteorder("=") if is_float else np.float64
    return array.astype(dtype, copy=False)


def check_shapes(X, dictionary, **codes):
    """Raise ValueError unless the shapes and devices of signals, dictionary and codes match."""
    check_same_device(X=X.like, dictionary=dictionary, **codes)
    if X.shape[1] != dictionary.shape[1]:
        cure = ""
        if X.shape[1] == dictionary.shape[0]:
            cure = "; atoms are rows: pass dictionary.T"
        elif X.shape[0] == dictionary.shape[0]:
            cure = "; signals and atoms are rows: pass X.T and dictionary.T if they are columns"
        raise ValueError(
            f"dictionary must have one column per feature of X: got a dictionary of shape "
            f"{tuple(dictionary.shape)} for X with {X.shape[1]} features{cure}."
        )
    for name, code in codes.items():
        if code is not None and tuple(code.shape) != (X.shape[0], dictionary.shape[0]):
            raise ValueError(
                f"{name} must have shape (n_samples, n_components) = "
                f"{(X.shape[0], dictionary.shape[0])}, got {tuple(code.shape)}."
            )


def check_sparse(matrix, name, shape):
    """Return a SciPy sparse matrix of codes in CSR format, after checking shape and values."""
    if tuple(matrix.shape) != shape:
        raise ValueError(
            f"{name} must have shape (n_samples, n_components) = {shape}, got {matrix.shape}."
        )
    if matrix.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got dtype {matrix.dtype}.")
    matrix = matrix.tocsr()
    if not np.isfinite(matrix.data).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity.")
    return matrix
