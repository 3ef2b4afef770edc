r"""The sparse-coding problem and its optimality condition, stated once.

.. math:: P(w) = D_L(x \| f(wD)) + \varphi(w)

The code of a signal x is the w that minimises P. With slope = -(gradient of the reconstruction in
w), it is optimal exactly when slope lies in the subdifferential of phi at w. By this condition
codes have converged or not; the tests ask it of codes, and the implicit gradient differentiates
it.
"""

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ._array import eps, in_float64, is_numpy, namespace, narrow, take_rows
from ._atoms import Atoms
from ._records import Data
from .certificate import Certificate, Sizes, careful_certificate, certificate
from .priors import (
    check_components,
    coarser,
    curvature_of,
    is_positive,
    minimiser,
    resolved,
    settings_of,
    weight_of,
)
from .reconstruction import Reconstruction


@dataclass(frozen=True, eq=False)
class Problem:
    """A reconstruction term, a prior and atoms; `Data` of signals comes with each question.

    It is what solvers, certificates and gradients speak to. The terms see arrays and atoms alone.
    """

    reconstruction: Reconstruction
    prior: Any
    atoms: Atoms

    @property
    def dictionary(self):
        """The atoms as rows: (n_components, n_features)."""
        return self.atoms.dictionary

    @property
    def gram(self):
        """Inner products of the atoms: (n_components, n_components)."""
        return self.atoms.gram

    @cached_property
    def wide(self):
        """The problem with its dictionary in float64, or itself on devices that have none.

        Its codes are those of short floats: what vanishes there counts as zero.
        """
        atoms = self.atoms.wide
        if atoms is self.atoms:
            return self
        return Problem(self.reconstruction, coarser(self.prior, self.dictionary), atoms)

    @cached_property
    def sizes(self):
        """Sizes of the atoms, as certificates use them."""
        return Sizes(self.reconstruction, self.atoms)

    def with_prior(self, prior):
        """The problem with another prior and the same atoms."""
        return replace(self, prior=prior)

    def prepare(self):
        """Compute what several threads would ask for at once."""
        self.reconstruction.prepare(self.atoms)

    def observe(self, X):
        """What the problem keeps of signals (n_samples, n_features)."""
        return Data(self.correlations(X), self.reconstruction.offset(X))

    def correlations(self, X):
        """Inner products of signals and atoms: (n_samples, n_components)."""
        corr = self.atoms.correlations(X)
        is_relative = self.prior.smooth or weight_of(self.prior) == 0.0
        if is_relative and is_numpy(corr) and corr.dtype == np.float64:
            return self.atoms.resolved(X, corr)
        return corr

    def filled(self, X):
        """`Signals` with those that are none replaced by what says nothing, and their number."""
        return self.reconstruction.filled(X, self._signal_of_the_prior)

    def _signal_of_the_prior(self):
        """Signal (1, n_features) that the minimiser of the prior reconstructs, or None."""
        zero = namespace(self.dictionary).zeros_like(self.dictionary[:, :1].T)
        code = minimiser(self.prior, zero)
        return None if code is None else self.reconstruct(code)

    def reconstruct(self, code):
        """Signals of codes."""
        return self.reconstruction.reconstruct(code, self.atoms)

    def slope(self, data, code):
        """Minus the gradient of the loss in the code: like code."""
        return self.reconstruction.slope(data, code, self.atoms)

    def loss(self, data, code, slope):
        """Loss of the reconstruction: (n_samples,)."""
        return self.reconstruction.value(data, code, slope, self.atoms)

    def objective(self, data, code, slope=None):
        """P of each code: (n_samples,)."""
        slope = self.slope(data, code) if slope is None else slope
        return self.loss(data, code, slope) + self.prior.value(code)

    def product(self, direction, code):
        """Hessian of the loss in the code times a direction."""
        return self.reconstruction.product(direction, code, self.atoms)

    def diagonal(self, code):
        """Diagonal of the Hessian of the loss, or a bound on it: like code, or one row."""
        return self.reconstruction.diagonal(code, self.atoms)

    def newton_system(self, code, rhs, tol=None):
        """Solution of (Hessian of P) x = rhs on the support, zero off it; with the support."""
        curvature, support = curvature_of(self.prior, code), self.prior.support(code)
        terms = code, curvature, support, rhs, self.atoms, tol
        return self.reconstruction.solve(*terms), curvature, support

    def vjp(self, X, code, adjoint, n_jobs):
        """Gradients for the dictionary, summed over the batch, and for the signals."""
        return self.reconstruction.vjp(X, code, adjoint, self.atoms, n_jobs)

    @cached_property
    def _is_flat(self):
        """Whether the prior has no curvature in any entry of a code of zero."""
        xp = namespace(self.dictionary)
        curvature = curvature_of(self.prior, xp.zeros_like(self.dictionary[:, :1].T))
        if isinstance(curvature, float):
            return curvature == 0.0
        return not bool(xp.any(curvature > 0))

    def certify(self, X, code):
        """Certificate of codes of X, from scratch; short floats are counted in float64."""
        return self.certify_wide(self.wide.observe(in_float64(X)), code)

    def certify_wide(self, data, code):
        """Certificate of codes from data of `wide`."""
        wide_code = in_float64(code)
        slope = self.wide.slope(data, wide_code)
        return narrowed(certificate(self.wide, data, wide_code, slope, eps(code)), code)

    def certify_carefully(self, X, code):
        """Certificate of codes of X with the least rounding: it takes two more products."""
        found = careful_certificate(self.wide, in_float64(X), in_float64(code), eps(code))
        return narrowed(found, code)

    def converged(self, found, tol):
        """Whether certificates prove codes to tol: by residuals for smooth priors, else by gaps.

        The gap of a smooth prior is of the order of the residual squared: it says less.
        """
        if self.prior.smooth:
            return found.kkt_residual <= tol
        good = found.duality_gap <= tol
        if weight_of(self.prior) == 0.0 and self._is_flat:
            # least squares has no dual ball, and its gap is relative to what may vanish
            # atoms that may depend on each other let a residual say nothing; but under w >= 0 no
            # gap is known for those that do, and their condition is all there is
            known = is_positive(self.prior) | (found.duality_gap < float("inf"))
            good = good | ((found.kkt_residual <= tol) & known)
        return good


