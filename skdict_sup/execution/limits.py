"""Codes at a limit on the residual or on the number of nonzeros, in place of a weight lam.

The path of a signal is followed to where it reaches the limit. There the code is that of an
elastic net with a weight of its own, mu. Dividing signal and code by mu makes it a code for the
weight one: gaps and residuals, which are relative, do not change, so that one problem certifies
all signals.
"""

from dataclasses import dataclass, replace
from typing import Any

from .._array import astype_like, eps, namespace, narrow, take_rows, to_float64, to_numpy
from .._records import Observations, Rows
from .._signals import Signals
from ..certificate import Certificate, certificate_from_residuals
from ..kernels import elastic_net_until
from ..priors import ElasticNet, elastic_net_weights, is_per_atom
from ..problem import Problem, cast_certificate
from .precision import Coded, is_extreme, magnitude, row_sizes


@dataclass(frozen=True)
class Limits:
    """Bounds on the norms of residuals (a NumPy array, one for each signal) and on nonzeros."""

    max_residual: Any = None
    max_nonzeros: int | None = None
    least_lam: float = 0.0  # smallest weight, where the path ends in any case


@dataclass(frozen=True, eq=False)
class Reached(Rows):
    """Where the paths of signals have ended."""

    mu: Any  # the weight lam of the code, or the factor of weights of atoms
    residual_norm: Any
    # whether the residual is its bound, to the tolerance, or below it with the zero code
    is_feasible: Any
    n_iter: Any


@dataclass(frozen=True, eq=False)
class LimitCoder:
    """Codes slices of `signals` to limits; those that fail are computed again in float64."""

    problem: Problem
    limits: Limits
    tol: float
    signals: Signals

    def code(self, X, init, rows):
        """Code a slice: `Coded`, n_iter, and whether some codes may not have converged."""
        bound = self.limits.max_residual
        bound = None if bound is None else astype_like(bound[rows], to_float64(X.values))
        xp, wide, is_wide = namespace(X.values), self.problem.wide, False
        if not bool(xp.all(xp.isfinite(X.values))):
            self.signals.check_finite()
        safe = X
        if wide is not self.problem:  # what is out of the range of float32 is coded in float64
            is_wide = is_extreme(row_sizes(X)) | is_extreme(magnitude(self.problem.dictionary))
            safe = replace(X, values=xp.where(is_wide[:, None], xp.zeros_like(X.values), X.values))
        coded = self._solve(self.problem, safe, bound)
        failed = to_numpy(is_wide | ~self._succeeded(coded)).nonzero()[0]
        if len(failed) and wide is not self.problem:
            part = X.rows(failed)
            low = None if bound is None else take_rows(bound, failed)
            again = self._solve(wide, part.map(to_float64), low)
            dtype, reached = self.problem.dictionary.dtype, again.reached
            code, mu = narrow(again.code, dtype), narrow(reached.mu, dtype)
            again = self._certified(part, code, mu, reached.n_iter, low)
            coded = coded.put(again, failed)
        is_finite = xp.all(xp.isfinite(coded.code), axis=1) & xp.isfinite(coded.reached.mu)
        bad = (~to_numpy(is_finite)).nonzero()[0]
        if len(bad):  # zeros, which do not count as converged, instead of NaN or infinity
            zero = xp.zeros_like(take_rows(coded.code, bad))
            mu, n_iter = zero[:, 0], take_rows(coded.reached.n_iter, bad)
            low = None if bound is None else take_rows(bound, bad)
            again = self._certified(X.rows(bad), zero, mu, n_iter, low)
            never = replace(again.reached, is_feasible=again.reached.is_feasible & False)
            coded = coded.put(replace(again, reached=never), bad)
        may_fail = bool((~to_numpy(self._succeeded(coded))).any())
        return coded, coded.reached.n_iter, may_fail

    def _succeeded(self, coded):
        converged = self.problem.converged(coded.certificate, self.tol)
        return converged & coded.reached.is_feasible

    def _solve(self, problem, X, bound):
        """Codes of the kernel, certified."""
        xp, values = namespace(X.values), X.values
        corr = astype_like(problem.wide.correlations(X.map(to_float64)), values)
        sq_norm = problem.reconstruction.offset(X)
        lam, lam2, positive = elastic_net_weights(problem.prior, corr)
        weights = lam if is_per_atom(lam) else self.limits.least_lam, lam2, positive
        sq_bound = None if bound is None else astype_like(bound * bound, values)
        gram = problem.gram if X.weight is None else None
        entries = (None, None) if X.weight is None else (problem.dictionary, X.weight)
        limits = sq_bound, self.limits.max_nonzeros
        code, _, mu, n_iter = elastic_net_until(gram, corr, sq_norm, *weights, *limits, *entries)
        if problem.prior.positive:  # a step that ends at zero may round below
            code = xp.maximum(code, xp.zeros_like(code))
        return self._certified(X, code, mu, n_iter, bound)

    def _certified(self, X, code, mu, n_iter, bound):
        """Codes with certificates for weights mu of their own, in float64."""
        problem, wide = self.problem, self.problem.wide
        X, wide_code, wide_mu = X.map(to_float64), to_float64(code), to_float64(mu)
        xp = namespace(wide_code)
        residual = X.values - wide_code @ wide.dictionary
        weighted = residual if X.weight is None else residual * X.weight
        norm = xp.sqrt(xp.vecdot(weighted, residual, axis=-1))
        certificate = self._certificate(X, wide_code, wide_mu, eps(code))
        is_feasible = wide_mu >= 0
        if bound is not None:
            size = xp.sqrt(wide.reconstruction.offset(X))
            slack = (self.tol - wide.atoms.rounding) * size
            is_zero = ~xp.any(wide_code != 0, axis=1)
            is_feasible = (norm <= bound + slack) & ((norm >= bound - slack) | is_zero)
        if self.limits.max_nonzeros is not None:
            weights = problem.prior.weight(wide_code)
            counted = xp.astype((wide_code != 0) & (wide_code * 0 + weights > 0), xp.int64)
            is_feasible = is_feasible & (xp.sum(counted, axis=1) <= self.limits.max_nonzeros)
        reached = Reached(mu, narrow(norm, problem.dictionary.dtype), is_feasible, n_iter)
        return Coded(code, cast_certificate(certificate, code), reached)

    def _certificate(self, X, code, mu, unit):
        """Certificate of codes for weights mu, of signals and codes divided by mu."""
        xp, prior = namespace(code), self.problem.prior
        weights = prior.lam if is_per_atom(prior.lam) else 1.0
        is_positive = mu > 0
        scale = xp.where(is_positive, mu, xp.ones_like(mu))[:, None]
        one = self._with_lam(weights)
        scaled = Observations(X.values / scale, X.weight)
        found = certificate_from_residuals(one, scaled, code / scale, unit)
        squares = scale[:, 0] * scale[:, 0]
        found = replace(found, objective=found.objective * squares)
        if bool(xp.all(is_positive)):
            return found
        least = certificate_from_residuals(self._with_lam(0.0), X, code, unit)
        pairs = zip(found.parts(), least.parts(), strict=True)
        return Certificate(*(xp.where(is_positive, a, b) for a, b in pairs))

    def _with_lam(self, lam):
        """The problem in float64 with another weight."""
        prior = self.problem.prior
        return self.problem.wide.with_prior(ElasticNet(lam, prior.lam2, prior.positive))
