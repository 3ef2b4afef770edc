"""Codes by cyclic coordinate descent on the Gram matrix."""

from dataclasses import dataclass

from ..kernels import coordinate_descent, weighted_coordinate_descent
from ..priors import elastic_net_weights, is_elastic_net


@dataclass(frozen=True)
class CoordinateDescent:
    """Iterative solver: cost grows with the number of atoms and with their coherence."""

    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        """Whether the solver supports this transfer and prior."""
        return reconstruction.quadratic and is_elastic_net(prior)

    def codes(self, problem, data, tol, init=None):
        """Codes of a slice, to a relative duality gap of tol."""
        weights, max_iter = elastic_net_weights(problem.prior, data.corr), self.max_iter or 10_000
        settings = data.corr, data.offset, *weights, tol, max_iter, init
        if data.weight is None:
            return coordinate_descent(problem.gram, *settings)
        return weighted_coordinate_descent(problem.dictionary, data.weight, *settings)
