"""Labelled samples: mini-batches of them, and what is made of them before learning."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._array import astype_like, dense, host_array, is_sparse, take_rows, to_numpy

_POOL_BATCH = 256  # signals without labels in a step


@dataclass(frozen=True, eq=False)
class Batch:
    """Signals with targets and weights; what the step may also use."""

    X: Any
    target: Any
    weight: Any
    mask: Any = None  # factors of the features: zero for what dropout hides
    others: Any = None  # signals of the reconstruction term; the labelled ones without


@dataclass(frozen=True, eq=False)
class Samples:
    """Signals with targets (a function of row numbers) and weights, drawn in mini-batches.

    `pool` holds the signals of the reconstruction term, if they are others.
    """

    X: Any
    target_of: Callable
    weight: np.ndarray
    batch_size: int
    augment: Callable | None = None
    pool: Any = None

    def rows(self, rows):
        """Signals, targets and weights at row numbers."""
        X = take_rows(self.X, rows)
        target, weight = self.target_of(rows), self.weight[rows]
        return Batch(X, astype_like(target, X), astype_like(weight, X))

    def dense_rows(self, rows):
        """Those of `rows`, as a dense array where signals are sparse."""
        batch = self.rows(rows)
        return replace(batch, X=dense(batch.X))

    def epoch(self, rng):
        """Row numbers of the mini-batches of an epoch, with those of the pool beside them.

        An epoch is a pass over the labelled samples, however large the pool: to pass over the few
        labels again and again, until all of the pool is seen, would be to learn them by heart.
        """
        labelled = mini_batches(self.X.shape[0], self.batch_size, rng)
        if self.pool is None:
            return [(rows, None) for rows in labelled]
        others = mini_batches(self.pool.shape[0], _POOL_BATCH, rng)
        return [(rows, others[i % len(others)]) for i, rows in enumerate(labelled)]

    def n_steps(self):
        """Steps of an epoch."""
        return n_batches(self.X.shape[0], self.batch_size)


def n_batches(n_samples, batch_size):
    """Mini-batches of one pass."""
    return max(1, round(n_samples / batch_size))


def mini_batches(n_samples, batch_size, rng):
    """Row numbers of one pass in random order, in parts of nearly equal size."""
    return np.array_split(rng.permutation(n_samples), n_batches(n_samples, batch_size))


def weighted_rows(X, target, weight):
    """Samples without those of weight zero."""
    used = weight > 0
    if used.all():
        return X, target, weight
    rows = np.flatnonzero(used)
    return take_rows(X, rows), target[rows], weight[rows]


def merge_repeated(X, target, weight, most=4096):
    """Rows in a canonical order with repeated ones merged, for data of at most `most` rows.

    A sample of weight two and the same sample twice then give the same fit, and so does any order
    of the samples; larger data are left as they are, where sorting would cost more than it says.
    """
    host = host_array(X)
    if X.shape[0] > most or (is_sparse(host) and X.shape[1] > most):
        return X, target, weight
    values = to_numpy(X) if host is None else dense(host)
    both = np.column_stack([values.astype(np.float64), target])
    _, first, member = np.unique(both, axis=0, return_index=True, return_inverse=True)
    return take_rows(X, first), target[first], np.bincount(member.ravel(), weights=weight)


def augmented(X, augment, rng):
    """What `augment` makes of a batch, checked for shape, in the batch's library and dtype."""
    changed = astype_like(augment(X, rng), X)
    if changed.shape != X.shape:
        raise ValueError(
            f"augment must return signals of the shape it gets, {tuple(X.shape)}, "
            f"got {tuple(changed.shape)}."
        )
    return changed
