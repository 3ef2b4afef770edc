"""Signals in arrays, in sparse matrices or in host memory, behind one interface.

Solvers and learners see batches, which are arrays, and the few other methods of `Signals`. To
support another kind of signals, add a subclass.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ._array import (
    astype_like,
    is_numpy,
    is_sparse,
    namespace,
    resolve_device,
    take_rows,
    to_numpy,
)
from ._records import Observations
from ._threads import slices
from ._validation import check_matrix, non_finite_rows, refuse_non_finite

_MAX_ROWS = 65_536  # signals in a batch, in a pass over all signals
_MAX_ENTRIES = 2**24  # entries of a batch, in such a pass


class Signals(ABC):
    """Signals as rows; `rows` selects signals, and `dense` converts them to an array.

    A subclass defines these two methods, `shape` and `like`, and overrides the methods that it can
    compute faster than batch by batch.
    """

    name: ClassVar = "X"  # in messages
    cure: ClassVar[str | None] = None  # what to do about NaN, in messages; None is the usual one
    is_single_array: ClassVar = False  # whether the signals are already one dense array
    has_weights: ClassVar = False  # whether entries may be missing or have weights
    is_sparse: ClassVar = False  # whether most entries are zeros that are not stored

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(n_samples, n_features)."""

    @property
    @abstractmethod
    def like(self) -> Any:
        """An array of any shape, with the library, device and dtype of the batches."""

    @abstractmethod
    def rows(self, rows) -> "Signals":
        """Select signals by a slice or by NumPy integer positions."""

    @abstractmethod
    def dense(self) -> Any:
        """Array of all signals (n_samples, n_features), which callers must not modify."""

    @property
    def dtype(self):
        """Data type of the batches."""
        return self.like.dtype

    def batch(self, rows):
        """Array of the signals of a slice or at NumPy integer positions."""
        return self.rows(rows).dense()

    def observations(self, rows):
        """`Observations` of a slice or at NumPy integer positions."""
        return self.rows(rows).observed()

    def observed(self):
        """All signals as `Observations`, with the weights of their entries if they have any."""
        return Observations(self.dense())

    def on_host(self):
        """The signals in host memory, with NumPy batches."""
        return self if is_numpy(self.like) else Dense(to_numpy(self.dense()))

    def __matmul__(self, matrix):
        """Product with a matrix (n_features, n), with the weights of entries, as a dense array."""
        parts = [self.observations(rows).weighted @ matrix for rows in self._slices()]
        return namespace(self.like).concat(parts, axis=0)

    def least(self):
        """Smallest entry."""
        xp = namespace(self.like)
        return min(float(xp.min(self.batch(rows))) for rows in self._slices())

    def sums(self):
        """Sums of the signals, in NumPy float64: (n_samples,)."""
        xp = namespace(self.like)
        parts = [to_numpy(xp.sum(self.batch(rows), axis=1)) for rows in self._slices()]
        return np.concatenate(parts, dtype=np.float64)

    def non_finite(self):
        """Indices of the signals with a NaN or infinite entry."""
        parts = [rows.start + non_finite_rows(self.batch(rows)) for rows in self._slices()]
        return np.concatenate(parts)

    def check_finite(self):
        """Raise if an entry is NaN or infinite."""
        refuse_non_finite(self.non_finite(), self.name, self.cure)

    def replaced(self, where, signal):
        """Replace signals, where a mask is true, by `signal` of shape (1, n_features)."""
        return _Replaced(self, where, signal)

    def _slices(self):
        """Slices for a pass over all signals."""
        n_rows = max(1, min(_MAX_ROWS, _MAX_ENTRIES // self.shape[1]))
        return slices(self.shape[0], n_rows)


@dataclass(frozen=True, eq=False)
class Dense(Signals):
    """Signals in one array of any library; batches of consecutive signals are views."""

    array: Any
    is_single_array: ClassVar = True

    @property
    def shape(self):
        """(n_samples, n_features)."""
        return self.array.shape

    @property
    def like(self):
        """The array itself."""
        return self.array

    def in_dtype(self, names):
        """The signals in the first of some dtypes, given by name, unless theirs is among them."""
        if any(name in str(self.array.dtype) for name in names):
            return self
        xp = namespace(self.array)
        return Dense(xp.astype(self.array, getattr(xp, names[0])))

    def rows(self, rows):
        """Select signals by a slice or by NumPy integer positions."""
        array = self.array
        return Dense(array[rows, :] if isinstance(rows, slice) else take_rows(array, rows))

    def dense(self):
        """The array itself."""
        return self.array

    def __matmul__(self, matrix):
        return self.array @ matrix

    def replaced(self, where, signal):
        """Replace signals in a copy of the array."""
        return Dense(_replaced(self.array, where, signal))


@dataclass(frozen=True, eq=False)
class SparseRows(Signals):
    """Signals in a SciPy CSR matrix; only batches are made dense."""

    matrix: Any
    is_sparse: ClassVar = True

    @property
    def shape(self):
        """(n_samples, n_features)."""
        return self.matrix.shape

    @property
    def like(self):
        """The stored entries."""
        return self.matrix.data

    def rows(self, rows):
        """Select signals by a slice or by NumPy integer positions."""
        return SparseRows(self.matrix[rows, :])

    def dense(self):
        """Dense array of all signals."""
        return self.matrix.toarray()

    def __matmul__(self, matrix):
        return self.matrix @ matrix

    def least(self):
        """Smallest stored entry, or zero if there is none."""
        return float(self.matrix.data.min(initial=0.0))

    def sums(self):
        """Sums of the signals."""
        return np.asarray(self.matrix.sum(axis=1), np.float64).ravel()

    def non_finite(self):
        """Indices of the signals with a NaN or infinite entry."""
        bad = ~np.isfinite(self.matrix.data)
        return np.unique(np.searchsorted(self.matrix.indptr, bad.nonzero()[0], "right") - 1)


@dataclass(frozen=True, eq=False)
class HostSignals(Signals):
    """Signals that stay in host memory; only their batches are copied to a device.

    `host` are signals with NumPy batches, `empty` is an empty array on the device.
    """

    host: Signals
    empty: Any

    @property
    def shape(self):
        """(n_samples, n_features)."""
        return self.host.shape

    @property
    def has_weights(self):
        """Whether entries may be missing or have weights."""
        return self.host.has_weights

    @property
    def is_sparse(self):
        """Whether most entries are zeros that are not stored."""
        return self.host.is_sparse

    @property
    def like(self):
        """The empty array on the device."""
        return self.empty

    def rows(self, rows):
        """Select signals, which stay in host memory."""
        return HostSignals(self.host.rows(rows), self.empty)

    def dense(self):
        """Array of all signals, on the device."""
        return self.observed().values

    def observed(self):
        """All signals with their weights, on the device."""
        # copied, since torch would share the memory
        return self.host.observed().map(lambda array: astype_like(np.array(array), self.like))

    def on_host(self):
        """The signals in host memory."""
        return self.host


@dataclass(frozen=True, eq=False)
class Wrapped(Signals):
    """Base of signals that are those of a source, with other values."""

    source: Signals

    @property
    def shape(self):
        """(n_samples, n_features)."""
        return self.source.shape

    @property
    def like(self):
        """An array with the library, device and dtype of the batches."""
        return self.source.like

    @property
    def is_sparse(self):
        """Whether most entries are zeros that are not stored."""
        return self.source.is_sparse


@dataclass(frozen=True, eq=False)
class _Replaced(Wrapped):
    """Signals with those where a mask is true replaced by one signal (1, n_features)."""

    where: np.ndarray
    signal: Any

    def rows(self, rows):
        return _Replaced(self.source.rows(rows), self.where[rows], self.signal)

    def dense(self):
        return _replaced(self.source.dense(), self.where, self.signal)

    def on_host(self):
        return _Replaced(self.source.on_host(), self.where, to_numpy(self.signal))

    def __matmul__(self, matrix):
        return _replaced(self.source @ matrix, self.where, self.signal @ matrix)


def _replaced(array, where, row):
    """Copy of an array with the rows where a mask is true replaced by one row."""
    return namespace(array).where(astype_like(where, array)[:, None] > 0, row, array)


def as_signals(X: Any) -> Signals:
    """Wrap an array or a SciPy sparse matrix in `Signals`; return `Signals` unchanged."""
    if isinstance(X, Signals):
        return X
    return SparseRows(X.tocsr()) if is_sparse(X) else Dense(X)


def check_signals(X: Any, finite=True) -> Signals:
    """Check an array, a SciPy sparse matrix or `Signals` from a user, and return `Signals`.

    Sparse matrices are always checked for NaN and infinity.
    """
    if is_sparse(X):
        return _check_sparse(X)
    if not isinstance(X, Signals):
        return Dense(check_matrix(X, "X", finite))
    if finite:
        X.check_finite()
    return X


def _check_sparse(X):
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(
            f"X must have two dimensions, at least one row and one column, got shape {X.shape}."
        )
    if X.dtype.kind not in "fiub":
        raise TypeError(f"X must hold real numbers, got dtype {X.dtype}.")
    X = X.tocsr()
    signals = SparseRows(X if X.dtype in (np.float32, np.float64) else X.astype(np.float64))
    signals.check_finite()
    return signals


def batches_on(X: Signals, device) -> Signals:
    """Signals whose batches are copied to a device such as "cupy" or "torch:cuda:0".

    The signals are returned unchanged if `device` is None or if their batches are not NumPy
    arrays.
    """
    if device is None or not is_numpy(X.like):
        return X
    if not isinstance(device, str):
        raise TypeError(f"device must be None or the name of an array library, got {device!r}.")
    library, device_kwargs = resolve_device(device, "device")
    zeros = namespace(library.zeros(1)).zeros
    return HostSignals(X, zeros(0, dtype=getattr(library, X.dtype.name), **device_kwargs))
