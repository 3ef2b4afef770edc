"""Labelled samples: mini-batches of them, and what is made of them before learning."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._array import astype_like
from .._signals import Signals

_POOL_BATCH = 256  # signals without labels in a step


@dataclass(frozen=True, eq=False)
class Batch:
    """Arrays of signals, targets and weights; what the step may also use."""

    X: Any
    target: Any
    weight: Any
    mask: Any = None  # factors of the features: zero for what dropout hides
    others: Any = None  # signals of the reconstruction term; the labelled ones without


def as_they_are(labels):
    """Targets of a loss that takes labels as they are."""
    return labels


@dataclass(frozen=True, eq=False)
class Samples:
    """Signals with labels and weights, drawn in mini-batches.

    `labels` has a row for each signal, and `target_of` maps such rows to targets of the loss.
    `pool` holds the signals of the reconstruction term, if they are others.
    """

    X: Signals
    labels: np.ndarray
    weight: np.ndarray
    target_of: Callable = as_they_are
    batch_size: int | str = "auto"
    largest_batch: int = 256  # where batch_size is "auto"
    augment: Callable | None = None
    pool: Signals | None = None

    @property
    def n_samples(self):
        """Number of labelled signals."""
        return self.X.shape[0]

    @property
    def n_per_step(self):
        """Samples of a mini-batch."""
        if isinstance(self.batch_size, str):
            return int(min(self.largest_batch, max(32, self.n_samples // 40)))
        return self.batch_size

    def n_steps(self):
        """Steps of an epoch."""
        return n_batches(self.n_samples, self.n_per_step)

    def batch(self, rows):
        """Signals, targets and weights at row numbers, as arrays."""
        X = self.X.batch(rows)
        target, weight = self.target_of(self.labels[rows]), self.weight[rows]
        return Batch(X, astype_like(target, X), astype_like(weight, X))

    def epoch(self, rng):
        """Row numbers of the mini-batches of an epoch, with those of the pool beside them.

        An epoch is one pass over the labelled samples, however large the pool is: many passes over
        few labels, until all of the pool was seen, would overfit them.
        """
        labelled = mini_batches(self.n_samples, self.n_per_step, rng)
        if self.pool is None:
            return [(rows, None) for rows in labelled]
        others = mini_batches(self.pool.shape[0], _POOL_BATCH, rng)
        return [(rows, others[i % len(others)]) for i, rows in enumerate(labelled)]

    def part(self, rows):
        """Samples at row numbers, with the same pool."""
        X, labels, weight = self.X.rows(rows), self.labels[rows], self.weight[rows]
        return replace(self, X=X, labels=labels, weight=weight)

    def used(self):
        """Samples without those of weight zero."""
        used = self.weight > 0
        return self if used.all() else self.part(np.flatnonzero(used))

    def merged(self, most=4096):
        """Samples in a canonical order with repeated ones merged, if there are at most `most`.

        A sample of weight two and the same sample twice then give the same fit, and so does any
        order of the samples; more samples are left as they are, because sorting them would cost
        more than it is worth.
        """
        if self.n_samples > most:
            return self
        host = self.X.on_host()
        if host.shape[1] > most and not host.is_single_array:
            return self
        both = np.column_stack([host.dense().astype(np.float64), self.labels])
        _, first, member = np.unique(both, axis=0, return_index=True, return_inverse=True)
        return replace(self.part(first), weight=np.bincount(member.ravel(), weights=self.weight))


def n_batches(n_samples, batch_size):
    """Mini-batches of one pass."""
    return max(1, round(n_samples / batch_size))


def mini_batches(n_samples, batch_size, rng):
    """Row numbers of one pass in random order, in parts of nearly equal size."""
    return np.array_split(rng.permutation(n_samples), n_batches(n_samples, batch_size))


def augmented(X, augment, rng):
    """What `augment` makes of a batch, checked for shape, in the batch's library and dtype."""
    changed = astype_like(augment(X, rng), X)
    if changed.shape != X.shape:
        raise ValueError(
            f"augment must return signals of the shape it gets, {tuple(X.shape)}, "
            f"got {tuple(changed.shape)}."
        )
    return changed
