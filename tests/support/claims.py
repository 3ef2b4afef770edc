"""What `encode` says about its codes, judged in extended precision.

What is reported is false beyond doubt: the truth is bounded with the rounding of the judge on the
side of the claim. What is not reported need not be true.
"""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from better_codes import improved
from extended import Terms, e, extended

from skdict_sup import ElasticNet

DEFAULT_TOL = {"float32": 1e-5, "float64": 1e-9}
KINDS = ("converged", "gap", "residual", "objective", "nan", "negative", "infinite")


@dataclass(frozen=True)
class Violation:
    """One false claim: what was said, and what holds at least (or, of an objective, exactly)."""

    kind: str
    row: int
    claimed: float
    truth: float

    @property
    def is_slight(self):
        """Whether a bound is missed by no more than sums in float64 may be off."""
        close = self.truth <= 1.001 * self.claimed + 64 * np.finfo(np.float64).eps
        return bool(self.kind in ("converged", "gap", "residual") and close)


def code_of(case, encode):
    """What `encode` finds for a case; that codes are not converged needs no warning here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return encode(case.X, case.dictionary, n_jobs=1, **case.settings)


class Judge:
    """The claims of a solution, signal by signal."""

    def __init__(self, case, found):
        self.case, self.found = case, found
        self.prior, self.dtype = case.prior_of(found), case.X.dtype
        self.info = np.finfo(self.dtype)
        self.tol = DEFAULT_TOL[self.dtype.name] if case.tol is None else case.tol
        self.finite = np.isfinite(found.code).all(axis=1)
        weight = case.mask if case.entry_weight is None else case.entry_weight
        self.terms = Terms(case.X, case.dictionary, self.prior, case.transfer, weight)
        # codes that are not finite are judged by that alone
        self.code = extended(np.where(self.finite[:, None], found.code, 0))
        self.point = self.terms.at(self.code)
        self.is_smooth = not isinstance(case.prior, ElasticNet)
        self.is_concave = getattr(case.prior, "exponent", 2) < 1

    @cached_property
    def residual(self):
        """The true optimality residual, at least."""
        top, rounding = self.terms.top
        size = top + rounding
        # a signal that may be orthogonal to all atoms has an absolute residual
        size = np.where(top > rounding, size, np.maximum(size, 1))
        return self.point.violation.max(axis=1) / size

    @cached_property
    def distance(self):
        """The true distance of the objective to its minimum, at least."""
        if self.is_concave:
            return np.zeros_like(self.point.objective)
        best = improved(self.terms, self.code)
        excess = self.point.objective - best.objective - self.point.rounding - best.rounding
        return np.where(np.isfinite(excess), np.maximum(excess, 0), 0)

    @property
    def excess(self):
        """The true distance of the objective to its minimum, at least, relative as claims are."""
        size = self.point.objective + self.point.rounding
        if self.terms.is_linear:
            size = np.maximum(size, self.info.eps * self.terms.energy * (1 + 64 * e))
        return self.distance / np.where(size > 0, size, 1)

    @cached_property
    @np.errstate(all="ignore")  # what leaves the range even of these floats is not reported
    def violations(self):
        rows = range(len(self.finite))
        return [
            Violation(kind, row, float(claimed[row]), float(truth[row]))
            for kind in KINDS
            for wrong, claimed, truth in [getattr(self, "_" + kind)()]
            for row in rows
            if wrong[row]
        ]

    def _above(self, truth, claimed):
        """Whether truths are above claims, which are rounded once to the floats of users."""
        claimed = extended(claimed)
        allowed = claimed * (1 + 2 * extended(self.info.eps)) + self.info.smallest_subnormal
        return truth > allowed

    def _converged(self):
        """Whether codes that say so are not within the tolerance."""
        truth, found = self.excess, self.found
        if self.is_smooth:
            truth = self.residual
        elif self.prior.lam2 == 0:  # least squares also relative to the objective of the code zero
            truth = np.where(self._is_least, np.minimum(truth, self._to_zero), truth)
        wrong = self._above(truth, np.full(len(truth), self.tol)) & self.finite
        wrong = wrong | self._misses_its_limits()
        return found.converged & (wrong | ~self.finite), np.full(len(truth), self.tol), truth

    @property
    def _to_zero(self):
        """The distance relative to the objective of the code zero; the residual may also count."""
        energy = 0.5 * self.terms.energy
        distance = self.distance / np.where(energy > 0, energy, 1)
        return np.minimum(distance, self.residual) if self.prior.positive else distance

    @property
    def _is_least(self):
        """Which codes are those of least squares: (n_samples,)."""
        lam = np.asarray(self.prior.lam)
        is_zero = (lam == 0).all(axis=1) if lam.ndim == 2 else np.all(lam == 0)
        return np.broadcast_to(is_zero, len(self.finite))

    def _misses_its_limits(self):
        """Whether residuals are not their bounds, or there are more nonzeros than allowed."""
        case, terms = self.case, self.terms
        wrong = np.zeros(len(self.finite), bool)
        if case.max_nonzeros is not None:
            counts = (self.code != 0) & (np.asarray(case.prior.lam) != 0)
            wrong = counts.sum(axis=1) > case.max_nonzeros
        if case.max_residual is not None:
            rest = terms.X - self.point.inside
            norm = np.sqrt((terms.weight * rest**2).sum(axis=1))
            slack = self.tol * np.sqrt(terms.energy) * (1 + 1e-6)
            is_above = norm > case.max_residual + slack
            if case.max_nonzeros is not None:  # where paths may end before
                is_above = is_above & (counts.sum(axis=1) != case.max_nonzeros)
            wrong = wrong | is_above
        return wrong & self.finite

    def _gap(self):
        claimed = self.found.duality_gap
        known = np.isfinite(claimed)
        return known & (self._above(self.excess, claimed) | ~self.finite), claimed, self.excess

    def _residual(self):
        claimed = self.found.kkt_residual
        known = np.isfinite(claimed)
        return known & (self._above(self.residual, claimed) | ~self.finite), claimed, self.residual

    def _objective(self):
        """Whether an objective differs by more than the rounding of its own formula.

        That is the epsilon of float64, in which sums are made, for each term of a product, and
        once that of the floats that users get, whose range it may leave.
        """
        claimed, truth = extended(self.found.objective), self.point.objective
        terms, point = self.terms, self.point
        size, code = np.abs(self.code) @ np.abs(terms.D), np.abs(self.code)
        if terms.is_linear:
            parts = (terms.weight * (np.abs(terms.X) + size)) @ np.abs(terms.D).T
            size = terms.energy + (code * parts).sum(axis=1)
        else:
            log_x = np.abs(np.log(np.where(terms.X > 0, terms.X, 1)))
            size = (terms.X * (log_x + size)).sum(axis=1) + size.max(axis=1) + 1
        size = size + point.penalty_size
        allowed = terms.ops * extended(np.finfo(np.float64).eps) * size + point.rounding
        allowed = allowed + self.info.eps * truth + self.info.smallest_subnormal
        beyond = np.isinf(claimed) & (truth >= 0.99 * extended(self.info.max))
        near = np.abs(claimed - truth) <= allowed
        # nothing is known of codes whose sums may have left the range on the way
        unknown = np.isinf(claimed) & np.isinf(self.found.duality_gap) & ~self.case.is_ordinary
        return self.finite & np.isfinite(truth) & ~near & ~beyond & ~unknown, claimed, truth

    def _nan(self):
        found = self.found
        parts = [found.kkt_residual, found.objective, *found.code.T]
        parts += [] if self.is_concave else [found.duality_gap]
        wrong = np.any([np.isnan(part) for part in parts], axis=0)
        return wrong, np.where(wrong, np.nan, 0), wrong

    def _negative(self):
        least = self.found.code.min(axis=1)
        return bool(getattr(self.prior, "positive", False)) & (least < 0), least, 0 * least

    def _infinite(self):
        """Whether a code is not finite though signals, atoms and objective are ordinary."""
        wrong = ~self.finite & self.case.is_ordinary
        return wrong, np.where(wrong, np.inf, 0), 0 * wrong
