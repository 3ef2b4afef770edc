r"""The sparse-coding problem and its optimality condition, stated once.

.. math:: P(w) = D_L(x \| f(wD)) + \varphi(w)

The code of a signal x is the w that minimises P. With slope = -(gradient of the reconstruction in
w), it is optimal exactly when slope lies in the subdifferential of phi at w. This condition stops
the solvers, is what the tests ask of codes, and is what the implicit gradient differentiates.
"""

from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ._array import (
    accurate,
    astype_like,
    eps,
    namespace,
    narrow,
    rows_times,
    take_rows,
    to_numpy,
)
from .kernels import elastic_net_certificate
from .priors import ElasticNet, curvature_of, resolved
from .reconstruction.linear import Linear


class Certificate(NamedTuple):
    """How far codes are from the optimum: one entry for each signal."""

    kkt_residual: Any
    duality_gap: Any
    objective: Any


@dataclass(frozen=True, eq=False)
class Problem:
    """A reconstruction term, a prior and a dictionary; signals come with each question."""

    reconstruction: Any
    prior: Any
    dictionary: Any

    @cached_property
    def gram(self):
        """Inner products of the atoms: (n_components, n_components)."""
        if self.wide is not self:
            return astype_like(self.wide.gram, self.dictionary)
        return self._factor @ self._factor.T

    @cached_property
    def wide(self):
        """The problem with its dictionary in float64, or itself on devices that have none."""
        if self._factor is self.dictionary:
            return self
        return Problem(self.reconstruction, self.prior, self._factor)

    @cached_property
    def _factor(self):
        return accurate(self.dictionary)

    @cached_property
    def _curvatures(self):
        """Proven lower bounds on the curvature of least squares: everywhere, and within its range.

        Zero where rounding may hide a smaller one: an eigenvalue counts as zero, and not as small,
        only where the number of distinct atoms or of features says that it is.
        """
        xp = namespace(self._factor)
        values = to_numpy(xp.linalg.eigvalsh(self.wide.gram))
        floor = eps(self._factor) * sum(self._factor.shape) * float(values[-1])
        seen = values[values > 2 * floor] - floor
        rank = min(_distinct(to_numpy(self._factor)), self._factor.shape[1])
        least = float(seen.min(initial=values[-1])) if len(seen) >= rank > 0 else 0.0
        return (least if len(seen) == values.shape[0] else 0.0), least

    @cached_property
    def _grain(self):
        """How far rounding can move the correlations of a signal of unit norm."""
        largest = float(namespace(self.gram).max(namespace(self.gram).linalg.diagonal(self.gram)))
        return 0.5 * eps(self.dictionary) * self.dictionary.shape[1] * largest**0.5

    @cached_property
    def _reaches(self):
        """Largest nonnegative least-squares codes of a unit signal; None where none is known.

        Atoms at acute angles do not cancel: ||w D|| is at least w_j ||d_j|| for every j, and at
        most ||x|| at the solution.
        """
        xp = namespace(self.gram)
        norms = xp.linalg.diagonal(self.gram)
        if bool(xp.any(self.gram < 0)) or not bool(xp.all(norms > 0)):
            return None
        return (1 + 4 * eps(norms)) / xp.sqrt(norms)[None, :]

    @cached_property
    def _is_flat(self):
        """Whether the prior bends no entry of a code of zero."""
        xp = namespace(self.dictionary)
        bend = curvature_of(self.prior, xp.zeros_like(self.dictionary[:, :1].T))
        return bend == 0.0 if isinstance(bend, float) else not bool(xp.any(bend > 0))

    def corr(self, X):
        """Inner products of signals and atoms: (n_samples, n_components)."""
        return astype_like(rows_times(accurate(X), self._factor.T), X)

    def energy(self, X):
        """Part of the loss that no code changes: (n_samples,)."""
        return self.reconstruction.energy(X)

    def certify(self, X, code):
        """Certificate of codes of X, from scratch."""
        X = accurate(X)
        return self.certify_wide(self.wide.corr(X), self.wide.energy(X), code)

    def certify_wide(self, corr, energy, code):
        """Certificate of codes from correlations and squared norms in the dtype of `wide`.

        A float32 certificate would not count its own rounding.
        """
        wide_code = accurate(code)
        slope = self.reconstruction.slope(corr, wide_code, self.wide)
        found = self.wide.certificate(corr, energy, wide_code, slope, eps(code))
        return Certificate(*(narrow(part, code.dtype) for part in found))

    def certificate(self, corr, energy, code, slope, unit=None):
        """Certificate of codes with known correlations, squared norms and slopes.

        The gap is P(w) minus the dual objective at the scaled residual s r, with s the largest
        scale that is dual feasible. It is summed as Fenchel-Young gaps, each at or above zero, so
        that it does not drown in the rounding of P. It is relative to P, or to `unit` times the
        energy where that is more: the epsilon of the codes that users get, None for that of these.
        """
        xp = namespace(code)
        violation, top, gap, objective = self._measure(corr, energy, code, slope)
        if getattr(self.prior, "lam", 1.0) == 0.0:
            strong = self._strong_gap(energy, code, slope)
            # at most the objective: true, but it would hide that nothing is known
            gap = xp.where(strong < xp.inf, xp.minimum(gap, strong), strong)
            least = (energy == 0) & (objective == 0)  # there is nothing below zero
            gap = xp.where(least, xp.zeros_like(gap), gap)
        one = xp.ones_like(top)
        floor = (unit or eps(code)) * energy
        bound = xp.maximum(objective, floor)
        residual = violation / xp.where(top > 0, top, one)
        if self.prior.smooth and eps(code) < 1e-10:  # devices of short floats alone leave no room
            size = xp.sqrt(energy) if type(self.reconstruction) is Linear else one
            residual = residual + self._grain * size / xp.where(top > 0, top, one)
        gap = xp.maximum(gap, xp.zeros_like(gap)) / xp.where(bound > 0, bound, one)
        known = xp.isfinite(objective) & xp.isfinite(top) & xp.isfinite(energy)
        never = xp.full_like(gap, xp.inf)
        return Certificate(
            xp.where(known, residual, never),
            xp.where(known, gap, never),
            xp.where(known, objective, never),
        )

    def _measure(self, corr, energy, code, slope):
        """Violation, largest correlation, gap and objective, from the terms' own formulas."""
        xp = namespace(code)
        reconstruction, prior = self.reconstruction, self.prior
        if type(prior) is ElasticNet and type(reconstruction) is Linear:  # the same in one pass
            settings = prior.lam, prior.lam2, prior.positive
            return elastic_net_certificate(corr, energy, code, slope, *settings)
        value = reconstruction.value(energy, corr, code, slope, self)
        violation = xp.max(prior.stationarity(code, slope), axis=-1)
        scale = prior.dual_scale(code, slope)
        gap = reconstruction.fenchel_gap(value, scale) + prior.fenchel_gap(code, slope, scale)
        return violation, xp.max(xp.abs(corr), axis=-1), gap, value + prior.value(code)

    def reached(self, kkt_residual, duality_gap, tol):
        """Whether codes are exact to tol: by their residual for smooth priors, else by their gap.

        The gap of a smooth prior is of the order of the residual squared: it says less.
        """
        if self.prior.smooth:
            return kkt_residual <= tol
        good = duality_gap <= tol
        if getattr(self.prior, "lam", 1.0) == 0.0 and self._is_flat:
            # least squares has no dual ball, and its gap is relative to what may vanish
            # atoms that may depend on each other let a residual say nothing; but under w >= 0 no
            # gap is known for those that do, and their condition is all there is
            known = getattr(self.prior, "positive", False) | (duality_gap < float("inf"))
            good = good | ((kkt_residual <= tol) & known)
        return good

    def _strong_gap(self, energy, code, slope):
        """Bound by strong convexity, ||subgradient||^2 / (2 curvature), where no dual ball is."""
        xp = namespace(code)
        violation = self.prior.stationarity(code, slope)
        squares = xp.sum(violation * violation, axis=-1)
        bend = curvature_of(self.prior, code)
        if not isinstance(bend, float):
            bend = float(xp.min(bend))
        is_linear = type(self.reconstruction) is Linear
        is_positive = getattr(self.prior, "positive", False)
        curvature = bend
        if is_linear:  # other losses may be flat far away
            everywhere, within = self._curvatures
            curvature = everywhere + bend
            # gradients of least squares lie in its range; those under w >= 0 need not
            if curvature == 0.0 and not is_positive:
                curvature = within
        if curvature > 0.0:
            return 0.5 * squares / curvature
        if is_linear and is_positive and self._reaches is not None:
            far = xp.abs(code) + xp.sqrt(energy)[:, None] * self._reaches
            return xp.sum(violation * far, axis=-1)
        return xp.full_like(squares, xp.inf)


