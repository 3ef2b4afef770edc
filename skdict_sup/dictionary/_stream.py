"""Learning from a stream of signals, split where mini-batches end."""

import numpy as np

from .._array import to_numpy
from .._atoms import Atoms
from .._records import Observations
from .._signals import Dense
from ..execution import Limits, solve
from ..problem import Problem


def learn_from(accumulate, update, state, X, settings):
    """State after the `Signals` X, with their objectives at coding time: (state, (n_samples,)).

    `accumulate(state, piece, code, objective, problem, settings)` is the state with a coded piece
    added, and `update(state, settings)` the state with the dictionary updated, which is called at
    the end of each mini-batch. Pieces end where mini-batches do: the result does not depend on the
    calls in which the stream arrives.

    Reconstructions stand in for missing entries of signals: the update of the atoms then minimises
    an upper bound of the objective of the observed entries, which is exact at the last atoms.
    """
    objectives, first = [], 0
    while first < X.shape[0]:
        n_missing = settings.batch_size - state.n_seen % settings.batch_size
        signals = X.rows(slice(first, min(first + n_missing, X.shape[0])))
        problem = Problem(settings.reconstruction, settings.prior, Atoms(state.dictionary))
        if not signals.has_weights:
            signals = Dense(signals.dense())
        solution = solve(problem, signals, settings.solver, n_jobs=settings.n_jobs)
        objectives.append(to_numpy(_objective(problem, solution, settings.solver)))
        piece = signals.observed()
        if piece.weight is not None:
            piece = Observations(piece.filled(problem.reconstruct(solution.code)))
        arrays = piece.values, solution.code, objectives[-1]
        state = accumulate(state, *arrays, problem, settings)
        if state.n_seen % settings.batch_size == 0:
            state = update(state, settings)
        first += piece.shape[0]
    return state, np.concatenate(objectives)


def _objective(problem, solution, solver):
    """What learning lowers, for each signal: the objective of the codes, or the cost of limits."""
    return solver.cost(problem, solution) if isinstance(solver, Limits) else solution.objective
