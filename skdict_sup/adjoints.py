"""Adjoints of codes, which solve the linear systems of their supports, and gradients from them."""

import numpy as np

from ._array import ROWS, is_numpy
from ._records import as_observations
from ._threads import effective_n_jobs, map_threads, slices
from .solution import Gradients

_SLICE_ROWS = 10 * ROWS  # signals whose systems a thread solves in one call

__all__ = ["pull_back", "solve_adjoints", "vjp"]


def solve_adjoints(problem, code, cotangent, entry_weight=None, n_jobs=None, tol=None):
    """Solve H_SS adjoint_S = cotangent_S for each signal, zero off the support S, on threads.

    `entry_weight` are the weights of the entries of the signals, or None, and `tol` is the
    relative tolerance of iterative solutions, None for rounding error.
    """
    jobs, n = effective_n_jobs(n_jobs), code.shape[0]
    problem.prepare(jobs)

    def work(rows):
        weight = None if entry_weight is None else entry_weight[rows, :]
        return problem.newton_system(code[rows, :], cotangent[rows, :], weight, tol)[0]

    width = min(_SLICE_ROWS, ROWS * -(-n // (2 * ROWS * jobs)))
    if is_numpy(code) and jobs > 1 and width < n:
        return np.concatenate(map_threads(work, slices(n, width), jobs))
    return work(slice(None))


def pull_back(problem, X, code, adjoint, n_jobs=None):
    """Gradients for the dictionary, the signals and the hyper-parameters, from the adjoints."""
    dictionary, signals, weights = problem.vjp(X, code, adjoint, effective_n_jobs(n_jobs))
    return Gradients(dictionary, signals, problem.prior.pull_back(code, adjoint), weights)


def vjp(problem, X, code, cotangent, n_jobs=None):
    """`code_vjp` for a problem and arrays that have been checked."""
    X = as_observations(X)
    adjoint = solve_adjoints(problem, code, cotangent, X.weight, n_jobs)
    return pull_back(problem, X, code, adjoint, n_jobs)
