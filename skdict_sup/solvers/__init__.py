"""Algorithms for the sparse-coding problem, one to a file, all with one skeleton.

A solver is a frozen record of settings with one method,

    codes(problem, corr, energy, tol, init) -> code, slope, n_iter

for a slice of the batch. `solve` cuts the batch into slices, runs a solver on them and certifies
what came back.
"""

from ._solve import solve
from .coordinate_descent import CoordinateDescent
from .fista import FISTA
from .homotopy import Homotopy

__all__ = ["FISTA", "SOLVERS", "CoordinateDescent", "Homotopy", "solve"]

SOLVERS = {"homotopy": Homotopy, "coordinate_descent": CoordinateDescent, "fista": FISTA}
