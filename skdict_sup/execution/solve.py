"""`solve`: divide a batch into slices, code and certify each, and assemble a `Solution`."""

from typing import Any

import numpy as np
import scipy.sparse

from .._array import (
    as_numpy_view,
    astype_like,
    dense,
    eps,
    from_numpy_view,
    is_numpy,
    namespace,
    to_numpy,
)
from .._atoms import Atoms
from .._signals import as_signals
from .._threads import one_blas_thread
from .._validation import ConvergenceWarning, warn, warn_of_low_bounds
from ..problem import Problem
from ..solution import Solution
from .limits import LimitCoder
from .plan import default_tol, plan
from .precision import Coder


@one_blas_thread()
def solve(  # noqa: PLR0913 - keyword-only settings
    problem,
    X,
    solver,
    *,
    init=None,
    tol=None,
    output="dense",
    n_jobs=None,
    verbose=0,
    warns=True,
    limits=None,
):
    """Solve a problem for the signals X (`Signals` or an array); return a `Solution`.

    With `warns=False`, the caller must report codes that have not converged. `limits` take the
    place of the weight lam, and of the solver.

    A code depends only on its signal (bit for bit in NumPy), not on n_jobs or the rest of the
    batch. Signals that are not finite raise ValueError, in host memory before their slice is
    coded.
    """
    X, like = as_signals(X), problem.dictionary
    if as_numpy_view(like) is not like:  # tensors in host memory use the compiled NumPy code
        shared = Problem(problem.reconstruction, problem.prior, Atoms(as_numpy_view(like)))
        settings = {"tol": tol, "output": output, "n_jobs": n_jobs, "verbose": verbose}
        settings |= {"warns": warns, "limits": limits}
        solution = solve(shared, X, solver, init=init, **settings)
        return Solution(
            **{name: from_numpy_view(part, like) for name, part in solution.arrays().items()}
        )
    tol = default_tol(eps(like)) if tol is None else tol
    shape = X.shape[0], like.shape[0]
    code = np.empty(shape, like.dtype) if output == "dense" and is_numpy(like) else None
    problem.prepare()  # before several threads need it
    if limits is None:
        coder: Any = Coder(problem, solver, tol, X)
    else:
        coder = LimitCoder(problem, limits, tol, X)

    def work(rows):
        start = None if init is None else astype_like(dense(init[rows, :]), like)
        observations = X.observations(rows).map(as_numpy_view)
        coded, n_iter, may_fail = coder.code(observations, start, rows)
        part = coded.code
        if code is not None:
            code[rows], part = part, None
        elif output == "sparse":
            part = scipy.sparse.csr_matrix(to_numpy(part))
        return part, coded.certificate, coded.reached, n_iter, may_fail

    slices = plan(problem, X, n_jobs).map(work, verbose)
    codes, certificates, reached, n_iter, may_fail = zip(*slices, strict=True)
    certificate = certificates[0].join(certificates[1:])
    converged, more, is_low = problem.converged(certificate, tol), {}, np.zeros(1, bool)
    if limits is not None:
        where = reached[0].join(reached[1:])
        converged = converged & where.is_feasible
        more = {"lam": where.mu, "residual_norm": where.residual_norm}
        is_low = to_numpy((where.mu == 0) & ~where.is_feasible)
        warn_of_low_bounds(int(is_low.sum()) if warns else 0, X.shape[0])
    if warns and any(may_fail):  # else avoid a device synchronisation
        failed = ~to_numpy(converged)
        _warn(failed & ~is_low, certificate, tol, problem)
    return Solution(
        code=_join(codes, output) if code is None else code,
        kkt_residual=certificate.kkt_residual,
        duality_gap=certificate.duality_gap,
        n_iter=namespace(n_iter[0]).concat(list(n_iter), axis=0),
        converged=converged,
        objective=certificate.objective,
        **more,
    )


def _join(codes, output):
    if output == "sparse":
        return scipy.sparse.vstack(codes, format="csr")
    return namespace(codes[0]).concat(list(codes), axis=0)


def _warn(failed, certificate, tol, problem):
    if not failed.any():
        return
    if problem.prior.smooth:
        errors, measure, cure = certificate.kkt_residual, "optimality residual", "max_iter or tol"
    else:
        errors, measure, cure = certificate.duality_gap, "duality gap", "max_iter, tol or lam2"
    worst = to_numpy(errors)[failed].max()
    warn(
        f"{failed.sum()} of {failed.size} codes have not converged to a relative {measure} of "
        f"{tol:g} (largest {worst:.1e}); increase {cure}, or try another solver.",
        ConvergenceWarning,
    )
