"""Signals, whatever they are stored as: all kinds give the same batches, which are arrays.

Whoever codes signals or learns from them asks for batches, and for the little else that `Signals`
has. A further kind is a further class.
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
from ._threads import slices
from ._validation import check_matrix, non_finite_rows, refuse_non_finite

_MAX_ROWS = 65_536  # signals of a batch, in a pass over all of them
_MAX_NUMBERS = 2**24  # entries of a batch, in such a pass


class Signals(ABC):
    """Signals as rows; `rows` selects some, and `dense` makes an array of them.

    A kind has these two, its `shape` and `like`, and what it can do faster than batch by batch.
    """

    is_whole: ClassVar = False  # whether the array of all signals is there already

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Numbers of signals and of features."""

    @property
    @abstractmethod
    def like(self) -> Any:
        """An array of the library, device and dtype of batches; its shape says nothing."""

    @abstractmethod
    def rows(self, rows) -> "Signals":
        """Some of the signals: those of a slice, or at NumPy integer positions."""

    @abstractmethod
    def dense(self) -> Any:
        """The array of all signals, (n_samples, n_features), which callers do not change."""

    @property
    def dtype(self):
        """Type of the entries of batches."""
        return self.like.dtype

    def batch(self, rows):
        """The array of some of the signals."""
        return self.rows(rows).dense()

    def on_host(self):
        """The signals as they are in host memory, where batches are NumPy arrays."""
        return self if is_numpy(self.like) else Dense(to_numpy(self.dense()))

    def __matmul__(self, matrix):
        """The array of the product with a matrix (n_features, any number)."""
        parts = [self.batch(rows) @ matrix for rows in self._slices()]
        return namespace(self.like).concat(parts, axis=0)

    def least(self):
        """The least entry."""
        xp = namespace(self.like)
        return min(float(xp.min(self.batch(rows))) for rows in self._slices())

    def sums(self):
        """Sum of each signal, as NumPy floats: (n_samples,)."""
        xp = namespace(self.like)
        parts = [to_numpy(xp.sum(self.batch(rows), axis=1)) for rows in self._slices()]
        return np.concatenate(parts, dtype=np.float64)

    def non_finite(self):
        """Numbers of the signals with an entry that is NaN or infinite."""
        parts = [rows.start + non_finite_rows(self.batch(rows)) for rows in self._slices()]
        return np.concatenate(parts)

    def check_finite(self):
        """Raise if an entry is NaN or infinite."""
        refuse_non_finite(self.non_finite(), "X")

    def replaced(self, where, signal):
        """Signals with `signal`, (1, n_features), in place of those where a mask is true."""
        return _Replaced(self, where, signal)

    def _slices(self):
        """Slices for a pass over all signals."""
        n_rows = max(1, min(_MAX_ROWS, _MAX_NUMBERS // self.shape[1]))
        return slices(self.shape[0], n_rows)


@dataclass(frozen=True, eq=False)
class Dense(Signals):
    """Signals in one array of any library; batches of consecutive ones are views of it."""

    array: Any
    is_whole: ClassVar = True

    @property
    def shape(self):
        """Numbers of signals and of features."""
        return self.array.shape

    @property
    def like(self):
        """The array itself."""
        return self.array

    def rows(self, rows):
        """Some of the signals."""
        array = self.array
        return Dense(array[rows, :] if isinstance(rows, slice) else take_rows(array, rows))

    def dense(self):
        """The array itself."""
        return self.array

    def __matmul__(self, matrix):
        return self.array @ matrix

    def replaced(self, where, signal):
        """Signals in a new array."""
        return Dense(_replaced(self.array, where, signal))


@dataclass(frozen=True, eq=False)
class SparseRows(Signals):
    """Signals in a SciPy CSR matrix, of which no more than a batch becomes dense."""

    matrix: Any

    @property
    def shape(self):
        """Numbers of signals and of features."""
        return self.matrix.shape

    @property
    def like(self):
        """The entries that are stored."""
        return self.matrix.data

    def rows(self, rows):
        """Some of the signals."""
        return SparseRows(self.matrix[rows, :])

    def dense(self):
        """The array of all signals."""
        return self.matrix.toarray()

    def __matmul__(self, matrix):
        return self.matrix @ matrix

    def least(self):
        """The least entry that is stored, or zero where none is."""
        return float(self.matrix.data.min(initial=0.0))

    def sums(self):
        """Sum of each signal."""
        return np.asarray(self.matrix.sum(axis=1), np.float64).ravel()

    def non_finite(self):
        """Numbers of the signals with an entry that is NaN or infinite."""
        bad = ~np.isfinite(self.matrix.data)
        return np.unique(np.searchsorted(self.matrix.indptr, bad.nonzero()[0], "right") - 1)


@dataclass(frozen=True, eq=False)
class HostSignals(Signals):
    """Signals that stay in host memory, and whose batches are copied to a device.

    `host` are signals with NumPy batches, `empty` an array of the device.
    """

    host: Signals
    empty: Any

    @property
    def shape(self):
        """Numbers of signals and of features."""
        return self.host.shape

    @property
    def like(self):
        """An empty array of the device."""
        return self.empty

    def rows(self, rows):
        """Some of the signals, which stay where they are."""
        return HostSignals(self.host.rows(rows), self.empty)

    def dense(self):
        """The array of all signals, on the device."""
        return astype_like(np.array(self.host.dense()), self.like)  # torch would share the memory

    def on_host(self):
        """The signals as they are in host memory."""
        return self.host


@dataclass(frozen=True, eq=False)
class _Replaced(Signals):
    """Signals of which one, (1, n_features), takes the place of those where a mask is true."""

    source: Signals
    where: np.ndarray
    signal: Any

    @property
    def shape(self):
        return self.source.shape

    @property
    def like(self):
        return self.source.like

    def rows(self, rows):
        return _Replaced(self.source.rows(rows), self.where[rows], self.signal)

    def dense(self):
        return _replaced(self.source.dense(), self.where, self.signal)

    def on_host(self):
        return _Replaced(self.source.on_host(), self.where, to_numpy(self.signal))

    def __matmul__(self, matrix):
        return _replaced(self.source @ matrix, self.where, self.signal @ matrix)


def _replaced(array, where, row):
    """A copy of an array with one row in place of those where a mask is true."""
    return namespace(array).where(astype_like(where, array)[:, None] > 0, row, array)


def as_signals(X: Any) -> Signals:
    """Signals of an array or a SciPy sparse matrix; signals as they are."""
    if isinstance(X, Signals):
        return X
    return SparseRows(X.tocsr()) if is_sparse(X) else Dense(X)


def check_signals(X: Any, finite=True) -> Signals:
    """Signals of what a user passes: a matrix as in `check_matrix`, a SciPy sparse one, `Signals`.

    Entries of sparse matrices are finite in any case.
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
            f"X must have 2 dimensions, at least 1 row(s) and one column, got shape {X.shape}."
        )
    if X.dtype.kind not in "fiub":
        raise TypeError(f"X must hold real numbers, got dtype {X.dtype}.")
    X = X.tocsr()
    signals = SparseRows(X if X.dtype in (np.float32, np.float64) else X.astype(np.float64))
    signals.check_finite()
    return signals


def batches_on(X: Signals, device) -> Signals:
    """Signals with batches on a device such as "cupy" or "torch:cuda:0"; None leaves them.

    Signals whose batches are arrays of another library than NumPy stay what they are.
    """
    if device is None or not is_numpy(X.like):
        return X
    if not isinstance(device, str):
        raise TypeError(f"device must be None or the name of an array library, got {device!r}.")
    library, where = resolve_device(device, "device")
    zeros = namespace(library.zeros(1)).zeros
    return HostSignals(X, zeros(0, dtype=getattr(library, X.dtype.name), **where))
