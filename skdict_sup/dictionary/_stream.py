"""Learning from a stream of signals, split where mini-batches and their shards end.

A method of learning is a module with functions of its state: `measure` computes what a shard of
coded signals contributes to an update, `add` adds it to the state, and `update` updates the
dictionary at the end of a mini-batch. Contributions are pure functions of a dictionary and
signals, and are added in the order of the stream: they may be computed anywhere.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._array import to_numpy
from .._atoms import Atoms
from .._records import Observations
from .._signals import Dense
from ..execution import Limits, solve
from ..problem import Problem

SHARD = 2048  # signals whose contribution is summed at once


@dataclass(frozen=True, eq=False)
class Coded:
    """Signals with missing entries filled in, their codes and objectives at coding time."""

    X: Any
    code: Any
    objective: np.ndarray  # in host memory
    problem: Problem

    def rows(self, rows):
        """Select signals by a slice."""
        X, code = self.X[rows, :], self.code[rows, :]
        return Coded(X, code, self.objective[rows], self.problem)


def learn(method, state, X, settings):
    """State after the `Signals` X, with their objectives at coding time: (state, (n_samples,)).

    The result does not depend on the calls in which the stream arrives, beyond rounding.
    """
    objectives, first = [], 0
    while first < X.shape[0]:
        n_missing = settings.batch_size - state.n_seen % settings.batch_size
        rows = slice(first, min(first + n_missing, X.shape[0]))
        coded = code(Atoms(state.dictionary), X.rows(rows), settings)
        objectives.append(coded.objective)
        for rows in shards(state.n_seen, coded.X.shape[0], settings.batch_size, SHARD):
            piece = coded.rows(rows)
            state = method.add(state, method.measure(piece, state.n_seen, settings), settings)
        if state.n_seen % settings.batch_size == 0:
            state = method.update(state, settings)
        first += coded.X.shape[0]
    return state, np.concatenate(objectives)


def shards(n_seen, n_rows, batch_size, size):
    """Slices of the next signals, after `n_seen`, that end where shards of mini-batches do.

    The signals belong to one mini-batch.
    """
    start, stop = n_seen % batch_size, n_seen % batch_size + n_rows
    ends = [*range(start - start % size + size, stop, size), stop]
    firsts = [start, *ends[:-1]]
    return [slice(a - start, b - start) for a, b in zip(firsts, ends, strict=True)]


def code(atoms, signals, settings):
    """`Coded` signals over `Atoms`.

    Reconstructions stand in for missing entries of signals: the update of the atoms then minimises
    an upper bound of the objective of the observed entries, which is exact at the last atoms.
    """
    problem = Problem(settings.reconstruction, settings.prior, atoms)
    if not signals.has_weights:
        signals = Dense(signals.dense())
    tol = settings.reconstruction.learning_tol(settings.prior)
    solution = solve(problem, signals, settings.solver, tol=tol, n_jobs=settings.n_jobs)
    objective = to_numpy(_objective(problem, solution, settings.solver))
    piece = signals.observed()
    if piece.weight is not None:
        piece = Observations(piece.filled(problem.reconstruct(solution.code)))
    return Coded(piece.values, solution.code, objective, problem)


def _objective(problem, solution, solver):
    """What learning lowers, for each signal: the objective of the codes, or the cost of limits."""
    return solver.cost(problem, solution) if isinstance(solver, Limits) else solution.objective
