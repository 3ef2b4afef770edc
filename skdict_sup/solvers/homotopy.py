"""Exact codes by homotopy in lam and active-set descent."""

from dataclasses import dataclass

from ..kernels import elastic_net_codes
from ..priors import ElasticNet
from ..reconstruction import Linear


@dataclass(frozen=True)
class Homotopy:
    """Exact solver: cost grows with the square of the number of nonzeros."""

    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        """Whether this solver is for such problems."""
        return isinstance(reconstruction, Linear) and isinstance(prior, ElasticNet)

    def codes(self, problem, corr, energy, tol, init=None):
        """Codes of a slice; exact whatever tol."""
        prior = problem.prior
        return elastic_net_codes(
            problem.gram, corr, prior.lam, prior.lam2, prior.positive, init, self.max_iter
        )