def narrowed(found, like):
    """A certificate in the dtype of an array."""
    return Certificate(*(narrow(part, like.dtype) for part in found.parts()))


def resolve_prior(prior, X, dictionary):
    """Copy of a prior with what is "auto" resolved, in proportion to a typical correlation.

    That is the median over the signals of the largest correlation with an atom. At most 10 000
    evenly spaced signals vote; zero signals don't.
    """
    prior = copy(prior)
    check_components(prior, dictionary.shape[0])
    settings = settings_of(prior)
    if not any(isinstance(value, str) for value in settings.values()):
        return prior
    scale = _median_correlation(X, dictionary, is_positive(prior))
    return type(prior)(**settings | resolved(settings, prior.automatic(scale), scale))


def _median_correlation(X, dictionary, positive):
    """Median of the signals' largest correlations with an atom; one without a nonzero signal."""
    if X.shape[0] > 10_000:
        X = X.rows(slice(None, None, X.shape[0] // 10_000))
    corr = X @ dictionary.T
    xp = namespace(corr)
    tops = xp.max(corr if positive else xp.abs(corr), axis=-1)
    tops = xp.maximum(tops, xp.zeros_like(tops))
    order = xp.argsort(tops)
    n_zero = int(xp.sum(xp.astype(tops <= 0, xp.int64)))
    middle = n_zero + (X.shape[0] - n_zero) // 2
    return float(take_rows(tops, [int(order[middle])])[0]) if n_zero < X.shape[0] else 1.0
