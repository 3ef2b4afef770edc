"""`solve`: cut the batch into slices, code them on threads, certify, assemble."""

import time

import numpy as np
import scipy.sparse

from .._array import (
    ROWS,
    accurate,
    astype_like,
    borrowed,
    dense,
    device_of,
    eps,
    given_back,
    is_numpy,
    namespace,
    on_host,
    put_rows,
    take_rows,
    to_numpy,
)
from .._threads import computing, effective_n_jobs, map_threads, slices
from .._validation import ConvergenceWarning, check_finite, warn
from ..certificate import certificate
from ..problem import Problem
from ..solution import Solution
from ._wide import (
    is_extreme,
    magnitude,
    may_overflow,
    narrowed_codes,
    row_sizes,
    second_way,
    widen,
)

_NUMBERS = 2**16  # entries in a slice of small signals, which share the fixed cost of a slice
_SLICE = 10 * ROWS  # signals: enough for a fast matrix product, few enough for the caches
_AIM = 0.9  # of tol, for solvers: room for the rounding that certificates add
_CHUNK = 8 * _SLICE  # signals between two looks at the clock
_ON_A_DEVICE = 2**16, 2**28  # most signals of a slice there, and numbers of one array


def default_tol(dtype_eps):
    """Duality gap asked for where `tol` is None: 1e-9 in float64, 1e-5 in float32."""
    return 1e-9 if dtype_eps < 1e-10 else 1e-5


