"""Coding a slice: the choice of precision, and retries for codes that have not converged.

Signals are coded in their own dtype, or in float64 where squares would overflow or underflow in
float32. Codes that have not converged are certified again from their residuals, with smaller
rounding errors. Those that still fail are recomputed in float64, and elastic-net codes finally by
another solver.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .._array import (
    astype_like,
    device_of,
    eps,
    has_float64,
    ignore_float_warnings,
    namespace,
    narrow,
    on_host,
    take_rows,
    to_float64,
    to_numpy,
)
from .._atoms import Atoms
from .._records import Data, Observations
from .._signals import Signals
from ..certificate import (
    Certificate,
    certificate,
    certificate_after_cast,
    certificate_from_residuals,
)
from ..problem import Problem, cast_certificate
from ..solvers import Solver
from ..solvers.coordinate_descent import CoordinateDescent
from ..solvers.homotopy import Homotopy
from . import float32
from .coded import Coded
from .sizes import are_moderate, is_extreme, magnitude, row_sizes

# tolerances of solvers, as fractions of tol: the rest is for rounding errors
_SOLVER_TOL, _SOFTMAX_TOL = 0.9, 0.5
_RETRY_TOL = 0.5  # the same for retries
_OF_ROUNDING = 32  # multiple of their rounding errors up to which gaps consist of these
_FALLBACK = CoordinateDescent(max_iter=20_000)


@dataclass(frozen=True, eq=False)
class Coder:
    """Codes slices of `signals` to a tolerance, with retries where the solver fails."""

    problem: Problem
    solver: Solver
    tol: float
    signals: Signals

    @cached_property
    def _atom_size(self):
        return magnitude(self.problem.dictionary)

    @cached_property
    def _is_float32(self):
        """Whether the signals are in float32 and the device supports float64."""
        like = self.problem.dictionary
        return like.dtype == namespace(like).float32 and has_float64(like)

    @cached_property
    def _has_fast_problem(self):
        """Whether products in float32 are enough for signals without weights of entries."""
        return float32.multiplies_in_float32(self.problem, self.solver)

    @property
    def _solver_tol(self):
        """Tolerance of the solver; slopes have larger rounding errors if the loss has exp."""
        return (_SOLVER_TOL if self.problem.is_quadratic else _SOFTMAX_TOL) * self.tol

    def _is_fast(self, X):
        """Whether the codes of a slice come from products in float32."""
        return X.weight is None and self._has_fast_problem

    @property
    def is_by_residual(self):
        """Whether the optimality residual, not the duality gap, decides on convergence."""
        return self.problem.prior.smooth

    def converged(self, certificate, reached=None):
        """Whether codes are within the tolerance."""
        return self.problem.converged(certificate, self.tol)

    def code(self, X, init, rows):
        """Code a slice: `Coded`, n_iter, and whether some codes may not have converged.

        X are `Observations` and init an array, of the library of the dictionary.
        """
        if X.weight is not None:
            has_ones = to_numpy(namespace(X.weight).all(X.weight == 1, axis=1))
            if has_ones.any():  # they are coded like signals without weights, to the last bit
                return _by_groups(has_ones, self._code_whole, self._code, X, init)
        return self._code(X, init)

    def _code_whole(self, X, init):
        """Code a slice of signals whose weights are all one, without them."""
        return self._code(Observations(X.values), init)

    def _code(self, X, init):
        """Code a slice of signals that all have weights of entries, or that all have none."""
        if on_host(self.problem.dictionary):
            return self._code_in_memory(X, init)
        return self._code_on_device(X, init)

    def _code_on_device(self, X, init):
        """Code a slice on a device, in one dtype, with a single synchronisation.

        The magnitudes of the signals and the codes that failed are read together. Before that,
        zeros replace the slice if it is out of range.
        """
        xp = namespace(X.values)
        sizes = xp.stack([self._atom_size, magnitude(X.values)])
        in_range = xp.isfinite(sizes)
        in_range = in_range & ~is_extreme(sizes) if self._is_float32 else in_range
        is_safe = xp.all(in_range)
        safe_X = replace(X, values=xp.where(is_safe, X.values, xp.zeros_like(X.values)))
        coded, n_iter, failed = self._solve(
            safe_X, self.problem.reconstruction.offset(safe_X), init
        )
        answer = to_numpy(xp.concat([sizes, xp.astype(failed, sizes.dtype)]))
        sizes, failed = answer[:2], answer[2:] > 0
        if not np.isfinite(sizes).all():
            self.signals.check_finite()
        if self._is_float32 and is_extreme(sizes).any():
            return self._code_in_float64(X, init)
        return self._retry_failed(X, coded, n_iter, failed, init)

    def _code_in_memory(self, X, init):
        """Code a slice in host memory; each signal in float32 or float64 by its magnitude."""
        with ignore_float_warnings():
            offset = self.problem.reconstruction.offset(X)
        if self._is_float32 and not self._is_clearly_in_range(X, offset):
            sizes = to_numpy(row_sizes(X))
            needs_float64 = is_extreme(sizes) | is_extreme(to_numpy(self._atom_size))
        else:
            sizes, needs_float64 = to_numpy(offset), np.zeros(1, bool)
        if not np.isfinite(sizes).all():
            self.signals.check_finite()
        if not needs_float64.any():
            return self._retry_failed(X, *self._solve(X, offset, init), init)
        return _by_groups(needs_float64, self._code_in_float64, self._code_in_memory, X, init)

    def _is_clearly_in_range(self, X, offset):
        """Whether squared norms tell at once that signals and atoms in float32 are in range."""
        if not self._is_fast(X):
            return False
        m, range_ = X.shape[1], self.problem.atoms.sq_norm_range
        return are_moderate(*range_, m) and are_moderate(offset.min(), offset.max(), m)

    def _code_in_float64(self, X, init):
        """Code a slice in float64, and cast the codes to the dtype of the dictionary."""
        problem = self.problem.wide
        X, init = _cast(X, problem), None if init is None else _cast_array(init, problem)
        wide = replace(self, problem=problem)
        coded, n_iter, failed = wide._solve(X, problem.reconstruction.offset(X), init)
        coded, n_iter, may_fail = wide._retry_failed(X, coded, n_iter, failed, init)
        coded = cast_codes(self.problem, X, coded.code)
        may_fail = may_fail or bool((~to_numpy(self.converged(coded.certificate))).any())
        return coded, n_iter, may_fail

    def is_in_range(self, X):
        """Whether all signals of a slice can be coded in their own dtype."""
        size = to_numpy(row_sizes(X))
        if not np.isfinite(size).all():
            self.signals.check_finite()
        is_wide = is_extreme(size) | is_extreme(to_numpy(self._atom_size))
        return not (self._is_float32 and is_wide.any())

    def observe(self, X):
        """`Data` of a slice that is in range, and what `accept` needs to certify its codes."""
        return self._observe(X, self.problem.reconstruction.offset(X))

    def accept(self, X, observed, code, slope, n_iter):
        """Certify codes that were computed elsewhere: the result of `code` for them."""
        coded = self._certified(X, observed, code, slope)
        return self._retry_failed(X, coded, n_iter, ~self.converged(coded.certificate))

    def _solve(self, X, offset, init):
        """Call the solver on a slice: `Coded`, n_iter, and which codes have not converged.

        This does not synchronise with a device.
        """
        xp, problem = namespace(X.values), self.problem
        observed = self._observe(X, offset)
        code, slope, n_iter = self.solver.codes(problem, observed[0], self._solver_tol, init)
        n_iter = xp.asarray(n_iter, dtype=xp.int64, device=device_of(code))
        coded = self._certified(X, observed, code, slope)
        return coded, n_iter, ~self.converged(coded.certificate)

    def _observe(self, X, offset):
        """`Data` of a slice, and what its certificates need: correlations in float64.

        From products in float32, these are which of them have been computed in float64.
        """
        if self._is_fast(X):
            return float32.observe(self.problem, X, offset)
        wide_corr = self.problem.wide.correlations(X.map(to_float64))
        return Data(astype_like(wide_corr, X.values), offset, X.weight), wide_corr

    def _certified(self, X, observed, code, slope):
        """Codes of a slice with their certificates."""
        problem, (data, more) = self.problem, observed
        if self._is_fast(X):
            return float32.certified(problem, X, data, more, code, slope, self.tol)
        if problem.wide is problem:
            certified = certificate(problem, data, code, slope)
        else:
            wide_X = X.map(to_float64)
            offset = problem.reconstruction.offset(wide_X)
            wide_data = Data(more, offset, wide_X.weight)
            certified = problem.certify_wide(wide_data, code)
        return Coded(code, certified)

    def _retry_failed(self, X, coded, n_iter, failed, init=None):
        """Certify failed codes again, then recompute those that still fail.

        `init` are the initial codes of the solver: without them, a second try in the same
        precision would repeat the first.
        """
        problem = self.problem
        rows = to_numpy(failed).nonzero()[0]
        if len(rows) and not problem.prior.smooth:
            code = take_rows(coded.code, rows)
            again = Coded(code, problem.certify_from_residuals(X.rows(rows), code))
            is_good = to_numpy(self.converged(again.certificate))
            if self._is_fast(X):  # codes have certificates from residuals already
                coded = coded.put(again.rows(is_good.nonzero()[0]), rows[is_good])
            else:
                coded = coded.put(again, rows)
            rows = rows[~is_good]
        is_new = problem.is_quadratic or problem.wide is not problem or init is not None
        if len(rows) and self.solver.max_iter is None and is_new:
            start = take_rows(coded.code, rows)
            coded = coded.put(self._solve_again(X.rows(rows), start), rows)
        may_fail = len(rows) > 0
        if may_fail:
            rows = rows[~to_numpy(_are_finite(take_rows(coded.code, rows)))]
        if len(rows):  # return zeros, with their certificate, instead of NaN or infinity
            zero = namespace(coded.code).zeros_like(take_rows(coded.code, rows))
            certified = problem.certify_from_residuals(X.rows(rows), zero)
            coded = coded.put(Coded(zero, certified), rows)
        return coded, n_iter, may_fail

    def _solve_again(self, X, start):
        """Recompute the few codes that have not converged, in float64.

        The homotopy goes on from where they are, which saves its path; other solvers begin anew.
        Elastic-net codes that still fail, because of nearly dependent atoms, are computed by
        coordinate descent, which divides by no pivot: on the host, because it is sequential.
        """
        xp, problem = namespace(X.values), self.problem
        wide, X = problem.wide, _cast(X, problem.wide)
        init = None
        if isinstance(self.solver, Homotopy):
            is_finite = _are_finite(start)[:, None]
            init = _cast_array(xp.where(is_finite, start, xp.zeros_like(start)), wide)
        coded = _solve_and_certify(wide, X, self.solver, self.tol, init)
        has_gap = coded.certificate.duality_gap < xp.inf
        failed = to_numpy(~self.converged(coded.certificate) | ~has_gap)
        failed &= CoordinateDescent.handles(problem.reconstruction, problem.prior)
        if failed.any():
            failed &= ~self._lacks_digits(X, coded)
        if failed.any():
            other = Homotopy() if isinstance(self.solver, CoordinateDescent) else _FALLBACK
            rows = failed.nonzero()[0]
            atoms = Atoms(to_float64(to_numpy(wide.dictionary)))
            host = Problem(problem.reconstruction, wide.prior, atoms)
            host_X = X.rows(rows).map(lambda array: to_float64(to_numpy(array)))
            retry = _solve_and_certify(host, host_X, other, self.tol)
            # infinite gaps cannot be compared: compare objectives
            before = to_numpy(coded.certificate.objective)[rows]
            better = self.converged(retry.certificate) | ~(retry.certificate.objective >= before)
            coded = coded.put(_move(retry.rows(better.nonzero()[0]), coded.code), rows[better])
        if coded.code.dtype != problem.dictionary.dtype:
            return cast_codes(problem, X, coded.code)
        return coded

    def _lacks_digits(self, X, coded):
        """Whether rounding errors alone keep the gaps of float64 codes from the tolerance."""
        gap, xp = coded.certificate.duality_gap, namespace(coded.code)
        bare = certificate_from_residuals(self.problem.wide, X, coded.code, counted=False)
        bare, is_known = bare.duality_gap, xp.isfinite(gap)
        bare = xp.where(is_known, bare, xp.zeros_like(bare))
        lost = gap - bare
        is_small = (bare <= _RETRY_TOL * self.tol) | (
            (lost > self.tol) & (bare < _OF_ROUNDING * lost)
        )
        return to_numpy(is_small & is_known)


def cast_codes(problem, X, code):
    """Cast float64 codes to the dtype of the problem, and certify the result."""
    narrow_code = narrow(code, problem.dictionary.dtype)
    cast = to_float64(narrow_code), eps(narrow_code)
    wide = certificate_after_cast(problem.wide, X, code, *cast)
    return Coded(narrow_code, cast_certificate(wide, narrow_code))


def _solve_and_certify(problem, X, solver, tol, init=None):
    code, _, _ = solver.codes(problem, problem.observe(X), _RETRY_TOL * tol, init)
    return Coded(code, certificate_from_residuals(problem, X, code))


def _move(coded, like):
    """Convert `Coded` to the library, dtype and device of an array."""
    parts = (astype_like(part, like) for part in coded.certificate.parts())
    return Coded(astype_like(coded.code, like), Certificate(*parts))


def _by_groups(where, first, other, X, init):
    """Code the signals where a mask is true by one function, the others by another one."""
    results, groups = [], (where.nonzero()[0], (~where).nonzero()[0])
    for rows, code in zip(groups, (first, other), strict=True):
        if len(rows) == len(where):
            return code(X, init)
        if len(rows):
            results.append(code(X.rows(rows), None if init is None else take_rows(init, rows)))
    order = np.argsort(np.concatenate(groups))
    (coded, *others), n_iter, may_fail = zip(*results, strict=True)
    n_iter = take_rows(namespace(n_iter[0]).concat(n_iter, axis=0), order)
    return coded.join(others).rows(order), n_iter, any(may_fail)


def _cast(X, problem):
    """Cast `Observations` to the dtype of a problem."""
    return X.map(lambda array: _cast_array(array, problem))


def _cast_array(array, problem):
    """Cast an array to the dtype of a problem."""
    return namespace(array).astype(array, problem.dictionary.dtype, copy=False)


def _are_finite(code):
    """Whether all entries of each code are finite: (n_samples,)."""
    xp = namespace(code)
    return xp.all(xp.isfinite(code), axis=1)
