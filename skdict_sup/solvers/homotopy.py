"""Exact codes by homotopy in lam and active-set descent."""

from dataclasses import dataclass

from .._array import is_numpy, namespace, put_rows, rows_times, take_rows, to_numpy
from ..kernels import elastic_net_codes
from ..priors import ElasticNet
from ..reconstruction import Linear

_FEW = 32  # atoms that come and go in less time than it takes to judge them
_NEAR = 0.25  # of lam: mean violation over the atoms of a start that is worth its time


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
        init = None if init is None else _near(problem, corr, init)
        code, slope, n_iter = elastic_net_codes(
            problem.gram, corr, prior.lam, prior.lam2, prior.positive, init, self.max_iter
        )
        if prior.positive:
            code, slope = _clipped(problem, code, slope)
        return code, slope, n_iter


def _clipped(problem, code, slope):
    """Codes at or above zero: a step that ends where an entry vanishes may round past it.

    Slopes follow, for beside a large atom what is next to nothing counts.
    """
    xp = namespace(code)
    below = xp.minimum(code, xp.zeros_like(code))
    if not is_numpy(code):
        return code - below, slope + below @ problem.gram
    rows = below.any(axis=1).nonzero()[0]
    if len(rows):
        slope = put_rows(slope, slope[rows] + rows_times(below[rows], problem.gram), rows)
    return code - below, slope


def _near(problem, corr, init):
    """Starts, with zero for those far from optimal: letting go of their atoms would take longer.

    Codes of a nearby dictionary or of another solver violate the optimality condition by a few
    hundredths of lam, those of a network by lam itself, on many more atoms.
    """
    xp, prior = namespace(corr), problem.prior
    n_atoms = xp.sum(xp.astype(init != 0, corr.dtype), axis=1)
    rows = (to_numpy(n_atoms) > _FEW).nonzero()[0]
    if not len(rows):
        return init
    start, pull, n_atoms = (take_rows(array, rows) for array in (init, corr, n_atoms))
    slope = problem.reconstruction.slope(pull, start, problem)
    zero = xp.zeros_like(start)
    violation = xp.where(start != 0, prior.stationarity(start, slope), zero)
    least = 1e-3 * xp.max(xp.abs(pull), axis=1)  # where lam is next to nothing
    bound = _NEAR * xp.where(least > prior.lam, least, prior.lam)
    near = xp.sum(violation, axis=1) / n_atoms <= bound
    return put_rows(init, xp.where(near[:, None], start, zero), rows)
