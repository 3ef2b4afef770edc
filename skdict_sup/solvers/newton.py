"""Codes for smooth convex priors by Newton's method, with continuation in lam."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from .._array import namespace, set_rows, take_rows, to_numpy
from .._newton import is_stalled, start, step
from .._records import iterate
from ..kernels import kl_codes
from ..priors import is_convex, is_positive, kl_weights, scaled, weight_of
from ._iterate import coarse_codes, iterate_in_stages, residual_alone

# where lam is below this fraction of the largest correlation, larger lam are solved first
_SMALL_LAM = 1e-4
_LAM_RATIO = 10.0  # ratio of successive lam of the continuation
_MAX_STAGES = 13  # a smaller lam is below the rounding error of correlations
_STAGE_MAX_ITER = 50
_STAGE_TOL = 0.3  # residual, relative to lam, at which the next lam starts


@dataclass(frozen=True)
class Newton:
    """Second-order solver: few iterations, which solve a linear system for each signal.

    `_newton` states the algorithm, which takes steps in the dual variable phi'(w). For tiny lam,
    it starts from codes of larger lam.

    References
    ----------
    D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, equations 6 and 9.
    """

    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        """Whether the solver supports this transfer and prior."""
        return prior.smooth and is_convex(prior)

    def codes(self, problem, data, tol, init=None):
        """Codes of a slice, to a relative optimality residual of tol."""
        if init is None:
            init = _first_codes(problem, data)
        elif is_positive(problem.prior):
            init = namespace(init).abs(init)
        max_iter, weights = self.max_iter or 1000, kl_weights(problem.prior, data.corr)
        is_shared = problem.reconstruction.quadratic and data.weight is None
        if weights is not None and is_shared:  # the same, compiled
            arrays = problem.gram, problem.dictionary, data.corr, data.offset
            return kl_codes(*arrays, *weights, tol, init, max_iter)
        state, n_iter = iterate_in_stages(
            problem,
            data,
            init,
            start,
            step,
            tol,
            max_iter,
            certify=lambda problem, state: residual_alone(state.kkt_residual),
            is_stalled=is_stalled,
        )
        return state.code, state.slope, n_iter


def _first_codes(problem, data):
    """Initial codes: those of an approximate problem where there is one."""
    first = _continuation(problem.coarse or problem, data)
    return coarse_codes(problem, data, first, start, step)


def _continuation(problem, data):
    """Initial codes: the minimiser of the prior, or for tiny lam the codes of a larger lam.

    The stages of a signal are lam * ratio^k, up to a fraction of its largest correlation. They
    do not depend on other signals.
    """
    xp, prior = namespace(data.corr), problem.prior
    code = prior.code_at(xp.zeros_like(data.corr))
    top = to_numpy(xp.max(xp.abs(data.corr), axis=1)).astype(np.float64)
    largest_ratio = np.maximum(_SMALL_LAM * top / weight_of(prior, np.inf), 1.0)
    n_stages = np.floor(np.log(largest_ratio) / np.log(_LAM_RATIO))
    n_stages = np.minimum(n_stages, _MAX_STAGES).astype(int)
    for stage in range(n_stages.max(initial=0), 0, -1):
        rows = (n_stages >= stage).nonzero()[0]
        stage_problem = problem.with_prior(scaled(prior, _LAM_RATIO**stage))
        state, _ = iterate(
            start(stage_problem, data.rows(rows), take_rows(code, rows)),
            partial(step, stage_problem),
            partial(_is_close, stage_problem.prior.lam),
            _STAGE_MAX_ITER,
        )
        code = set_rows(code, state.code, rows)
    return code


def _is_close(lam, state):
    """Whether the codes of a stage are close enough to optimal to start the next stage from."""
    xp = namespace(state.code)
    top = xp.max(xp.abs(state.data.corr), axis=1)
    return (state.kkt_residual * top <= _STAGE_TOL * lam) | is_stalled(state)
