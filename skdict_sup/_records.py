"""Records of arrays with one row for each signal, and a loop that iterates on them.

Rows are selected and joined in all arrays of a record together.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from ._array import namespace, set_rows, take_rows, to_numpy


@dataclass(frozen=True, eq=False)
class Rows:
    """Base of frozen records whose fields are arrays with one row per signal, records, or None.

    All arrays that belong to a signal are in one record, so that dropping a signal from a batch
    drops all of them.
    """

    def parts(self):
        """Values of the fields, in the order of definition."""
        return [getattr(self, field.name) for field in fields(self)]

    @property
    def n_rows(self):
        """Number of signals."""
        first = next(part for part in self.parts() if part is not None)
        return first.n_rows if isinstance(first, Rows) else first.shape[0]

    def rows(self, rows):
        """Select the rows at NumPy integer positions, in all fields."""
        return type(self)(*(_take(part, rows) for part in self.parts()))

    def put(self, other, rows):
        """Copy of the record with some rows, at NumPy integer positions, replaced by `other`."""
        pairs = zip(self.parts(), other.parts(), strict=True)
        return type(self)(*(_put(a, b, rows) for a, b in pairs))

    def join(self, others):
        """Concatenate this record and other records."""
        columns = zip(self.parts(), *(other.parts() for other in others), strict=True)
        return type(self)(*(_join(first, others) for first, *others in columns))


def _take(part, rows):
    if part is None:
        return None
    return part.rows(rows) if isinstance(part, Rows) else take_rows(part, rows)


def _put(part, other, rows):
    if part is None:
        return None
    return part.put(other, rows) if isinstance(part, Rows) else set_rows(part, other, rows)


def _join(first, others):
    if first is None:
        return None
    if isinstance(first, Rows):
        return first.join(others)
    return namespace(first).concat([first, *others], axis=0) if others else first


@dataclass(frozen=True, eq=False)
class Observations(Rows):
    """A batch of signals with weights of their entries.

    Attributes
    ----------
    values : array of shape (n_samples, n_features)
        Signals, with zeros where the weight is zero.
    weight : array of shape (n_samples, n_features) or None
        Weights >= 0; None stands for ones.
    """

    values: Any
    weight: Any = None

    @property
    def weighted(self):
        """Signals times their weights."""
        return self.values if self.weight is None else self.values * self.weight

    @property
    def shape(self):
        """(n_samples, n_features)."""
        return self.values.shape

    def map(self, function):
        """Apply a function to both arrays."""
        weight = self.weight
        return Observations(function(self.values), None if weight is None else function(weight))

    def filled(self, filling):
        """Array of the signals with missing entries replaced by those of an array."""
        if self.weight is None:
            return self.values
        return namespace(self.values).where(self.weight > 0, self.values, filling)


def as_observations(X):
    """Wrap an array of signals without weights; return `Observations` unchanged."""
    return X if isinstance(X, Observations) else Observations(X)


@dataclass(frozen=True, eq=False)
class Data(Rows):
    """What solvers and certificates use of a batch of signals: correlations and offsets.

    Attributes
    ----------
    corr : array of shape (n_samples, n_components)
        Inner products of signals and atoms.
    offset : array of shape (n_samples,)
        Part of the loss that does not depend on the code: squared norms for the linear transfer.
    weight : array of shape (n_samples, n_features) or None
        Weights of the entries of the signals; None stands for ones.
    """

    corr: Any
    offset: Any
    weight: Any = None

    @cached_property
    def gain(self):
        """Bound on the growth of norms of atoms by the weights: (n_samples,), or one."""
        if self.weight is None:
            return 1.0
        xp = namespace(self.weight)
        return xp.sqrt(xp.max(self.weight, axis=1))

    @cached_property
    def scale(self):
        """Scale of the residuals: the largest correlation, or one where it is zero."""
        xp = namespace(self.corr)
        top = xp.max(xp.abs(self.corr), axis=1)
        return xp.where(top > 0, top, xp.ones_like(top))

    def relative_residual(self, violation):
        """Largest violation of the optimality condition by entries of a code: (n_samples,)."""
        return namespace(violation).max(violation, axis=1) / self.scale


def iterate(state, step, is_finished, max_iter, every=1):
    """Iterate until all signals are finished, at most `max_iter` times: (state, n_iter).

    Finished signals are dropped from the batch. `is_finished` is called every `every` steps and at
    the end.
    """
    finished, positions, steps = [], [], []
    remaining = np.arange(state.n_rows)
    for count in range(max_iter + 1):
        if count % every == 0 or count == max_iter:
            is_last = count == max_iter
            leaves = np.full(len(remaining), True) if is_last else to_numpy(is_finished(state))
            if leaves.any() or leaves.size == 0:
                rows = leaves.nonzero()[0]
                finished.append(state if leaves.all() else state.rows(rows))
                positions.append(remaining[rows])
                steps.append(np.full(len(rows), count))
            if leaves.all():
                break
            if leaves.any():
                rows = (~leaves).nonzero()[0]
                remaining, state = remaining[rows], state.rows(rows)
        state = step(state)
    order = np.argsort(np.concatenate(positions), kind="stable")
    return finished[0].join(finished[1:]).rows(order), np.concatenate(steps)[order]
