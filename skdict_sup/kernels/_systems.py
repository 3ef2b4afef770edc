"""Systems of atoms for reference kernels: one Gram matrix, or one for each signal."""

from dataclasses import dataclass
from typing import Any

from .._array import take_rows
from .support_solve import support_solve
from .weighted_support_solve import weighted_support_solve


@dataclass(frozen=True, eq=False)
class SharedSystem:
    """G, the same for all signals."""

    gram: Any

    def times(self, code):
        """Codes times G."""
        return code @ self.gram

    def solve(self, lam2, support, rhs):
        """Solutions of (G_SS + lam2 I) x_S = rhs_S."""
        return support_solve.reference(self.gram, lam2, support, rhs)

    def rows(self, rows):
        """The systems of some signals."""
        return self


@dataclass(frozen=True, eq=False)
class WeightedSystem:
    """D diag(v) D', with weights v of the entries of each signal."""

    dictionary: Any
    entry_weight: Any

    def times(self, code):
        """Codes times the matrix of their signal."""
        return (code @ self.dictionary * self.entry_weight) @ self.dictionary.T

    def solve(self, lam2, support, rhs):
        """Solutions of (G_SS + lam2 I) x_S = rhs_S."""
        arrays = self.dictionary, self.entry_weight
        return weighted_support_solve.reference(*arrays, lam2, support, rhs)

    def rows(self, rows):
        """The systems of some signals."""
        return WeightedSystem(self.dictionary, take_rows(self.entry_weight, rows))
