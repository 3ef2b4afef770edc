"""`solve`: divide a batch into slices, code and certify each, and assemble a `Solution`."""

from dataclasses import dataclass, replace
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
from .._atoms import atoms_of
from .._signals import as_signals
from .._threads import effective_n_jobs, one_blas_thread
from .._validation import ConvergenceWarning, warn, warn_of_low_bounds
from ..certificate import Certificate
from ..priors import ElasticNet, is_per_atom, scaled
from ..problem import Problem
from ..solution import Solution
from .limit_coder import LimitCoder
from .limits import Limits
from .path import PathCoder
from .plan import default_tol, plan
from .precision import Coder
from .pursuit import PursuitCoder


def solve(problem, X, solver, **options):
    """Solve a problem for the signals X (`Signals` or an array); return a `Solution`.

    `solver` is a solver, or `Limits` that take the place of the weight lam. The options are those
    of `solve_path`.

    A code depends only on its signal (bit for bit in NumPy), not on n_jobs or the rest of the
    batch. Signals that are not finite raise ValueError, in host memory before their slice is
    coded.
    """
    return solve_path(problem, X, solver, None, **options)[0]


@one_blas_thread()
def solve_path(  # noqa: PLR0913 - keyword-only settings
    problem,
    X,
    solver,
    factors,
    *,
    init=None,
    tol=None,
    output="dense",
    n_jobs=None,
    verbose=0,
    warns=True,
):
    """Solve a problem for several weights, which decrease; return a list of `Solution`.

    The weights are `factors` times those of the prior of the problem; None stands for one, which
    is 1. With `warns=False`, the caller must report codes that have not converged.
    """
    X, like = as_signals(X), problem.dictionary
    if as_numpy_view(like) is not like:  # tensors in host memory use the compiled NumPy code
        atoms = atoms_of(as_numpy_view(like))
        shared = Problem(problem.reconstruction, problem.prior, atoms)
        settings = {"tol": tol, "output": output, "n_jobs": n_jobs, "verbose": verbose}
        solutions = solve_path(shared, X, solver, factors, init=init, warns=warns, **settings)
        return [
            Solution(**{name: from_numpy_view(a, like) for name, a in solution.arrays().items()})
            for solution in solutions
        ]
    tol = default_tol(eps(like)) if tol is None else tol
    problem.prepare(effective_n_jobs(n_jobs))  # before several threads need it
    coders, code_slice = _coders(problem, solver, factors, tol, X)
    shape, is_filled = (X.shape[0], like.shape[0]), output == "dense" and is_numpy(like)
    codes = [np.empty(shape, like.dtype) if is_filled else None for _ in coders]

    def work(rows):
        start = None if init is None else astype_like(dense(init[rows, :]), like)
        observations = X.observations(rows).map(as_numpy_view)
        results = zip(code_slice(observations, start, rows), codes, strict=True)
        return [_piece(result, code, rows, output) for result, code in results]

    slices = plan(problem, X, n_jobs, len(coders)).map(work, verbose)
    found = [
        _solution(coder, code, pieces, X, output, warns)
        for coder, code, *pieces in zip(coders, codes, *slices, strict=True)
    ]
    if factors is None:
        return found
    one = namespace(like).ones_like(found[0].objective)
    return [replace(each, lam=factor * one) for each, factor in zip(found, factors, strict=True)]


@dataclass(frozen=True, eq=False)
class _Piece:
    """Codes of a slice, in the form of the output, or None where they are written to an array."""

    code: Any
    certificate: Certificate
    reached: Any
    n_iter: Any
    may_fail: bool


def _piece(result, whole, rows, output):
    """Piece of a result of `Coder.code`, written to the rows of an array if there is one."""
    coded, n_iter, may_fail = result
    part = coded.code
    if whole is not None:
        whole[rows], part = part, None
    elif output == "sparse":
        part = scipy.sparse.csr_matrix(to_numpy(part))
    return _Piece(part, coded.certificate, coded.reached, n_iter, may_fail)


def _solution(coder, code, pieces, X, output, warns):
    """`Solution` of the pieces of a batch."""
    certificates, reached = [p.certificate for p in pieces], [p.reached for p in pieces]
    certificate = certificates[0].join(certificates[1:])
    where = None if reached[0] is None else reached[0].join(reached[1:])
    converged, more, is_low = coder.converged(certificate, where), {}, np.zeros(1, bool)
    if where is not None:
        more = {"lam": where.mu, "residual_norm": where.residual_norm}
        is_low = to_numpy(where.is_low)
        if warns and coder.limits.warns_of_low_bounds:
            warn_of_low_bounds(int(is_low.sum()), X.shape[0])
    if warns and any(p.may_fail for p in pieces):  # else avoid a device synchronisation
        _warn(~to_numpy(converged) & ~is_low, certificate, coder)
    n_iter = [p.n_iter for p in pieces]
    return Solution(
        code=_join([p.code for p in pieces], output) if code is None else code,
        kkt_residual=certificate.kkt_residual,
        duality_gap=certificate.duality_gap,
        n_iter=_join(n_iter, "dense"),
        converged=converged,
        objective=certificate.objective,
        **more,
    )


def _coders(problem, solver, factors, tol, X):
    """A coder for each weight, and what codes a slice for all of them."""
    if factors is None:
        coder = _coder(problem, solver, tol, X)
        return [coder], lambda *slice_: [coder.code(*slice_)]
    priors = [scaled(problem.prior, factor) for factor in factors]
    coders = [Coder(problem.with_prior(prior), solver, tol, X) for prior in priors]
    return coders, PathCoder(problem, tuple(coders), tuple(factors)).code


def _coder(problem, solver, tol, X) -> Any:
    """What codes slices of the signals X, by a solver or to limits."""
    if not isinstance(solver, Limits):
        return Coder(problem, solver, tol, X)
    prior = problem.prior
    unit = ElasticNet(prior.lam if is_per_atom(prior.lam) else 1.0, prior.lam2, prior.positive)
    kind = PursuitCoder if solver.is_greedy else LimitCoder
    least_lam = prior.lam if solver.ends_at_lam else 0.0
    return kind(problem.with_prior(unit), solver, tol, X, least_lam)


def _join(codes, output):
    if output == "sparse":
        return scipy.sparse.vstack(codes, format="csr")
    return namespace(codes[0]).concat(list(codes), axis=0) if len(codes) > 1 else codes[0]


def _warn(failed, certificate, coder):
    if not failed.any():
        return
    if coder.is_by_residual:
        errors, measure, cure = certificate.kkt_residual, "optimality residual", "max_iter or tol"
    else:
        errors, measure, cure = certificate.duality_gap, "duality gap", "max_iter, tol or lam2"
    worst = to_numpy(errors)[failed].max()
    if isinstance(coder, LimitCoder) and worst <= coder.tol:
        warn(
            f"{failed.sum()} of {failed.size} codes are optimal for their weights, but do not "
            f"reach max_residual or max_nonzeros to a relative tolerance of {coder.tol:g}; "
            "increase tol.",
            ConvergenceWarning,
        )
        return
    warn(
        f"{failed.sum()} of {failed.size} codes have not converged to a relative {measure} of "
        f"{coder.tol:g} (largest {worst:.1e}); increase {cure}, or try another solver.",
        ConvergenceWarning,
    )
