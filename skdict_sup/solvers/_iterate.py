"""The stopping criterion of iterative solvers, and the loop that applies it.

A signal is finished when its code is within tol by the measure of `Problem.converged`, or when no
further progress is possible. Kernels, which get arrays instead of a `Problem`, implement the same
criterion for their prior.
"""

from functools import partial

from .._array import namespace, take_rows, to_numpy
from .._records import iterate
from ..certificate import Certificate, certificate

_COARSE_TOL = 0.01  # residual up to which codes of an approximate problem are computed
_SINGLE_TOL = 2e-5  # residual up to which codes are computed in single precision
# steps after which a few slow signals leave for the next stage, instead of going on alone: for
# smooth priors, and for others, whose supports have to be found
_MAX_ITER = {True: 6, False: 30}
# exact steps, after which no more are of use, for smooth priors; supports may take hundreds
_EXACT_MAX_ITER = {True: 30, False: 1000}

__all__ = [
    "coarse_codes",
    "gradient_step",
    "iterate",
    "iterate_in_stages",
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


def coarse_codes(problem, data, code, start, step):
    """Codes of an approximate problem, where there is one, to start from.

    `start` and `step` are those of a solver; its states have `kkt_residual` and `n_stalled`.
    """
    return _approximate_codes(problem.coarse, data, code, start, step, _COARSE_TOL)


def _approximate_codes(problem, data, code, start, step, tol):
    """Codes to a residual, or where steps of an approximate problem make no progress."""
    if problem is None:
        return code

    def is_close(state):
        return (state.kkt_residual <= tol) | _is_at_odds(state)

    xp, state = namespace(code), start(problem, data, code)
    state, _ = iterate(state, partial(step, problem), is_close, _MAX_ITER[problem.prior.smooth])
    is_finite = xp.all(xp.isfinite(state.code), axis=1)[:, None]
    return xp.where(is_finite, state.code, code)


def _is_at_odds(state):
    """Whether a step has made no progress, or the objective is not finite."""
    return (state.n_stalled > 0) | ~namespace(state.code).isfinite(state.objective)


def iterate_in_stages(  # noqa: PLR0913 - keyword-only settings
    problem, data, code, start, step, tol, max_iter, *, certify, is_stalled
):
    """`iterate_to_tol` from codes, in single precision as far as this makes progress.

    All but the last digits are computed in single precision, and these with systems in it. Signals
    for which this does not reach `tol` go on in their own precision, with exact systems. `start`,
    `step`, `certify` and `is_stalled` are those of a solver; the first three take a problem.
    """

    def iterated(approximation, code, data, max_iter, is_stalled):
        state, advance = start(problem, data, code), partial(step, approximation)
        settings = {"certify": partial(certify, problem), "is_stalled": is_stalled}
        return iterate_to_tol(problem, state, advance, tol, max_iter, **settings)

    if problem.single is None:
        return iterated(problem, code, data, max_iter, is_stalled)
    rough, with_single_systems = problem.single
    single_tol = max(_SINGLE_TOL, 0.5 * tol if problem.prior.smooth else 0.0)
    code = _approximate_codes(rough, data, code, start, step, single_tol)
    most = min(max_iter, _MAX_ITER[problem.prior.smooth])
    state, n_iter = iterated(with_single_systems, code, data, most, _is_at_odds)
    is_left = ~problem.converged(certify(problem, state), tol)
    rows = to_numpy(is_left).nonzero()[0]
    if not len(rows) or most == max_iter:
        return state, n_iter
    xp, left = namespace(code), state.rows(rows)
    is_finite = xp.isfinite(left.objective)[:, None]
    code = xp.where(is_finite, left.code, take_rows(code, rows))
    most = min(max_iter - most, _EXACT_MAX_ITER[problem.prior.smooth])
    last, n_last = iterated(problem.exact, code, left.data, most, is_stalled)
    n_iter[rows] += n_last
    return state.put(last, rows), n_iter


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
