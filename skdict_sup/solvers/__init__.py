"""Algorithms for the sparse-coding problem, one per file, all with the same interface.

A solver is a frozen record of settings with one method,

    codes(problem, data, tol, init) -> code, slope, n_iter

for the data of a slice of the batch, and says which problems it `handles`. `execution.solve`
splits the batch into slices, runs a solver on them and certifies the codes.
"""

from typing import Any

from ._protocol import Solver
from .coordinate_descent import CoordinateDescent
from .exponentiated_gradient import ExponentiatedGradient
from .fista import FISTA
from .homotopy import Homotopy
from .newton import Newton
from .projected_newton import ProjectedNewton
from .reweighted import Reweighted

__all__ = [
    "FISTA",
    "SOLVERS",
    "CoordinateDescent",
    "ExponentiatedGradient",
    "Homotopy",
    "Newton",
    "ProjectedNewton",
    "Reweighted",
    "Solver",
]

# in the order of preference where several handle a problem
SOLVERS: dict[str, Any] = {
    "homotopy": Homotopy,
    "newton": Newton,
    "projected_newton": ProjectedNewton,
    "reweighted": Reweighted,
    "fista": FISTA,
    "coordinate_descent": CoordinateDescent,
    "exponentiated_gradient": ExponentiatedGradient,
}
