"""Iterations over a batch of which finished signals drop out."""

import numpy as np

from .._array import namespace, to_numpy


def iterate(points, step, done, limit, every=1):
    """Step until each signal is done, or `limit` times: (points, number of steps for each).

    `done` is asked before the first of each `every` steps, and at the end.
    """
    parts, places, steps = [], [], []
    todo = np.arange(points.n_rows)
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
