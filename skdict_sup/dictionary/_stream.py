"""Learning from a stream of signals, split where mini-batches end."""

import numpy as np

from .._array import to_numpy
from .._atoms import Atoms
from ..execution import solve
from ..problem import Problem


def learn_from(accumulate, update, state, X, settings):
    """State after the `Signals` X, with their objectives at coding time: (state, (n_samples,)).

    `accumulate(state, piece, code, objective, problem, settings)` is the state with a coded piece
    added, and `update(state, settings)` the state with the dictionary updated, which is called at
    the end of each mini-batch. Pieces end where mini-batches do: the result does not depend on the
    calls in which the stream arrives.
    """
    objectives, first = [], 0
    while first < X.shape[0]:
        n_missing = settings.batch_size - state.n_seen % settings.batch_size
        piece = X.batch(slice(first, min(first + n_missing, X.shape[0])))
        problem = Problem(settings.reconstruction, settings.prior, Atoms(state.dictionary))
        solution = solve(problem, piece, settings.solver, n_jobs=settings.n_jobs)
        objectives.append(to_numpy(solution.objective))
        state = accumulate(state, piece, solution.code, objectives[-1], problem, settings)
        if state.n_seen % settings.batch_size == 0:
            state = update(state, settings)
        first += piece.shape[0]
    return state, np.concatenate(objectives)
