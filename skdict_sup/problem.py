r"""The sparse-coding problem and its optimality condition, stated once.

.. math:: P(w) = D_L(x \| f(wD)) + \varphi(w)

The code of a signal x is the w that minimises P. With slope = -(gradient of the reconstruction in
w), it is optimal exactly when slope lies in the subdifferential of phi at w. This condition stops
the solvers, is what the tests ask of codes, and is what the implicit gradient differentiates.
"""

from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ._array import (
    accurate,
    astype_like,
    eps,
    namespace,
    narrow,
    rows_times,
    take_rows,
)
from .certificate import Certificate, Sizes, careful_certificate, certificate
from .priors import coarser, curvature_of, resolved, weight_of


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
        """The problem with its dictionary in float64, or itself on devices that have none.

        Its codes are those of short floats: what vanishes there counts as zero.
        """
        if self._factor is self.dictionary:
            return self
        return Problem(self.reconstruction, coarser(self.prior, self.dictionary), self._factor)

    @cached_property
    def _factor(self):
        return accurate(self.dictionary)

    @cached_property
    def sizes(self):
        """Quantities of the dictionary that certificates use."""
        return Sizes(self.reconstruction, self.dictionary, self.gram)

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
        """Certificate of codes of X, from scratch; short floats are counted in float64."""
        X = accurate(X)
        return self.certify_wide(self.wide.corr(X), self.wide.energy(X), code)

    def certify_wide(self, corr, energy, code):
        """Certificate of codes from correlations and squared norms in the dtype of `wide`."""
        wide_code = accurate(code)
        slope = self.reconstruction.slope(corr, wide_code, self.wide)
        return narrowed(certificate(self.wide, corr, energy, wide_code, slope, eps(code)), code)

    def certify_carefully(self, X, code):
        """Certificate of codes of X with the least rounding: it takes two more products."""
        found = careful_certificate(self.wide, accurate(X), accurate(code), eps(code))
        return narrowed(found, code)

    def reached(self, kkt_residual, duality_gap, tol):
        """Whether codes are exact to tol: by their residual for smooth priors, else by their gap.

        The gap of a smooth prior is of the order of the residual squared: it says less.
        """
        if self.prior.smooth:
            return kkt_residual <= tol
        good = duality_gap <= tol
        if weight_of(self.prior) == 0.0 and self._is_flat:
            # least squares has no dual ball, and its gap is relative to what may vanish
            # atoms that may depend on each other let a residual say nothing; but under w >= 0 no
            # gap is known for those that do, and their condition is all there is
            known = getattr(self.prior, "positive", False) | (duality_gap < float("inf"))
            good = good | ((kkt_residual <= tol) & known)
        return good


def narrowed(found, like):
    """A certificate in the dtype of an array."""
    return Certificate(*(narrow(part, like.dtype) for part in found))


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
