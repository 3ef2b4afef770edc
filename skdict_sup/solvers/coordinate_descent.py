"""Codes by cyclic coordinate descent on the Gram matrix."""

from dataclasses import dataclass

from ..kernels import coordinate_descent
from ..priors import ElasticNet
from ..reconstruction import Linear


@dataclass(frozen=True)
class CoordinateDescent:
    """Iterative solver: cost grows with the number of atoms and with their coherence."""

    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        """Whether this solver is for such problems."""
        return isinstance(reconstruction, Linear) and isinstance(prior, ElasticNet)

    def codes(self, problem, corr, energy, tol, init=None):
        """Codes of a slice, to a relative duality gap of tol."""
        prior = problem.prior
        rounds = self.max_iter or 10_000
        return coordinate_descent(
            problem.gram, corr, energy, prior.lam, prior.lam2, prior.positive, tol, rounds, init
        )
