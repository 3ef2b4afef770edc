"""Signals with missing entries, or with a weight for each entry."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ._array import astype_like, is_array, is_sparse, namespace, take_rows, to_numpy
from ._records import Observations
from ._signals import Dense, Wrapped, as_signals, check_signals
from ._validation import check_matrix, check_plain


@dataclass(frozen=True, eq=False)
class WeightedSignals(Wrapped):
    """Signals with weights >= 0 of their entries: an array, or a mask of the observed entries.

    Entries of weight zero are missing: whatever their value, batches have zeros there. Products
    are weighted.
    """

    cure: ClassVar[str | None] = (
        "these entries are marked as observed: mask must be False, or entry_weight zero, where "
        "entries are missing."
    )

    has_weights: ClassVar = True
    weight: Any  # an array like the signals or a CSR matrix, of booleans or numbers

    def rows(self, rows):
        """Select signals with their weights."""
        is_view = isinstance(rows, slice) or is_sparse(self.weight)
        weight = self.weight[rows, :] if is_view else take_rows(self.weight, rows)
        return WeightedSignals(self.source.rows(rows), weight)

    def dense(self):
        """Array of all signals, with zeros in place of missing entries."""
        return self.observed().values

    def observed(self):
        """All signals with their weights."""
        values = self.source.dense()
        weight = self.weight.toarray() if is_sparse(self.weight) else self.weight
        weight = astype_like(weight, values)
        xp = namespace(values)
        return Observations(xp.where(weight > 0, values, xp.zeros_like(values)), weight)

    def n_empty(self):
        """Number of signals without an observed entry."""
        if is_sparse(self.weight):
            return int((np.asarray(abs(self.weight).sum(axis=1)).ravel() == 0).sum())
        xp = namespace(self.weight)
        is_observed = xp.any(xp.astype(self.weight, xp.bool), axis=1)
        return int(xp.sum(xp.astype(~is_observed, xp.int64)))

    def on_host(self):
        """The signals in host memory."""
        weight = self.weight if is_sparse(self.weight) else to_numpy(self.weight)
        return WeightedSignals(self.source.on_host(), weight)


@dataclass(frozen=True, eq=False)
class MissingSignals(Wrapped):
    """Signals with NaN in place of missing entries, where batches have zeros."""

    has_weights: ClassVar = True

    def rows(self, rows):
        """Select signals."""
        return MissingSignals(self.source.rows(rows))

    def dense(self):
        """Array of all signals, with zeros in place of missing entries."""
        return self.observed().values

    def observed(self):
        """All signals, with weight zero for missing entries and one for others."""
        return without_nan(self.source.dense())

    def on_host(self):
        """The signals in host memory."""
        return MissingSignals(self.source.on_host())

    def is_whole(self):
        """Whether no entry is missing."""
        xp = namespace(self.like)
        return not any(bool(xp.any(xp.isnan(self.source.batch(rows)))) for rows in self._slices())

    def n_empty(self):
        """Number of signals without an observed entry."""
        xp, count = namespace(self.like), 0
        for rows in self._slices():
            is_missing = xp.isnan(self.source.batch(rows))
            count += int(xp.sum(xp.astype(xp.all(is_missing, axis=1), xp.int64)))
        return count


def without_nan(array):
    """Observations of an array in which NaN stands for missing entries.

    Without any, there are no weights.
    """
    xp = namespace(array)
    is_missing = xp.isnan(array)
    if not bool(xp.any(is_missing)):
        return Observations(array, None)
    values = xp.where(is_missing, xp.zeros_like(array), array)
    return Observations(values, xp.astype(~is_missing, array.dtype))


def signals_of(X):
    """`Signals` of an array, of `Observations`, or of `Signals`."""
    if not isinstance(X, Observations):
        return as_signals(X)
    return Dense(X.values) if X.weight is None else WeightedSignals(Dense(X.values), X.weight)


def filled_by_means(X):
    """Array of all signals, with the means of their features in place of missing entries."""
    X = X.observed()
    if X.weight is None:
        return X.values
    xp = namespace(X.values)
    total = xp.sum(X.weight, axis=0)
    is_observed = total > 0
    means = xp.sum(X.weighted, axis=0) / xp.where(is_observed, total, xp.ones_like(total))
    return X.filled(means[None, :])


def weighted_signals(X, mask, entry_weight):
    """`Signals` with the weights of their entries, from arguments of a user."""
    if mask is not None and entry_weight is not None:
        raise ValueError(
            "mask and entry_weight must not both be given: a mask is the case of weights 0 and 1; "
            "set entry_weight to zero where entries are missing."
        )
    name, weight = ("mask", mask) if entry_weight is None else ("entry_weight", entry_weight)
    X = check_signals(X, finite=False)
    weight: Any = _check_mask(mask) if entry_weight is None else _check_entry_weight(entry_weight)
    if tuple(weight.shape) != tuple(X.shape):
        raise ValueError(
            f"{name} must have the shape of X, {tuple(X.shape)}, got {tuple(weight.shape)}."
        )
    return WeightedSignals(X, weight)


def _check_mask(mask):
    check_plain(mask, "mask")
    if is_sparse(mask):
        if mask.dtype != np.bool_:
            raise TypeError(_wrong_mask(mask.dtype))
        return mask.tocsr()
    mask = mask if is_array(mask) else np.asarray(mask)
    if "bool" not in str(mask.dtype):
        raise TypeError(_wrong_mask(mask.dtype))
    return mask


def _wrong_mask(dtype):
    return (
        f"mask must be boolean, True where an entry of X is observed, got dtype {dtype}; use "
        "mask == 1 for zeros and ones, or entry_weight for weights."
    )


def _check_entry_weight(weight):
    if is_sparse(weight):
        weight = weight.tocsr()
        numbers, xp = weight.data, np
        if weight.dtype.kind not in "fiub":
            raise TypeError(f"entry_weight must hold real numbers, got dtype {weight.dtype}.")
    else:
        weight = check_matrix(weight, "entry_weight")
        numbers, xp = weight, namespace(weight)
    least = float(xp.min(numbers)) if numbers.shape[0] else 0.0
    if not least >= 0 or not bool(xp.all(xp.isfinite(numbers))):
        raise ValueError(
            "entry_weight must be finite and >= 0 (inverse noise variances, 0 where an entry is "
            f"missing), got a smallest entry of {least:g}."
        )
    return weight
