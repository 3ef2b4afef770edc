"""Labelled samples, their mini-batches, and their preprocessing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._array import astype_like, namespace
from .._prepared_signals import PreparedSignals, prepared, source_of
from .._records import Observations
from .._signals import Signals
from .._weighted_signals import without_nan

_POOL_BATCH = 256  # signals of the reconstruction term in a step


@dataclass(frozen=True, eq=False)
class Batch:
    """Mini-batch: signals, targets, weights, and optional inputs of the step.

    Signals are an array, or `Observations` where entries may be missing.
    """

    X: Any
    target: Any
    weight: Any
    mask: Any = None  # dropout mask: factors of the features
    reconstruction_signals: Any = None  # signals of the reconstruction term; None is X


def identity(labels):
    """Return the labels, for losses that take them unchanged as targets."""
    return labels


@dataclass(frozen=True, eq=False)
class Samples:
    """Signals with labels and sample weights, drawn in mini-batches.

    `labels` has a row for each signal, and `encode_labels` maps such rows to targets of the loss.
    `pool` contains the signals of the reconstruction term, if they differ from X.
    """

    X: Signals
    labels: np.ndarray
    weight: np.ndarray
    encode_labels: Callable = identity
    batch_size: int | str = "auto"
    max_auto_batch: int = 256  # largest batch size with batch_size="auto"
    augment: Callable | None = None
    pool: Signals | None = None

    @property
    def n_samples(self):
        """Number of labelled signals."""
        return self.X.shape[0]

    @property
    def resolved_batch_size(self):
        """Number of samples in a mini-batch."""
        if isinstance(self.batch_size, str):
            return int(min(self.max_auto_batch, max(32, self.n_samples // 40)))
        return self.batch_size

    def steps_per_epoch(self):
        """Number of mini-batches in an epoch."""
        return n_batches(self.n_samples, self.resolved_batch_size)

    def batch(self, numbers):
        """Batch of the samples at the given row numbers."""
        X, like = batch_of(self.X, numbers), self.X.like
        target, weight = self.encode_labels(self.labels[numbers]), self.weight[numbers]
        return Batch(X, astype_like(target, like), astype_like(weight, like))

    def epoch_batches(self, rng):
        """Pairs of row numbers, of samples and of the pool, for each mini-batch of an epoch.

        An epoch is one pass over the labelled samples, however large the pool is: repeating few
        labels until the whole pool is processed would overfit them.
        """
        labelled_rows = mini_batches(self.n_samples, self.resolved_batch_size, rng)
        if self.pool is None:
            return [(rows, None) for rows in labelled_rows]
        pool_rows = mini_batches(self.pool.shape[0], _POOL_BATCH, rng)
        return [(rows, pool_rows[i % len(pool_rows)]) for i, rows in enumerate(labelled_rows)]

    def subset(self, rows):
        """Samples at the given row numbers, with the same pool."""
        X, labels, weight = self.X.rows(rows), self.labels[rows], self.weight[rows]
        return replace(self, X=X, labels=labels, weight=weight)

    def prepared(self, preparation):
        """Samples of prepared signals; the samples themselves if there is no preparation."""
        pool = None if self.pool is None else prepared(self.pool, preparation)
        return replace(self, X=prepared(self.X, preparation), pool=pool)

    def augmented(self, rows, rng):
        """Signals at the given row numbers, augmented in the units of the data."""
        X = augment_batch(batch_of(source_of(self.X), rows), self.augment, rng)
        signals = self.X
        return signals.preparation.apply(X) if isinstance(signals, PreparedSignals) else X

    def folds(self, n_folds, rng):
        """Row numbers of folds that have nearly equal parts of each class, or like targets."""
        order = np.lexsort((rng.random(self.n_samples), self.labels[:, 0]))
        return [np.sort(order[number::n_folds]) for number in range(n_folds)]

    def split(self, held_out):
        """Samples that are not at the given row numbers, and those that are."""
        is_train = np.ones(self.n_samples, bool)
        is_train[held_out] = False
        train = self.subset(np.flatnonzero(is_train))
        return train, replace(self.subset(held_out), pool=None)

    def with_positive_weight(self):
        """Samples whose weight is not zero."""
        is_used = self.weight > 0
        return self if is_used.all() else self.subset(np.flatnonzero(is_used))

    def deduplicated(self, max_samples=4096):
        """Sorted samples with duplicates merged, if there are at most `max_samples`.

        The fit then does not depend on the order of the samples, and a sample of weight two counts
        as two samples. More samples are returned unchanged, because sorting them is slow and
        matters less.
        """
        if self.n_samples > max_samples:
            return self
        host = self.X.on_host()
        if host.shape[1] > max_samples and not host.is_single_array:
            return self
        parts = [part for part in host.observed().parts() if part is not None]
        rows = np.column_stack([*(part.astype(np.float64) for part in parts), self.labels])
        _, first_row, number_of_row = np.unique(
            rows, axis=0, return_index=True, return_inverse=True
        )
        weight = np.bincount(number_of_row.ravel(), weights=self.weight)
        return replace(self.subset(first_row), weight=weight)


def batch_of(signals, rows):
    """Array of some signals, or `Observations` where entries may be missing."""
    return signals.observations(rows) if signals.has_weights else signals.batch(rows)


def n_batches(n_samples, batch_size):
    """Number of mini-batches in one epoch."""
    return max(1, round(n_samples / batch_size))


def mini_batches(n_samples, batch_size, rng):
    """Row numbers of the mini-batches of one epoch, shuffled, of nearly equal size."""
    return np.array_split(rng.permutation(n_samples), n_batches(n_samples, batch_size))


def augment_batch(X, augment, rng):
    """Augmented signals, in the array library and dtype of X; raises if their shape differs.

    Missing entries are NaN in what the function gets and returns.
    """
    if isinstance(X, Observations):
        array = X.filled(namespace(X.values).full_like(X.values, np.nan))
        return without_nan(augment_batch(array, augment, rng))
    augmented = augment(X, rng)
    if augmented is None:
        raise TypeError(
            "augment must return the changed signals, got None; a function that changes X in "
            "place must return X, too."
        )
    augmented = astype_like(augmented, X)
    if augmented.shape != X.shape:
        raise ValueError(
            f"augment must return signals of the shape it gets, {tuple(X.shape)}, "
            f"got {tuple(augmented.shape)}."
        )
    return augmented
