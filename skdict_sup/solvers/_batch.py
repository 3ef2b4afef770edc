"""Iterations over a batch of which finished signals drop out."""

from dataclasses import fields

import numpy as np

from .._array import namespace, put_rows, take_rows, to_numpy


class Points:
    """Base of frozen records of arrays, all with one row for each signal (or None)."""

    def _parts(self):
        return [getattr(self, field.name) for field in fields(self)]

    def rows(self, rows):
        """The record of some signals, at NumPy integer positions."""
        return type(self)(*(p if p is None else take_rows(p, rows) for p in self._parts()))

    def put(self, other, rows):
        """The record with other entries for some signals."""
        pairs = zip(self._parts(), other._parts(), strict=True)
        return type(self)(*(a if a is None else put_rows(a, b, rows) for a, b in pairs))

    def join(self, others):
        """The record of these signals and, after them, those of other records."""
        columns = zip(self._parts(), *(other._parts() for other in others), strict=True)
        return type(self)(*map(_stacked, columns))


def _stacked(column):
    first, *_ = column
    return first if first is None else namespace(first).concat(list(column), axis=0)


def iterate(points, step, done, limit, every=1):
    """Step until each signal is done, or `limit` times: (points, number of steps for each).

    `done` is asked before the first of each `every` steps, and at the end.
    """
    parts, places, steps = [], [], []
    todo = np.arange(points._parts()[0].shape[0])
    for count in range(limit + 1):
        if count % every == 0 or count == limit:
            over = np.full(len(todo), True) if count == limit else to_numpy(done(points))
            if over.any():
                rows = over.nonzero()[0]
                parts.append(points if over.all() else points.rows(rows))
                places.append(todo[rows])
                steps.append(np.full(len(rows), count))
            if over.all():
                break
            if over.any():
                rows = (~over).nonzero()[0]
                todo, points = todo[rows], points.rows(rows)
        points = step(points)
    order = np.argsort(np.concatenate(places), kind="stable")
    return parts[0].join(parts[1:]).rows(order), np.concatenate(steps)[order]


def gradient_step(problem):
    """Length of a gradient step in the code: one over the largest curvature of the loss."""
    top = float(namespace(problem.gram).linalg.eigvalsh(problem.gram)[-1])
    bound = problem.reconstruction.roughness * top * (1 + 1e-6)
    return 1.0 / max(bound, 1e-30)