@computing()
def solve(problem, X, solver, *, init=None, tol=None, output="dense", n_jobs=None, verbose=0):
    """Codes of the signals X for a problem, by a solver; a `Solution`.

    A code depends on its signal alone, bit for bit in NumPy: not on n_jobs, not on the batch.
    Signals that are not finite raise, in host memory before any of their slice is coded.
    """
    like = problem.dictionary
    if borrowed(like) is not like:  # tensors in host memory share the fast way of NumPy
        shared = Problem(problem.reconstruction, problem.prior, borrowed(like))
        settings = {"tol": tol, "output": output, "n_jobs": n_jobs, "verbose": verbose}
        found = solve(shared, borrowed(X), solver, init=borrowed(init), **settings)
        return Solution(**{name: given_back(part, like) for name, part in vars(found).items()})
    xp = namespace(like)
    host = on_host(like)
    n, p = X.shape[0], like.shape[0]
    n_jobs = effective_n_jobs(n_jobs)
    tol = default_tol(eps(like)) if tol is None else tol
    width = max(_SLICE, ROWS * (_NUMBERS // (ROWS * max(X.shape[1], p))))
    width, stretch = min(width, ROWS * -(-n // (4 * ROWS))), max(_CHUNK, 4 * width)
    if not host:
        stretch = width = max(_SLICE, min(_ON_A_DEVICE[0], _ON_A_DEVICE[1] // max(X.shape[1], p)))
    in_place = output == "dense" and is_numpy(like)
    whole = np.empty((n, p), X.dtype) if in_place else None
    parts, start, last = [], time.perf_counter(), time.perf_counter()
    problem.reconstruction.prepare(problem)  # once, before the threads ask for it
    atoms = magnitude(like)

    def work(where):
        guess = None if init is None else astype_like(dense(init[where, :]), like)
        signals = dense(X[where, :])
        slice_ = problem, signals, solver, tol, guess
        code, *rest = (_codes_in_memory if host else _codes_on_device)(*slice_, atoms, X)
        if in_place:
            whole[where] = code
            return rest
        return (_to_csr(code) if output == "sparse" else code, *rest)

    for chunk in slices(n, stretch):
        pieces = slices(chunk.stop - chunk.start, width, chunk.start)
        parts += map_threads(work, pieces, n_jobs if is_numpy(like) else 1)
        now = time.perf_counter()
        if verbose and (now - last > 2.0 or chunk.stop == n):
            rate = chunk.stop / max(now - start, 1e-9)
            print(
                f"encode: {chunk.stop}/{n} signals, {now - start:.1f} s, {rate:.0f} signals/s",
                flush=True,
            )
            last = now
    columns = list(zip(*parts, strict=True))
    code = whole if in_place else _joined(xp, columns.pop(0), output)
    doubtful, *columns = columns
    n_iter, kkt_residual, duality_gap, objective = (xp.concat(list(c), axis=0) for c in columns)
    converged = problem.reached(kkt_residual, duality_gap, tol)
    if any(doubtful):  # a device that is not asked need not be waited for
        _warn(converged, kkt_residual if problem.prior.smooth else duality_gap, tol, problem)
    return Solution(code, kkt_residual, duality_gap, n_iter, converged, objective)


def _joined(xp, codes, output):
    if output == "sparse":
        return scipy.sparse.vstack(codes, format="csr")
    return xp.concat(list(codes), axis=0)


def _usual(sizes, short):
    """Whether sizes are finite and, where floats are short, not extreme; without dimensions."""
    xp = namespace(sizes)
    finite = xp.isfinite(sizes)
    return xp.all(finite & ~is_extreme(sizes) if short else finite)


def _codes_on_device(problem, X, solver, tol, init, atoms, whole):
    """One slice of all signals on a device, all of it in the same floats.

    A device is asked once for the sizes of signals and for the codes that fail; until it answers
    zeros stand in for signals out of range.
    """
    xp, short = namespace(X), may_overflow(problem.dictionary)
    sizes = xp.stack([atoms, magnitude(X)])
    tame = xp.where(_usual(sizes, short), X, xp.zeros_like(X))
    failed, *rest = _codes(problem, tame, problem.energy(tame), solver, tol, init)
    answer = to_numpy(xp.concat([sizes, xp.astype(failed, sizes.dtype)]))
    sizes, failed = answer[:2], answer[2:] > 0
    if not np.isfinite(sizes).all():
        check_finite(whole, "X")
    if short and is_extreme(sizes).any():
        return _wide_codes(problem, X, solver, tol, init)
    return _mended(problem, X, solver, tol, failed, *rest)


def _codes_in_memory(problem, X, solver, tol, init, atoms, whole):
    """One slice of all signals in host memory.

    Each signal is coded in the floats that its own size asks for, whatever is beside it.
    """
    settings, short = (solver, tol), may_overflow(problem.dictionary)
    energy = None if short else problem.energy(X)
    sizes = to_numpy(row_sizes(X) if short else energy)
    if not np.isfinite(sizes).all():
        check_finite(whole, "X")
    is_far = is_extreme(sizes) | is_extreme(to_numpy(atoms)) if short else np.zeros(1, bool)
    if is_far.all():
        return _wide_codes(problem, X, *settings, init)
    if not is_far.any():
        energy = problem.energy(X) if energy is None else energy
        return _mended(problem, X, *settings, *_codes(problem, X, energy, *settings, init))
    groups, parts = ((~is_far).nonzero()[0], is_far.nonzero()[0]), []
    for rows in groups:
        start = None if init is None else take_rows(init, rows)
        part = take_rows(X, rows), *settings, start
        parts.append(_codes_in_memory(problem, *part, atoms, whole))
    order = np.argsort(np.concatenate(groups))
    code, doubtful, *rest = zip(*parts, strict=True)
    code, *rest = (take_rows(namespace(X).concat(pair, axis=0), order) for pair in (code, *rest))
    return code, any(doubtful), *rest


def _wide_codes(problem, X, solver, tol, init):
    """One slice by way of float64, in the dtype of X."""
    wide, wide_X, init = widen(problem, X, init)
    found = _codes(wide, wide_X, wide.energy(wide_X), solver, tol, init)
    code, doubtful, n_iter, *_ = _mended(wide, wide_X, solver, tol, *found)
    code, certificate = narrowed_codes(problem, wide_X, code)
    reached = problem.reached(certificate.kkt_residual, certificate.duality_gap, tol)
    return code, doubtful or bool((~to_numpy(reached)).any()), n_iter, *certificate


def _codes(problem, X, energy, solver, tol, init):
    """One slice: which certificates fail, codes, iterations, certificate; nothing is asked."""
    xp, wide = namespace(X), problem.wide
    wide_X = accurate(X)
    wide_corr = wide.corr(wide_X)
    corr = astype_like(wide_corr, X)
    code, slope, n_iter = solver.codes(problem, corr, energy, _AIM * tol, init)
    if wide is problem:
        found = certificate(problem, corr, energy, code, slope)
    else:
        found = problem.certify_wide(wide_corr, wide.energy(wide_X), code)
    failed = ~problem.reached(found.kkt_residual, found.duality_gap, tol)
    n_iter = xp.asarray(n_iter, dtype=xp.int64, device=device_of(code))
    return failed, code, n_iter, found


def _mended(problem, X, solver, tol, failed, code, n_iter, found):
    """One slice in which codes that failed are certified again, then computed again.

    Also whether some may still fail.
    """

    def converged(certificate):
        return problem.reached(certificate.kkt_residual, certificate.duality_gap, tol)

    def put(rows, *parts):
        pairs = zip((code, *found), parts, strict=True)
        return (put_rows(a, b, rows) for a, b in pairs)

    rows = to_numpy(failed).nonzero()[0]
    if len(rows) and not problem.prior.smooth:
        some = take_rows(code, rows)
        again = problem.certify_carefully(take_rows(X, rows), some)
        code, *found = put(rows, some, *again)
        rows = rows[to_numpy(~converged(again)).nonzero()[0]]
    if len(rows) and solver.max_iter is None:
        again, again_found = second_way(problem, take_rows(X, rows), solver, tol, converged)
        code, *found = put(rows, again, *again_found)
    doubtful = len(rows) > 0
    rows = rows[~to_numpy(_are_finite(take_rows(code, rows)))] if doubtful else rows
    if len(rows):  # what follows can do more with zeros, which are certified as any code
        none = namespace(X).zeros_like(take_rows(code, rows))
        code, *found = put(rows, none, *problem.certify_carefully(take_rows(X, rows), none))
    return code, doubtful, n_iter, *found


def _are_finite(code):
    """Whether all entries of codes are finite: (n_samples,)."""
    xp = namespace(code)
    return xp.all(xp.isfinite(code), axis=1)


def _to_csr(code):
    return scipy.sparse.csr_matrix(to_numpy(code))


def _warn(converged, errors, tol, problem):
    failed = ~to_numpy(converged)
    if failed.any():
        worst = to_numpy(errors)[failed].max()
        measure = "optimality residual" if problem.prior.smooth else "duality gap"
        raise_what = "max_iter or tol" if problem.prior.smooth else "max_iter, tol or lam2"
        warn(
            f"{failed.sum()} of {failed.size} codes are above a relative {measure} of {tol:g}"
            f" (largest {worst:.1e}); raise {raise_what}, or try another solver.",
            ConvergenceWarning,
        )
