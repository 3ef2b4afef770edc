"""Records of arrays with one row for each signal, and iterations over them.

The arrays of a record are selected and joined together.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from ._array import namespace, set_rows, take_rows, to_numpy


@dataclass(frozen=True, eq=False)
class Rows:
    """Base of frozen records of arrays with one row per signal, of such records, and of None.

    Whatever belongs to a signal stands in one record, so that nothing is left behind when signals
    are dropped from a batch.
    """

    def parts(self):
        """Values of the fields, in their order."""
        return [getattr(self, field.name) for field in fields(self)]

    @property
    def n_rows(self):
        """Number of signals."""
        first = next(part for part in self.parts() if part is not None)
        return first.n_rows if isinstance(first, Rows) else first.shape[0]

    def rows(self, rows):
        """The record of some signals, at NumPy integer positions."""
        return type(self)(*(_taken(part, rows) for part in self.parts()))

    def put(self, other, rows):
        """The record with the rows of another one at NumPy integer positions."""
        pairs = zip(self.parts(), other.parts(), strict=True)
        return type(self)(*(_put(a, b, rows) for a, b in pairs))

    def join(self, others):
        """The record of these signals and, after them, those of other records."""
        columns = zip(self.parts(), *(other.parts() for other in others), strict=True)
        return type(self)(*(_joined(first, rest) for first, *rest in columns))


def _taken(part, rows):
    if part is None:
        return None
    return part.rows(rows) if isinstance(part, Rows) else take_rows(part, rows)


def _put(part, other, rows):
    if part is None:
        return None
    return part.put(other, rows) if isinstance(part, Rows) else set_rows(part, other, rows)


def _joined(first, rest):
    if first is None:
        return None
    if isinstance(first, Rows):
        return first.join(rest)
    return namespace(first).concat([first, *rest], axis=0) if rest else first


@dataclass(frozen=True, eq=False)
class Data(Rows):
    """All that solvers and certificates see of a batch of signals.

    Attributes
    ----------
    corr : array of shape (n_samples, n_components)
        Inner products of signals and atoms.
    offset : array of shape (n_samples,)
        Part of the loss that no code changes: squared norms for the linear transfer.
    """

    corr: Any
    offset: Any

    @cached_property
    def scale(self):
        """What residuals are relative to: the largest correlation, or one where it is zero."""
        xp = namespace(self.corr)
        top = xp.max(xp.abs(self.corr), axis=1)
        return xp.where(top > 0, top, xp.ones_like(top))

    def relative_residual(self, violation):
        """Largest violation of the optimality condition by entries of a code: (n_samples,)."""
        return namespace(violation).max(violation, axis=1) / self.scale


def iterate(state, step, is_finished, max_iter, every=1):
    """Step until each signal is finished, or `max_iter` times: (state, steps of each signal).

    Finished signals drop out of the batch. `is_finished` is asked before the first of each `every`
    steps, and at the end.
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
