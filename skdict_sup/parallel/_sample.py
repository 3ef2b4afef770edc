"""The sample of rows in memory from which a supervised fit begins, and what it holds out."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from . import _plan
from ._plan import count, ranges_of, rows_in, sample_ranges
from ._targets import labelled_rows, total_weight


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of signals, targets and weights (or None) in memory.

    They are evenly spaced runs of all rows. Where most rows have no label, rows with labels from
    all over the data are added.
    """

    arrays: list
    ranges: list
    held_out: Any  # numbers of the rows that are held out
    share: float  # its rows, as a part of all rows
    found: Any = None  # what the targets of all rows contain, where that is known

    @classmethod
    def drawn(cls, estimator, arrays, targets, found):
        """Sample for an estimator of `Rows` of signals, targets and weights (or None)."""
        n = arrays[0].shape[0]
        runs, added = sample_ranges(n, _plan.SAMPLE), np.zeros(0, np.int64)
        is_open = n > _plan.SAMPLE and targets.missing is not None
        if is_open and targets.n_labelled(runs) < min(_plan.FEW, found.n_labelled.sum()):
            wanted = labelled_rows(targets, found, _plan.FEW)
            added = wanted[~np.isin(wanted, rows_in(runs))]
        ranges = ranges_of(np.union1d(rows_in(runs), added)) if len(added) else runs
        in_memory = [None if array is None else array.gather(ranges) for array in arrays]
        held_out = _held_out(estimator, runs, added, n)
        return cls(in_memory, ranges, held_out, count(ranges) / n, found)

    def named(self):
        """The arrays by name."""
        return dict(zip(("X", "y", "sample_weight"), self.arrays, strict=True))

    def divided(self, estimator, samples):
        """Samples to learn from, and those that are held out (None without early stopping)."""
        if not len(self.held_out):
            return samples.with_positive_weight(), None
        is_held = np.isin(rows_in(self.ranges), self.held_out)
        held_out = samples.subset(np.flatnonzero(is_held)).with_positive_weight()
        samples = samples.subset(np.flatnonzero(~is_held))
        if not (held_out.n_samples and samples.weight.sum() > 0):
            raise ValueError(
                "early_stopping=True requires samples with labels among those held out and "
                f"among the others; validation_fraction={estimator.validation_fraction} "
                f"holds out {held_out.n_samples}: change it, or set early_stopping=False."
            )
        return samples.with_positive_weight(), held_out

    def share_of_weight(self, samples, held_out, class_weight):
        """Weight of samples to learn from, over that of all such rows."""
        if self.share == 1 or self.found is None:
            return self.share
        total = total_weight(self.found.totals, class_weight)
        weight_held_out = 0.0 if held_out is None else float(held_out.weight.sum())
        return float(samples.weight.sum()) / (total - weight_held_out)


def _held_out(estimator, runs, added, n_rows):
    """Rows for early stopping: the ends of the runs, and some of those that were added."""
    if not estimator.early_stopping:
        return np.zeros(0, np.int64)
    share = min(estimator.validation_fraction, _plan.FEW / (count(runs) + len(added)))
    if len(runs) == 1:
        edges = np.linspace(0, n_rows, min(64, max(2, n_rows // 20)) + 1).astype(int)
        runs = list(pairwise(edges))
    ends = [(stop - max(1, int(share * (stop - start))), stop) for start, stop in runs]
    return np.union1d(rows_in(ends), added[:: max(2, round(1 / share))])
