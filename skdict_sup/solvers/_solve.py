"""`solve`: cut the batch into slices, code them on threads, certify, assemble."""

import time
import warnings

import numpy as np
import scipy.sparse

from .._array import astype_like, device_of, eps, is_numpy, namespace, take_rows, to_numpy
from .._threads import effective_n_jobs, map_threads, slices
from .._validation import ConvergenceWarning
from ..problem import Problem
from ..solution import Solution
from .coordinate_descent import CoordinateDescent

_CHUNK = 4096  # signals whose correlations are held at once
_SLICE_BYTES = 2**20  # of correlations in one slice: code, slope and Gram matrix share the cache


def default_tol(dtype_eps):
    """Duality gap asked for where `tol` is None: 1e-9 in float64, 1e-5 in float32."""
    return 1e-9 if dtype_eps < 1e-10 else 1e-5


def solve(problem, X, solver, *, init=None, tol=None, output="dense", n_jobs=None, verbose=0):
    """Codes of the signals X for a problem, by a solver; a `Solution`.

    The slices depend on the shape of the batch alone, so the result does not depend on n_jobs.
    """
    xp = namespace(X)
    n, p = X.shape[0], problem.dictionary.shape[0]
    n_jobs = effective_n_jobs(n_jobs)
    tol = default_tol(eps(X)) if tol is None else tol
    itemsize = xp.finfo(X.dtype).bits // 8
    width = max(16, min(512, _SLICE_BYTES // (p * itemsize), -(-n // 4)))
    parts, start, last = [], time.perf_counter(), time.perf_counter()
    _ = problem.gram  # once, before the threads ask for it
    for chunk in slices(n, _CHUNK):
        corr, energy = problem.corr(X[chunk, :]), problem.energy(X[chunk, :])

        def work(rows, corr=corr, energy=energy, chunk=chunk):
            where = slice(chunk.start + rows.start, chunk.start + rows.stop)
            guess = None if init is None else _dense(init[where, :], X)
            part = _codes(problem, X[where, :], corr[rows, :], energy[rows], solver, tol, guess)
            return (_to_csr(part[0]), *part[1:]) if output == "sparse" else part

        parts += map_threads(work, slices(corr.shape[0], width), n_jobs if is_numpy(X) else 1)
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


def _codes(problem, X, corr, energy, solver, tol, init):
    """One slice, with a second way for signals whose certificate fails."""
    xp = namespace(corr)
    code, slope, n_iter = solver.codes(problem, corr, energy, tol, init)
    certificate = problem.certificate(corr, energy, code, slope)
    failed = ~to_numpy(_converged(certificate.kkt_residual, certificate.duality_gap, tol, problem))
    n_iter = np.asarray(n_iter, dtype=np.int64)
    if failed.any() and solver.max_iter is None:
        rows = failed.nonzero()[0]
        code = xp.asarray(code, copy=True)
        again, certificate = _second_way(
            problem, take_rows(X, rows), solver, tol, certificate, rows
        )
        for place, row in enumerate(rows):
            code[int(row), :] = again[place, :]
    n_iter = n_iter if is_numpy(code) else xp.asarray(n_iter, device=device_of(code))
    return code, n_iter, *certificate


def _second_way(problem, X, solver, tol, certificate, rows):
    """Codes of the few signals that degenerate atoms or short floats left above the tolerance."""
    xp = namespace(X)
    wide = problem
    if X.dtype == xp.float32 and _has_float64(xp, X):
        wide = Problem(
            problem.reconstruction, problem.prior, xp.astype(problem.dictionary, xp.float64)
        )
        X = xp.astype(X, xp.float64)
    corr, energy = wide.corr(X), wide.energy(X)
    code, slope, _ = solver.codes(wide, corr, energy, tol, None)
    found = wide.certificate(corr, energy, code, slope)
    worse = ~_converged(found.kkt_residual, found.duality_gap, tol, problem) | ~(
        found.duality_gap < xp.inf
    )
    if bool(xp.any(worse)) and not isinstance(solver, CoordinateDescent):
        other, slope, _ = CoordinateDescent(max_iter=20_000).codes(wide, corr, energy, tol)
        second = wide.certificate(corr, energy, other, slope)
        better = worse & ~(second.duality_gap > found.duality_gap)
        code = xp.where(better[:, None], other, code)
        found = [xp.where(better, b, a) for a, b in zip(found, second, strict=True)]
    dtype = problem.dictionary.dtype
    merged = []
    for before, after in zip(certificate, found, strict=True):
        column = xp.asarray(before, copy=True)
        for place, row in enumerate(rows):
            column[int(row)] = xp.astype(after, dtype, copy=False)[place]
        merged.append(column)
    return xp.astype(code, dtype, copy=False), merged


def _has_float64(xp, X):
    return "float64" in xp.__array_namespace_info__().dtypes(device=device_of(X))


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
            f"{failed.sum()} of {failed.size} codes did not reach a relative duality gap of {tol:g}"
            f" (largest {worst:.1e}); raise max_iter, tol or lam2, or try another solver.",
            ConvergenceWarning,
            stacklevel=3,
        )
