"""`solve`: cut the batch into slices, code them on threads, certify, assemble."""

import time
import warnings
from dataclasses import replace

import numpy as np
import scipy.sparse

from .._array import astype_like, device_of, eps, is_numpy, namespace, take_rows, to_numpy
from .._threads import effective_n_jobs, map_threads, one_blas_thread, slices
from .._validation import ConvergenceWarning
from ..solution import Solution
from ._wide import is_extreme, narrow, second_way, widen

_CHUNK = 4096  # signals between two looks at the clock
_SLICE_BYTES = 2**20  # of correlations in one slice: code, slope and Gram matrix share the cache


def default_tol(dtype_eps):
    """Duality gap asked for where `tol` is None: 1e-9 in float64, 1e-5 in float32."""
    return 1e-9 if dtype_eps < 1e-10 else 1e-5


@one_blas_thread()
def solve(problem, X, solver, *, init=None, tol=None, output="dense", n_jobs=None, verbose=0):
    """Codes of the signals X for a problem, by a solver; a `Solution`.

    The slices depend on the shape of the batch alone, so the result does not depend on n_jobs.
    """
    xp = namespace(X)
    n, p = X.shape[0], problem.dictionary.shape[0]
    n_jobs = effective_n_jobs(n_jobs)
    tol = default_tol(eps(X)) if tol is None else tol
    if is_extreme(X, problem.dictionary):
        return _solve_wide(problem, X, solver, init, tol, output, n_jobs, verbose)
    itemsize = xp.finfo(X.dtype).bits // 8
    width = max(16, min(512, _SLICE_BYTES // (p * itemsize), -(-n // 4)))
    parts, start, last = [], time.perf_counter(), time.perf_counter()
    _ = problem.gram  # once, before the threads ask for it
    for chunk in slices(n, _CHUNK):

        def work(rows, first=chunk.start):
            where = slice(first + rows.start, first + rows.stop)
            guess = None if init is None else _dense(init[where, :], X)
            part = _codes(problem, X[where, :], solver, tol, guess)
            return (_to_csr(part[0]), *part[1:]) if output == "sparse" else part

        pieces = slices(chunk.stop - chunk.start, width)
        parts += map_threads(work, pieces, n_jobs if is_numpy(X) else 1)
        now = time.perf_counter()
        if verbose and (now - last > 2.0 or chunk.stop == n):
            rate = chunk.stop / max(now - start, 1e-9)
            print(
                f"encode: {chunk.stop}/{n} signals, {now - start:.1f} s, {rate:.0f} signals/s",
                flush=True,
            )
            last = now
    code, n_iter, *certificate = zip(*parts, strict=True)
    code = (
        scipy.sparse.vstack(code, format="csr") if output == "sparse" else xp.concat(code, axis=0)
    )
    kkt_residual, duality_gap, objective = (xp.concat(list(c), axis=0) for c in certificate)
    n_iter = xp.concat(list(n_iter), axis=0)
    converged = _converged(kkt_residual, duality_gap, tol, problem)
    _warn(converged, duality_gap, tol)
    return Solution(code, kkt_residual, duality_gap, n_iter, converged, objective)


def _solve_wide(problem, X, solver, init, tol, output, n_jobs, verbose):
    """Solution by way of float64, in the dtype of X."""
    wide, wide_X, init = widen(problem, X, init)
    options = {"output": output, "n_jobs": n_jobs, "verbose": verbose}
    solution = solve(wide, wide_X, solver, init=init, tol=tol, **options)
    names = ("code", "kkt_residual", "duality_gap", "objective")
    return replace(solution, **{n: narrow(getattr(solution, n), X.dtype) for n in names})


def _codes(problem, X, solver, tol, init):
    """One slice, with a second way for signals whose certificate fails."""
    xp = namespace(X)
    corr, energy = problem.corr(X), problem.energy(X)
    code, slope, n_iter = solver.codes(problem, corr, energy, tol, init)
    certificate = problem.certificate(corr, energy, code, slope)

    def converged(certificate):
        return _converged(certificate.kkt_residual, certificate.duality_gap, tol, problem)

    failed = ~to_numpy(converged(certificate))
    n_iter = np.asarray(n_iter, dtype=np.int64)
    if failed.any() and solver.max_iter is None:
        rows = failed.nonzero()[0]
        again, found = second_way(problem, take_rows(X, rows), solver, tol, converged)
        code, *certificate = (
            _replaced(xp, *pair, rows)
            for pair in zip((code, *certificate), (again, *found), strict=True)
        )
    n_iter = n_iter if is_numpy(code) else xp.asarray(n_iter, device=device_of(code))
    return code, n_iter, *certificate


def _replaced(xp, array, values, rows):
    """A copy of an array with other values in some rows."""
    array = xp.asarray(array, copy=True)
    for place, row in enumerate(rows):
        array[int(row), ...] = values[place, ...]
    return array


def _converged(kkt_residual, duality_gap, tol, problem):
    good = duality_gap <= tol
    if getattr(problem.prior, "lam", 1.0) == 0.0 and problem.prior.curvature(kkt_residual) == 0.0:
        # least squares has no dual ball, and its gap is relative to an objective that may vanish
        good = good | (kkt_residual <= tol)
    return good


def _dense(code, like):
    return astype_like(code.toarray(), like) if scipy.sparse.issparse(code) else code


def _to_csr(code):
    return scipy.sparse.csr_matrix(to_numpy(code))


def _warn(converged, duality_gap, tol):
    failed = ~to_numpy(converged)
    if failed.any():
        worst = to_numpy(duality_gap)[failed].max()
        warnings.warn(
            f"{failed.sum()} of {failed.size} codes are above a relative duality gap of {tol:g}"
            f" (largest {worst:.1e}); raise max_iter, tol or lam2, or try another solver.",
            ConvergenceWarning,
            stacklevel=5,  # past solve, its decorator and encode
        )
