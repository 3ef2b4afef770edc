"""The floats that a slice is coded in, and what is tried for codes that fall short of tol.

Signals are coded in their own floats, or in float64 where squares would leave the range of
float32. Codes above the tolerance are certified again from their residuals, which round less;
then computed again in float64; and elastic-net codes that still fail, by another solver.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .._array import (
    astype_like,
    device_of,
    has_float64,
    in_float64,
    namespace,
    narrow,
    on_host,
    take_rows,
    to_numpy,
)
from .._atoms import Atoms
from .._records import Data, Rows
from .._signals import Signals
from ..certificate import Certificate, careful_certificate, certificate, narrowed_certificate
from ..problem import Problem, narrowed
from ..solvers import Solver
from ..solvers.coordinate_descent import CoordinateDescent
from ..solvers.homotopy import Homotopy

_AIM = 0.9  # solvers aim at this part of tol: room for the rounding of certificates
_RETRY_AIM = 0.5
_DESCENT = CoordinateDescent(max_iter=20_000)
_EXTREME = 2.0**40  # beyond it, and below its inverse, sums of squares may leave float32


@dataclass(frozen=True, eq=False)
class Coded(Rows):
    """Codes with their certificate."""

    code: Any
    certificate: Certificate


@dataclass(frozen=True, eq=False)
class Coder:
    """Codes slices of `signals` to `tol`, by a solver and by others where it fails."""

    problem: Problem
    solver: Solver
    tol: float
    signals: Signals

    @cached_property
    def _atom_size(self):
        return _magnitude(self.problem.dictionary)

    @cached_property
    def _is_short(self):
        """Whether squares may leave the range of the floats of signals, and float64 is there."""
        like = self.problem.dictionary
        return like.dtype == namespace(like).float32 and has_float64(like)

    def code(self, X, init):
        """A slice: `Coded`, iterations of the solver, and whether some may be above the tolerance.

        X and init are arrays of the library of the dictionary.
        """
        if on_host(self.problem.dictionary):
            return self._code_in_memory(X, init)
        return self._code_on_device(X, init)

    def _code_on_device(self, X, init):
        """One slice on a device, all of it in the same floats.

        A device is asked once, for the sizes of signals and for the codes that fail; until it
        answers, zeros replace signals out of range.
        """
        xp = namespace(X)
        sizes = xp.stack([self._atom_size, _magnitude(X)])
        usual = xp.isfinite(sizes)
        usual = usual & ~_is_extreme(sizes) if self._is_short else usual
        safe = xp.where(xp.all(usual), X, xp.zeros_like(X))
        coded, n_iter, failed = self._solved(safe, self.problem.reconstruction.offset(safe), init)
        answer = to_numpy(xp.concat([sizes, xp.astype(failed, sizes.dtype)]))
        sizes, failed = answer[:2], answer[2:] > 0
        if not np.isfinite(sizes).all():
            self.signals.check_finite()
        if self._is_short and _is_extreme(sizes).any():
            return self._code_in_float64(X, init)
        return self._retried(X, coded, n_iter, failed)

    def _code_in_memory(self, X, init):
        """One slice in host memory: each signal in the floats that its own size asks for."""
        offset = None if self._is_short else self.problem.reconstruction.offset(X)
        sizes = to_numpy(_row_sizes(X) if self._is_short else offset)
        if not np.isfinite(sizes).all():
            self.signals.check_finite()
        is_far = np.zeros(1, bool)
        if self._is_short:
            is_far = _is_extreme(sizes) | _is_extreme(to_numpy(self._atom_size))
        if is_far.all():
            return self._code_in_float64(X, init)
        if not is_far.any():
            offset = self.problem.reconstruction.offset(X) if offset is None else offset
            return self._retried(X, *self._solved(X, offset, init))
        groups, parts = ((~is_far).nonzero()[0], is_far.nonzero()[0]), []
        for rows in groups:
            start = None if init is None else take_rows(init, rows)
            parts.append(self._code_in_memory(take_rows(X, rows), start))
        order = np.argsort(np.concatenate(groups))
        (coded, *others), n_iter, may_fail = zip(*parts, strict=True)
        n_iter = take_rows(namespace(X).concat(n_iter, axis=0), order)
        return coded.join(others).rows(order), n_iter, any(may_fail)

    def _code_in_float64(self, X, init):
        """One slice by way of float64, in the floats of X."""
        problem = self.problem.wide
        X, init = (None if a is None else _widened(a, problem) for a in (X, init))
        wide = replace(self, problem=problem)
        coded, n_iter, failed = wide._solved(X, problem.reconstruction.offset(X), init)
        coded, n_iter, may_fail = wide._retried(X, coded, n_iter, failed)
        coded = narrowed_codes(self.problem, X, coded.code)
        may_fail = may_fail or bool((~to_numpy(self._converged(coded))).any())
        return coded, n_iter, may_fail

    def _solved(self, X, offset, init):
        """A slice as the solver leaves it, its iterations, and which codes are above tol.

        Nothing is read from a device.
        """
        xp, problem = namespace(X), self.problem
        wide_X = in_float64(X)
        wide_corr = problem.wide.correlations(wide_X)
        data = Data(astype_like(wide_corr, X), offset)
        code, slope, n_iter = self.solver.codes(problem, data, _AIM * self.tol, init)
        if problem.wide is problem:
            found = certificate(problem, data, code, slope)
        else:
            wide_data = Data(wide_corr, problem.reconstruction.offset(wide_X))
            found = problem.certify_wide(wide_data, code)
        n_iter = xp.asarray(n_iter, dtype=xp.int64, device=device_of(code))
        return Coded(code, found), n_iter, ~problem.converged(found, self.tol)

    def _retried(self, X, coded, n_iter, failed):
        """A slice with codes that failed certified again, then computed again."""
        problem = self.problem
        rows = to_numpy(failed).nonzero()[0]
        if len(rows) and not problem.prior.smooth:
            code = take_rows(coded.code, rows)
            again = Coded(code, problem.certify_carefully(take_rows(X, rows), code))
            coded = coded.put(again, rows)
            rows = rows[to_numpy(~self._converged(again)).nonzero()[0]]
        if len(rows) and self.solver.max_iter is None:
            coded = coded.put(self._solved_again(take_rows(X, rows)), rows)
        may_fail = len(rows) > 0
        if may_fail:
            rows = rows[~to_numpy(_are_finite(take_rows(coded.code, rows)))]
        if len(rows):  # whoever uses codes can do more with zeros, certified as any code
            zero = namespace(X).zeros_like(take_rows(coded.code, rows))
            found = problem.certify_carefully(take_rows(X, rows), zero)
            coded = coded.put(Coded(zero, found), rows)
        return coded, n_iter, may_fail

    def _solved_again(self, X):
        """The few signals that a solver left above the tolerance.

        Once more in float64; elastic-net codes that still fail, for atoms that nearly depend on
        each other, by coordinate descent, which divides by no pivot: on the host, for it is
        sequential.
        """
        xp, problem = namespace(X), self.problem
        wide, X = problem.wide, _widened(X, problem.wide)
        coded = _certified(wide, X, self.solver, self.tol)
        known = coded.certificate.duality_gap < xp.inf
        worse = to_numpy(~self._converged(coded) | ~known)
        can = CoordinateDescent.handles(problem.reconstruction, problem.prior)
        if can and worse.any():
            other = Homotopy() if isinstance(self.solver, CoordinateDescent) else _DESCENT
            rows = worse.nonzero()[0]
            atoms = Atoms(in_float64(to_numpy(wide.dictionary)))
            host = Problem(problem.reconstruction, wide.prior, atoms)
            second = _certified(host, in_float64(to_numpy(take_rows(X, rows))), other, self.tol)
            # gaps that are no proof order nothing; objectives do
            before = to_numpy(coded.certificate.objective)[rows]
            better = self._converged(second) | ~(second.certificate.objective >= before)
            coded = coded.put(_moved(second.rows(better.nonzero()[0]), coded.code), rows[better])
        if coded.code.dtype != problem.dictionary.dtype:
            return narrowed_codes(problem, X, coded.code)
        return coded

    def _converged(self, coded):
        return self.problem.converged(coded.certificate, self.tol)


def narrowed_codes(problem, X, code):
    """Codes that were computed in float64, in the dtype of the problem, with their certificate."""
    short = narrow(code, problem.dictionary.dtype)
    found = narrowed_certificate(problem.wide, X, code, short)
    return Coded(short, narrowed(found, short))


def _certified(problem, X, solver, tol):
    code, _, _ = solver.codes(problem, problem.observe(X), _RETRY_AIM * tol)
    return Coded(code, careful_certificate(problem, X, code))


def _moved(coded, like):
    """Coded rows in the library, dtype and device of an array."""
    found = (astype_like(part, like) for part in coded.certificate.parts())
    return Coded(astype_like(coded.code, like), Certificate(*found))


def _widened(array, problem):
    """An array in the floats of a wide problem."""
    return namespace(array).astype(array, problem.dictionary.dtype, copy=False)


def _magnitude(array):
    """Largest magnitude, as an array without dimensions; not finite where the array is not."""
    xp = namespace(array)
    if 0 in array.shape:
        return xp.zeros((), dtype=array.dtype, device=device_of(array))
    return xp.max(xp.stack([xp.max(array), -xp.min(array)]))  # abs would copy a whole data set


def _row_sizes(X):
    """Largest magnitude of each signal; not finite where the signal is not."""
    xp = namespace(X)
    return xp.maximum(xp.max(X, axis=1), -xp.min(X, axis=1))


def _is_extreme(size):
    """Whether sums of squares at this scale overflow or vanish in float32."""
    return (size > _EXTREME) | ((size > 0) & (size < 1 / _EXTREME))


def _are_finite(code):
    """Whether all entries of codes are finite: (n_samples,)."""
    xp = namespace(code)
    return xp.all(xp.isfinite(code), axis=1)
