"""The stopping criterion of iterative solvers, and the loop that applies it.

A signal is finished when its code is within tol by the measure of `Problem.converged`, or when no
further progress is possible. Kernels, which get arrays instead of a `Problem`, implement the same
criterion for their prior.
"""

from .._array import namespace
from .._records import iterate
from ..certificate import Certificate, certificate

COARSE_TOL = 0.01  # residual up to which codes of an approximate problem are computed
COARSE_MAX_ITER = 30

__all__ = [
    "COARSE_MAX_ITER",
    "COARSE_TOL",
    "gradient_step",
    "iterate",
    "iterate_to_tol",
    "residual_alone",
    "stopping_certificate",
    "weighted_step",
]


def iterate_to_tol(problem, state, step, tol, max_iter, *, certify=None, is_stalled=None, every=1):
    """Iterate until each signal is finished; returns the state and the steps of each signal.

    Parameters
    ----------
    problem : Problem
    state : Rows
        A record with `data` and `code`.
    step : callable
        The state after one step.
    tol : float
        Error at which a signal is finished.
    max_iter : int
        Maximum number of steps for each signal.
    certify : callable or None
        The certificate of a state; None for `stopping_certificate`.
    is_stalled : callable or None
        Whether no further progress is possible for signals of a state in the precision of their
        codes; None for solvers that always make progress.
    every : int
        Steps between two tests.
    """

    def is_finished(state):
        errors = stopping_certificate(problem, state) if certify is None else certify(state)
        converged = problem.converged(errors, tol)
        return converged if is_stalled is None else converged | is_stalled(state)

    return iterate(state, step, is_finished, max_iter, every)


def stopping_certificate(problem, state, slope=None):
    """Certificate of the codes of a state, for the stopping criterion.

    Unlike the certificates of `encode`, it does not include rounding errors. For smooth priors it
    has the residuals only: gaps would take further matrix products.
    """
    data, code = state.data, state.code
    slope = problem.slope(data, code) if slope is None else slope
    if problem.prior.smooth:
        return residual_alone(data.relative_residual(problem.prior.stationarity(code, slope)))
    return certificate(problem, data, code, slope, counted=False)


def residual_alone(kkt_residual):
    """Certificate with a residual only, which decides about convergence for smooth priors."""
    return Certificate(kkt_residual, None, None)


def gradient_step(problem):
    """Step size of gradient methods: one over a Lipschitz constant of the gradient of the loss.

    It is that of signals without weights of entries, see `weighted_step`.
    """
    top = float(namespace(problem.gram).linalg.eigvalsh(problem.gram)[-1])
    bound = problem.reconstruction.smoothness * top * (1 + 1e-6)
    return 1.0 / max(bound, 1e-30)


def weighted_step(step_size, data):
    """Step sizes of the signals of a batch: a number, or an array (n_samples, 1) for weights."""
    if data.weight is None:
        return step_size
    xp, squares = namespace(data.gain), data.gain * data.gain
    return (step_size / xp.where(squares > 0, squares, xp.ones_like(squares)))[:, None]
