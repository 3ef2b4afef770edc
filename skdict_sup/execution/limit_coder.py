"""Codes at a limit on the residual or on the number of nonzeros, in place of a weight lam.

The path of a signal is followed to where it reaches the limit. There the code is that of an
elastic net with a weight of its own, mu. Dividing signal and code by mu makes it a code for the
weight one: gaps and residuals, which are relative, do not change, so that one problem certifies
all signals. The greedy codes of orthogonal matching pursuit (`pursuit`) have the same limits, and
the same retries in float64.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from .._array import (
    astype_like,
    eps,
    ignore_float_warnings,
    namespace,
    narrow,
    set_rows,
    take_rows,
    to_float64,
    to_numpy,
)
from .._records import Data, Observations
from .._signals import Signals
from ..certificate import (
    Certificate,
    certificate,
    certificate_after_cast,
    certificate_from_residuals,
)
from ..priors import ElasticNet, is_per_atom, least_weight
from ..problem import Problem, cast_certificate
from ..solvers.homotopy import clip_negative
from .coded import Coded
from .limits import Limits, Reached
from .sizes import is_extreme, magnitude, row_sizes
from .ties import codes_within_count
from .tiny_bounds import move_to_bound

# roundings of the correlations up to which a weight counts as zero, in float64 and float32
_VANISHED, _VANISHED_32 = 512, 64
# squared residual, relative to the signal, below which it is not computed as a difference
_CANCELLED = 1e-6
_SUM_ROUNDING = 4e-15  # rounding of a sum of some hundred terms, relative to their magnitudes
_NORM_SHARE = 0.02  # share of the tolerance that the rounding of a norm may take


@dataclass(frozen=True, eq=False)
class LimitCoder:
    """Codes slices of `signals` to limits; those that fail are computed again in float64."""

    problem: Problem
    limits: Limits
    tol: float
    signals: Signals
    least_lam: float = 0.0  # where paths end in any case

    def code(self, X, init, rows):
        """Code a slice: `Coded`, n_iter, and whether some codes may not have converged."""
        bound = self.limits.bounds(rows, self.signals.shape[0])
        bound = None if bound is None else astype_like(bound, to_float64(X.values))
        if not bool(namespace(X.values).all(namespace(X.values).isfinite(X.values))):
            self.signals.check_finite()
        is_wide, safe = False, X
        if self.problem.wide is not self.problem:
            is_wide, safe = self._in_range(X)
        coded = self._solve(self.problem, safe, bound)
        fails = is_wide | ~self.converged(coded.certificate, coded.reached)
        if not self.limits.is_greedy:  # paths that end at the rounding of float32 go on
            fails = fails | (coded.reached.mu == 0)
        failed = to_numpy(fails).nonzero()[0]
        if len(failed) and self.problem.wide is not self.problem:
            coded = coded.put(self._solve_wide(X.rows(failed), _take(bound, failed)), failed)
        coded = self._without_nan(X, coded, bound)
        may_fail = bool((~to_numpy(self.converged(coded.certificate, coded.reached))).any())
        return coded, coded.reached.n_iter, may_fail

    def _in_range(self, X):
        """Which signals are out of the range of float32, and the signals with zeros for these."""
        xp = namespace(X.values)
        is_wide = is_extreme(row_sizes(X)) | is_extreme(magnitude(self.problem.dictionary))
        zero = xp.zeros_like(X.values)
        return is_wide, replace(X, values=xp.where(is_wide[:, None], zero, X.values))

    def _without_nan(self, X, coded, bound):
        """Codes with zeros, which do not count as converged, in place of NaN or infinity."""
        xp, mu = namespace(coded.code), coded.reached.mu
        is_finite = xp.all(xp.isfinite(coded.code), axis=1)
        is_finite = is_finite if mu is None else is_finite & xp.isfinite(mu)
        bad = (~to_numpy(is_finite)).nonzero()[0]
        if not len(bad):
            return coded
        n_iter, zero = take_rows(coded.reached.n_iter, bad), take_rows(coded.code, bad)
        zero = xp.zeros_like(zero)
        mu = None if self.limits.is_greedy else zero[:, 0]
        again = self._certified(X.rows(bad), zero, mu, n_iter, _take(bound, bad))
        never = replace(again.reached, is_feasible=again.reached.is_feasible & False)
        return coded.put(replace(again, reached=never), bad)

    @property
    def is_by_residual(self):
        """Whether the optimality residual, not the duality gap, decides on convergence."""
        return False

    def converged(self, certificate, reached):
        """Whether codes are within the tolerance, and at their limits."""
        is_least = (reached.mu == 0) & self._least.converged(certificate, self.tol)
        return (self.problem.converged(certificate, self.tol) | is_least) & reached.is_feasible

    def _solve(self, problem, X, bound):
        """Codes of the kernel, certified: by their slopes, or where this fails by residuals."""
        data = problem.wide.observe(X.map(to_float64))
        code, slope, mu, n_iter = self._codes(problem, X, data, bound)
        wide_code, wide_mu = to_float64(code), _wide(mu)
        if slope is None or problem is not problem.wide:
            slope = problem.wide.slope(data, wide_code)
        xp = namespace(wide_code)
        products = wide_code * (data.corr + slope)
        squares = data.offset - xp.sum(products, axis=-1)
        norm = xp.sqrt(xp.maximum(squares, xp.zeros_like(squares)))
        found = self._certificate(data, wide_code, wide_mu, slope, eps(code))
        coded = self._joined(X, code, mu, n_iter, bound, norm, found)
        # digits of the norm cancel
        error = _SUM_ROUNDING * (data.offset + xp.sum(xp.abs(products), axis=-1))
        is_lost = error > _NORM_SHARE * self.tol * norm * xp.sqrt(data.offset)
        is_lost = is_lost | (squares < _CANCELLED * data.offset)
        if mu is not None:  # the certificate is that of a weight
            is_lost = is_lost | (wide_mu == 0)
        is_lost = is_lost | ~self.converged(coded.certificate, coded.reached)
        rows = to_numpy(is_lost).nonzero()[0]
        if len(rows):
            parts = (_take(part, rows) for part in (code, mu, n_iter, bound))
            coded = coded.put(self._certified(X.rows(rows), *parts), rows)
        return coded

    def _solve_wide(self, X, bound):
        """Codes computed in float64, cast to the dtype of the dictionary."""
        dtype, wide_X = self.problem.dictionary.dtype, X.map(to_float64)
        data = self.problem.wide.observe(wide_X)
        code, _, mu, n_iter = self._codes(self.problem.wide, wide_X, data, bound)
        mu = None if mu is None else narrow(mu, dtype)
        return self._certified(X, narrow(code, dtype), mu, n_iter, bound, code)

    def _codes(self, problem, X, data, bound):
        """Codes where the paths of signals end, slopes, the weights there, and the iterations.

        `data` are in float64. Slopes are None where they are not known.
        """
        prior = problem.prior
        corr, sq_norm, arrays = self._kernel_input(problem, X, data)
        narrow_data = Data(corr, sq_norm, X.weight)
        lam = prior.weight(corr) if is_per_atom(prior.lam) else self.least_lam
        weights, sq_bound = (lam, prior.lam2, prior.positive), squared(bound, corr)
        inputs = corr, sq_norm, sq_bound, *arrays[1:]
        found = codes_within_count(
            inputs, arrays[0], weights, self.limits.max_nonzeros, self._count
        )
        code, slope, mu, n_iter = found
        if prior.positive:
            code, slope = clip_negative(problem, narrow_data, code, slope)
        if bound is not None or is_per_atom(prior.lam) or not lam:
            if bound is not None:
                moved, mu = self._at_tiny_bounds(problem, X, code, mu, bound)
                slope, code = slope if moved is code else None, moved
            mu = self._without_rounding(problem, narrow_data, mu)
        return code, slope, mu, n_iter

    def _without_rounding(self, problem, data, mu):
        """Weights with zero in place of those that are rounding of the correlations."""
        xp, prior = namespace(mu), problem.prior
        unit = eps(self.problem.dictionary)
        least = (_VANISHED if unit < 1e-10 else _VANISHED_32) * unit
        # a bound on the largest correlation tells where to look
        longest = xp.max(problem.atom_norms.norms) * data.gain / least_weight(prior)
        rows = to_numpy(mu <= 2 * least * longest * xp.sqrt(data.offset)).nonzero()[0]
        if not len(rows):
            return mu
        part = take_rows(mu, rows)
        top = self._largest_weight(prior, take_rows(data.corr, rows))
        return set_rows(mu, xp.where(part <= least * top, xp.zeros_like(part), part), rows)

    def _at_tiny_bounds(self, problem, X, code, mu, bound):
        """Codes whose bounds are lost in the rounding of squares, moved along their segments."""
        size = namespace(code).sqrt(problem.reconstruction.offset(X))
        is_tiny = (astype_like(bound, code) <= eps(code) ** 0.5 * size) & (mu > 0)
        rows = to_numpy(is_tiny).nonzero()[0]
        if problem is not self.problem.wide or not len(rows):
            return code, mu
        part, old, top = X.rows(rows), take_rows(code, rows), take_rows(mu, rows)
        norm, least = self._residual_norm(part, old), take_rows(bound, rows)
        new, step = move_to_bound(problem, part, old, top, norm, least)
        return set_rows(code, new, rows), set_rows(mu, top - step, rows)

    def _largest_weight(self, prior, corr):
        """Weights above which codes are zero, if no atom is without penalty."""
        xp = namespace(corr)
        weights = prior.weight(corr) + xp.zeros_like(corr[:1, :])
        has_weight = weights > 0
        weights = xp.where(has_weight, weights, xp.ones_like(weights))
        ratio = xp.where(has_weight, xp.abs(corr) / weights, xp.zeros_like(corr))
        return xp.max(ratio, axis=1)

    def _kernel_input(self, problem, X, data):
        """Correlations, squared norms, and the Gram matrix or what it is computed from."""
        corr = astype_like(data.corr, X.values)
        has_weights = X.weight is not None
        entries = (None, problem.dictionary, X.weight) if has_weights else (problem.gram,)
        return corr, problem.reconstruction.offset(X), entries

    def _certified(self, X, code, mu, n_iter, bound, before=None):
        """Codes with certificates for weights mu of their own, from residuals in float64."""
        X, wide_code = X.map(to_float64), to_float64(code)
        norm = self._residual_norm(X, wide_code)
        arguments = wide_code, _wide(mu), eps(code), before
        found = self._certificate_from_residuals(X, *arguments)
        return self._joined(X, code, mu, n_iter, bound, norm, found)

    def _joined(self, X, code, mu, n_iter, bound, norm, certificate):
        """`Coded` of codes, norms of residuals and certificates in float64."""
        X = X.map(to_float64)
        reached = self._reached(X, to_float64(code), _wide(mu), norm, n_iter, bound)
        norm = narrow(norm, self.problem.dictionary.dtype)
        reached = replace(reached, mu=mu, residual_norm=norm)
        return Coded(code, cast_certificate(certificate, code), reached)

    def _reached(self, X, code, mu, norm, n_iter, bound):
        """Where codes have ended, all in float64."""
        is_feasible, is_low, most = mu >= 0, mu < 0, self.limits.max_nonzeros
        count = self._count(code)
        if most is not None:
            is_feasible = is_feasible & (count <= most)
        if bound is not None:
            slack = self._slack(X)
            is_above = norm > bound + slack
            is_bound = ~is_above & ((norm >= bound - slack) | (count == 0))
            is_full = is_above & (count == (most or -1))
            is_feasible = is_feasible & (is_bound | is_full)
            is_low = (mu == 0) & is_above & ~is_full
        return Reached(mu, norm, is_feasible, is_low, n_iter)

    def _residual_norm(self, X, code):
        """Norms of the residuals of codes in float64."""
        residual = X.values - code @ self.problem.wide.dictionary
        weighted = residual if X.weight is None else residual * X.weight
        return namespace(code).sqrt(namespace(code).vecdot(weighted, residual, axis=-1))

    def _slack(self, X):
        """Distance of the norm of a residual from its bound that counts as none."""
        wide = self.problem.wide
        size = namespace(X.values).sqrt(wide.reconstruction.offset(X))
        return ((1 - _NORM_SHARE) * self.tol - wide.atoms.rounding) * size

    def _count(self, code):
        """Numbers of nonzeros with a penalty."""
        xp = namespace(code)
        is_counted, prior = code != 0, self.problem.prior
        if is_per_atom(prior.lam):
            is_counted = is_counted & (prior.weight(code) > 0)[None, :]
        return xp.sum(xp.astype(is_counted, xp.int64), axis=1)

    def _certificate(self, data, code, mu, slope, unit):
        """Certificate of codes for weights mu, of data, codes and slopes divided by mu."""
        xp = namespace(code)
        scale = xp.where(mu > 0, mu, xp.ones_like(mu))
        column, squares = scale[:, None], scale * scale
        with ignore_float_warnings():
            scaled = Data(data.corr / column, data.offset / squares, data.weight)
            found = certificate(self._unit, scaled, code / column, slope / column, unit)
            infinite = xp.full_like(scale, xp.inf)
            gap = xp.where(mu > 0, found.duality_gap, infinite)
            return Certificate(found.kkt_residual, gap, found.objective * squares)

    def _certificate_from_residuals(self, X, code, mu, unit, before=None):
        """Certificate of codes for weights mu, of signals and codes divided by mu.

        `before` are the codes before a cast to a shorter dtype, or None.
        """
        xp, is_positive = namespace(code), mu > 0
        scale = xp.where(is_positive, mu, xp.ones_like(mu))[:, None]
        scaled = Observations(X.values / scale, X.weight)
        found = certificate_from_residuals(self._unit, scaled, code / scale, unit)
        if before is not None:
            codes = before / scale, code / scale
            better = certificate_after_cast(self._unit, scaled, *codes, unit)
            gap = xp.minimum(found.duality_gap, better.duality_gap)
            found = replace(found, duality_gap=gap)
        squares = scale[:, 0] * scale[:, 0]
        found = replace(found, objective=found.objective * squares)
        if bool(xp.all(is_positive)):
            return found
        least = self._certificate_of_least_squares(X, code, unit)
        pairs = zip(found.parts(), least.parts(), strict=True)
        return Certificate(*(xp.where(is_positive, a, b) for a, b in pairs))

    def _certificate_of_least_squares(self, X, code, unit):
        """Certificate of codes without a weight.

        The minimum is at least zero: where the residual has vanished, this bounds the gap, also
        if there are more atoms than features.
        """
        problem, xp = self._least, namespace(code)
        found = certificate_from_residuals(problem, X, code, unit)
        sq_norm, atoms = problem.reconstruction.offset(X), problem.atom_norms
        size = xp.sqrt(sq_norm) + xp.vecdot(xp.abs(code), atoms.norms + 0 * code, axis=-1)
        rounding = atoms.rounding * size * Data(None, None, X.weight).gain
        root = xp.sqrt(2 * found.objective) + rounding
        scale = xp.maximum(found.objective, unit * sq_norm)
        bound = 0.5 * root * root / xp.where(scale > 0, scale, xp.ones_like(scale))
        is_better = (bound < found.duality_gap) & (scale > found.objective)
        return replace(found, duality_gap=xp.where(is_better, bound, found.duality_gap))

    @cached_property
    def _unit(self):
        """The problem in float64, of signals divided by their weights."""
        return self.problem.wide.with_prior(self.problem.prior)

    @cached_property
    def _least(self):
        """The problem in float64 without a weight."""
        prior = self.problem.prior
        return self.problem.wide.with_prior(ElasticNet(0.0, prior.lam2, prior.positive))


def squared(bound, like):
    """Squares of bounds, as an array like another one; None without bounds."""
    return None if bound is None else astype_like(bound * bound, like)


def _wide(array):
    """Array in float64, or None."""
    return None if array is None else to_float64(array)


def _take(bound, rows):
    """Bounds of some signals; None without bounds."""
    return None if bound is None else take_rows(bound, rows)
