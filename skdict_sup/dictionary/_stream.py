"""Signals as a stream that is cut where a mini-batch is complete."""

import numpy as np

from .._array import to_numpy
from .._atoms import Atoms
from ..execution import solve
from ..problem import Problem


def learn_from(take, advance, state, X, settings):
    """State after the `Signals` X, with their objectives at coding time: (state, (n_samples,)).

    take(state, piece, code, objective, problem, settings) counts a coded piece in, and
    advance(state, settings) moves the dictionary, the state's `anchor`, after each mini-batch.
    No piece goes beyond its mini-batch: the result does not depend on how the stream is cut.
    """
    objectives, first = [], 0
    while first < X.shape[0]:
        room = settings.batch_size - state.n_seen % settings.batch_size
        piece = X.batch(slice(first, min(first + room, X.shape[0])))
        problem = Problem(settings.reconstruction, settings.prior, Atoms(state.anchor))
        solution = solve(problem, piece, settings.solver, n_jobs=settings.n_jobs)
        objectives.append(to_numpy(solution.objective))
        state = take(state, piece, solution.code, objectives[-1], problem, settings)
        if state.n_seen % settings.batch_size == 0:
            state = advance(state, settings)
        first += piece.shape[0]
    return state, np.concatenate(objectives)
