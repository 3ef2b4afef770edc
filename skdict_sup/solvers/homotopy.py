"""Exact codes by homotopy in lam and active-set descent."""

from dataclasses import dataclass

from .._array import is_numpy, namespace, set_rows, take_rows, to_numpy
from ..kernels import elastic_net_codes, weighted_elastic_net_codes
from ..priors import elastic_net_weights, is_elastic_net, weight_of

_MAX_UNCHECKED_SUPPORT = 32  # size of supports up to which the check costs more than it saves
_MAX_MEAN_VIOLATION = 0.25  # mean violation over the support, relative to lam, of a usable start


@dataclass(frozen=True)
class Homotopy:
    """Exact solver: cost grows with the square of the number of nonzeros."""

    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        """Whether the solver supports this transfer and prior."""
        return reconstruction.quadratic and is_elastic_net(prior)

    def codes(self, problem, data, tol, init=None):
        """Codes of a slice; exact whatever tol."""
        prior = problem.prior
        init = None if init is None else _usable_start(problem, data, init)
        weights = elastic_net_weights(prior, data.corr)
        settings = data.corr, *weights, init, self.max_iter
        if data.weight is None:
            code, slope, n_iter = elastic_net_codes(problem.gram, *settings)
        else:
            arrays = problem.dictionary, data.weight
            code, slope, n_iter = weighted_elastic_net_codes(*arrays, *settings)
        if prior.positive:
            code, slope = clip_negative(problem, data, code, slope)
        return code, slope, n_iter


def clip_negative(problem, data, code, slope):
    """Set negative entries to zero, and correct the slopes.

    A step that ends where an entry vanishes may round below zero. Slopes are corrected because
    for a large atom, a tiny entry changes them noticeably.
    """
    xp = namespace(code)
    negative_part = xp.minimum(code, xp.zeros_like(code))
    if not is_numpy(code):
        change = problem.product(negative_part, code, data.weight)
        return code - negative_part, slope + change
    rows = negative_part.any(axis=1).nonzero()[0]
    if len(rows):
        weight = None if data.weight is None else data.weight[rows]
        change = problem.product(negative_part[rows], code[rows], weight)
        slope = set_rows(slope, slope[rows] + change, rows)
    return code - negative_part, slope


def _usable_start(problem, data, init):
    """Initial codes, with zero in place of codes that are far from optimal.

    Removing many atoms is slower than a cold start. Codes for a similar dictionary, or of another
    solver, violate the optimality condition by a few hundredths of lam; codes of a network violate
    it by lam itself, on many more atoms.
    """
    xp, prior = namespace(init), problem.prior
    n_atoms = xp.sum(xp.astype(init != 0, init.dtype), axis=1)
    rows = (to_numpy(n_atoms) > _MAX_UNCHECKED_SUPPORT).nonzero()[0]
    if not len(rows):
        return init
    start, n_atoms, large_data = take_rows(init, rows), take_rows(n_atoms, rows), data.rows(rows)
    slope = problem.slope(large_data, start)
    zero = xp.zeros_like(start)
    violation = xp.where(start != 0, prior.stationarity(start, slope), zero)
    min_bound = 1e-3 * xp.max(xp.abs(large_data.corr), axis=1)  # where lam is tiny
    lam = weight_of(prior)
    bound = _MAX_MEAN_VIOLATION * xp.where(min_bound > lam, min_bound, lam)
    is_usable = xp.sum(violation, axis=1) / n_atoms <= bound
    return set_rows(init, xp.where(is_usable[:, None], start, zero), rows)