def _distinct(atoms):
    """Number of nonzero atoms of which none is a copy, up to the sign, of another."""
    atoms = atoms[(atoms != 0).any(axis=1)]
    if not len(atoms):
        return 0
    first = np.take_along_axis(atoms, (atoms != 0).argmax(axis=1)[:, None], axis=1)
    return len(np.unique(atoms * np.sign(first) + 0.0, axis=0))


def resolve_prior(prior, X, dictionary):
    """Copy of a prior with what is "auto" resolved, in proportion to a typical correlation.

    That is the median over the signals of the largest correlation with an atom. At most 10 000
    evenly spaced signals vote; zero signals don't.
    """
    prior = copy(prior)
    if hasattr(prior, "check_components"):
        prior.check_components(dictionary.shape[0])
    settings = prior.get_params() if hasattr(prior, "get_params") else {}
    if not any(isinstance(value, str) for value in settings.values()):
        return prior
    scale = _median_correlation(X, dictionary, getattr(prior, "positive", False))
    return type(prior)(**settings | resolved(settings, prior.automatic(scale), scale))


def _median_correlation(X, dictionary, positive):
    """Median of the signals' largest correlations with an atom; one without a nonzero signal."""
    if X.shape[0] > 10_000:
        X = X[:: X.shape[0] // 10_000, :]
    corr = X @ dictionary.T
    xp = namespace(corr)
    tops = xp.max(corr if positive else xp.abs(corr), axis=-1)
    tops = xp.maximum(tops, xp.zeros_like(tops))
    order = xp.argsort(tops)
    n_zero = int(xp.sum(xp.astype(tops <= 0, xp.int64)))
    middle = n_zero + (X.shape[0] - n_zero) // 2
    return float(take_rows(tops, [int(order[middle])])[0]) if n_zero < X.shape[0] else 1.0
