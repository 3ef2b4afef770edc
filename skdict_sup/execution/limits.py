"""Limits that determine codes in place of a weight lam, and where codes have ended."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._array import namespace
from .._records import Rows
from ..priors import is_per_atom


@dataclass(frozen=True)
class Limits:
    """Limits that determine codes, in place of a solver: bounds on residuals, and on nonzeros."""

    max_residual: Any = None  # a number, or a NumPy array with one entry for each signal
    max_nonzeros: int | None = None
    ends_at_lam: bool = False  # whether paths end at the number lam of the prior in any case
    is_greedy: bool = False  # whether codes are those of orthogonal matching pursuit
    warns_of_low_bounds: bool = True

    def bounds(self, rows, n_samples):
        """Bounds on the norms of the residuals of a slice of the signals, in float64, or None."""
        if self.max_residual is None:
            return None
        return np.broadcast_to(np.asarray(self.max_residual, np.float64), (n_samples,))[rows]

    def cost(self, problem, solution):
        """What a dictionary is to lower: the l1 norm of codes within bounds, else the residual."""
        xp, code = namespace(solution.code), solution.code
        if self.max_residual is None:
            return 0.5 * solution.residual_norm**2
        if self.is_greedy:
            return xp.sum(xp.astype(code != 0, code.dtype), axis=1)
        weights = problem.prior.weight(code) if is_per_atom(problem.prior.lam) else 1.0
        return xp.sum(weights * xp.abs(code), axis=1)


@dataclass(frozen=True, eq=False)
class Reached(Rows):
    """Where the codes of signals have ended."""

    # the weight lam of the code, or the factor of weights of atoms; None for greedy codes
    mu: Any
    residual_norm: Any
    is_feasible: Any  # whether the code is at a limit, to the tolerance, or zero within it
    is_low: Any  # whether the bound is below the residual of least squares
    n_iter: Any
