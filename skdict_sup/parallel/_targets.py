"""Targets of all rows: total weights of classes, and which rows have labels.

Tasks read parts of the targets that depend on the number of rows alone.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _cluster
from ._plan import pass_ranges
from ._source import join

_COUNTED = 1_000_000  # targets that a task reads


@dataclass(frozen=True, eq=False)
class Targets:
    """Rows of targets and weights, and what marks a missing label: -1, NaN, or nothing (None)."""

    y: Any
    weight: Any = None
    missing: float | None = None

    def tasks(self):
        """Arguments of tasks that read all targets."""
        parts = [[one] for one in pass_ranges(self.y.shape[0], _COUNTED)]
        return [(self.y.pieces(part), self._weights(part), self.missing) for part in parts]

    def _weights(self, part):
        return None if self.weight is None else self.weight.pieces(part)

    def n_labelled(self, ranges):
        """Number of labels in ranges of rows, of weights other than zero."""
        y, weight = (
            None if array is None else [(array.gather(ranges), 0, None)]
            for array in (self.y, self.weight)
        )
        return count_targets(y, weight, self.missing, False)[1]


@dataclass(frozen=True, eq=False)
class Found:
    """Total weight of each class, or of all samples under None; numbers of labels of the parts."""

    totals: dict
    n_labelled: np.ndarray


def read_targets(targets, is_classifier):
    """What all targets contain."""
    totals, numbers = {}, []
    tasks = [(*task, is_classifier) for task in targets.tasks()]
    for pairs, n_labelled in _cluster.compute_all(count_targets, tasks):
        numbers.append(n_labelled)
        for label, weight in pairs:
            totals[label] = totals.get(label, 0.0) + weight
    return Found(totals, np.array(numbers))


def count_targets(y, weight, missing, is_classifier):
    """Pairs of a class (else None) and its total weight, and the number of labels, of pieces."""
    y, weight, has_label = _labelled(y, weight, missing)
    n_labelled, weight = int((has_label & (weight != 0)).sum()), weight[has_label]
    if not is_classifier:
        return [(None, float(weight.sum()))], n_labelled
    values, number = np.unique(y[has_label], return_inverse=True)
    totals = np.bincount(number.ravel(), weights=weight, minlength=len(values))
    return list(zip(values.tolist(), totals.tolist(), strict=True)), n_labelled


def labelled_rows(targets, found, n_wanted):
    """Numbers of rows with labels, evenly spaced among all of them; all if there are few."""
    n = int(found.n_labelled.sum())
    ranks = np.unique(np.linspace(0, n - 1, min(n, n_wanted)).astype(np.int64))
    ends = np.cumsum(found.n_labelled)
    parts = np.split(ranks, np.searchsorted(ranks, ends[:-1]))
    firsts = ends - found.n_labelled
    tasks = [
        (*task, part - first)
        for task, part, first in zip(targets.tasks(), parts, firsts, strict=True)
    ]
    begins = range(0, targets.y.shape[0], _COUNTED)
    rows = _cluster.compute_all(rows_of_ranks, tasks)
    return np.concatenate([begin + part for begin, part in zip(begins, rows, strict=True)])


def rows_of_ranks(y, weight, missing, ranks):
    """Numbers of rows of pieces with labels, those at some ranks among them."""
    _, weight, has_label = _labelled(y, weight, missing)
    return np.flatnonzero(has_label & (weight != 0))[ranks]


def _labelled(y, weight, missing):
    """Targets of pieces, their weights, and where there are labels."""
    y = join(y)
    weight = np.ones(len(y)) if weight is None else join(weight).astype(np.float64)
    columns, has_label = y.reshape(len(y), -1), np.ones(len(y), bool)
    if missing is not None and y.dtype.kind in "if":
        is_missing = np.isnan(columns) if np.isnan(missing) else columns == missing
        has_label = ~is_missing.all(axis=1)
    return y.ravel() if columns.shape[1] == 1 else y, weight, has_label


def known_classes(totals, classes, class_weight, dtype):
    """Classes, and their weights by class, from the total weight of each class in the data."""
    if classes is None:  # they have the type of y, but strings their own lengths
        classes = np.array(list(totals), dtype=None if dtype.kind in "SU" else dtype)
    if isinstance(class_weight, str):
        totals = {label: total for label, total in totals.items() if total}
        mean = sum(totals.values()) / max(len(totals), 1)
        class_weight = {label: mean / total for label, total in totals.items()}
    return np.unique(classes), class_weight


def total_weight(totals, class_weight):
    """Weight of all samples, with the weights of their classes."""
    factors = class_weight or {}
    return sum(total * factors.get(label, 1.0) for label, total in totals.items())
