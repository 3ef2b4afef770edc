r"""The sparse-coding problem and its optimality condition, stated once.

.. math:: P(w) = D_L(x \| f(wD)) + \varphi(w)

The code of a signal x is the w that minimises P. With slope = -(gradient of the reconstruction in
w), it is optimal if and only if slope lies in the subdifferential of phi at w. This condition
decides whether codes have converged, the tests check it, and the implicit gradient differentiates
it.
"""

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ._array import eps, is_numpy, namespace, narrow, take_rows, to_float64
from ._atoms import Atoms
from ._records import Data, as_observations
from .certificate import AtomNorms, Certificate, certificate, certificate_from_residuals
from .kernels import kl_certificate
from .priors import (
    check_components,
    curvature_of,
    for_output_dtype,
    is_positive,
    kl_weights,
    minimiser,
    resolve_weights,
    settings_of,
    weight_of,
)
from .reconstruction import Reconstruction


@dataclass(frozen=True, eq=False)
class Problem:
    """A reconstruction term, a prior and atoms; methods take the `Data` of a batch of signals.

    Solvers, certificates and gradients call the problem, never its terms, which see only arrays
    and atoms.
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
        """The problem with its dictionary in float64; the same object without device support.

        Entries of codes that underflow in the original dtype still count as zero.
        """
        atoms = self.atoms.wide
        if atoms is self.atoms:
            return self
        return Problem(self.reconstruction, for_output_dtype(self.prior, self.dictionary), atoms)

    @cached_property
    def atom_norms(self):
        """Norms of the atoms, for the rounding errors of certificates."""
        return AtomNorms(self.reconstruction, self.atoms)

    def with_prior(self, prior):
        """The problem with another prior and the same atoms."""
        return replace(self, prior=prior)

    def prepare(self, n_jobs=1):
        """Compute cached quantities, on some threads, before several threads need them."""
        self.reconstruction.prepare(self.atoms, n_jobs)

    def observe(self, X):
        """`Data` of signals, an array (n_samples, n_features) or `Observations`."""
        X = as_observations(X)
        return Data(self.correlations(X), self.reconstruction.offset(X), X.weight)

    def correlations(self, X):
        """Inner products of signals and atoms, with the weights of entries if there are any."""
        X = as_observations(X).weighted
        corr = self.atoms.correlations(X)
        is_relative = self.prior.smooth or weight_of(self.prior) == 0.0
        if is_relative and is_numpy(corr) and corr.dtype == np.float64:
            return self.atoms.recompute_vanished(X, corr)
        return corr

    def filled(self, X):
        """Replace invalid signals by uninformative ones; return `Signals` and their number."""
        return self.reconstruction.filled(X, self._signal_of_the_prior)

    def _signal_of_the_prior(self):
        """Reconstruction (1, n_features) from the code that minimises the prior, or None."""
        zero = namespace(self.dictionary).zeros_like(self.dictionary[:, :1].T)
        code = minimiser(self.prior, zero)
        return None if code is None else self.reconstruct(code)

    def reconstruct(self, code):
        """Reconstructed signals of codes: (n_samples, n_features)."""
        return self.reconstruction.reconstruct(code, self.atoms)

    def slope(self, data, code):
        """Minus the gradient of the loss in the code: like code."""
        return self.reconstruction.slope(data, code, self.atoms)

    def loss(self, data, code, slope):
        """Reconstruction loss of each code: (n_samples,)."""
        return self.reconstruction.value(data, code, slope, self.atoms)

    def objective(self, data, code, slope=None):
        """Objective P of each code: (n_samples,)."""
        slope = self.slope(data, code) if slope is None else slope
        return self.loss(data, code, slope) + self.prior.value(code)

    def evaluate(self, data, code):
        """Slope and reconstruction loss of codes, in one pass."""
        return self.reconstruction.evaluate(data, code, self.atoms)

    def eps(self, code):
        """Machine epsilon of the slopes and losses of codes."""
        return max(eps(code), getattr(self.reconstruction, "eps", 0.0))

    def penalty(self, code, slope):
        """Violations of the optimality condition (n_samples,), and values of the prior."""
        weights = kl_weights(self.prior, code)
        if weights is None:
            violation = self.prior.stationarity(code, slope)
            return namespace(code).max(violation, axis=1), self.prior.value(code)
        least = self.prior.zero_threshold(code)  # the same, compiled
        found = kl_certificate(code, code, slope, None, least, *weights)
        return found[0], found[3]

    def curvature(self, code):
        """Second derivative of the prior, and the support of the codes."""
        return curvature_of(self.prior, code), self.prior.support(code)

    def hessian(self, data, code, slope, loss):
        """Hessian of the loss, or a good approximation of it, for Newton's method."""
        return self.reconstruction.hessian(data, code, slope, loss, self.atoms)

    @property
    def is_quadratic(self):
        """Whether the loss is quadratic in the code."""
        return self.reconstruction.quadratic

    @property
    def coarse(self):
        """An approximation of the problem, the codes of which are cheap; None if it has none."""
        term = self.reconstruction.coarse(self.atoms)
        return None if term is None else replace(self, reconstruction=term)

    @property
    def single(self):
        """The problem in single precision, and with single precision in its Hessians; or None."""
        terms = self.reconstruction.single(self.atoms)
        return None if terms is None else tuple(replace(self, reconstruction=t) for t in terms)

    @property
    def exact(self):
        """The problem with exact Hessians in Newton's method."""
        return replace(self, reconstruction=self.reconstruction.exact(self.atoms))

    def product(self, direction, code, entry_weight):
        """Hessian of the loss in the code times a direction."""
        return self.reconstruction.product(direction, code, self.atoms, entry_weight)

    def diagonal(self, code, entry_weight):
        """Diagonal of the Hessian of the loss, or an upper bound: like code, or one row."""
        return self.reconstruction.diagonal(code, self.atoms, entry_weight)

    def newton_system(self, code, rhs, entry_weight, tol=None):
        """Solve (Hessian of P) x = rhs on the support: x (zero off it), curvature, support."""
        curvature, support = self.curvature(code)
        terms = code, curvature, support, rhs, self.atoms, entry_weight, tol
        return self.reconstruction.solve(*terms), curvature, support

    def vjp(self, X, code, adjoint, n_jobs, signals=True):
        """Gradients for the dictionary (summed over the batch), signals, and weights of entries.

        The last is None where signals have no weights, and the second may be None without
        `signals`.
        """
        arguments = as_observations(X), code, adjoint, self.atoms, n_jobs
        return self.reconstruction.vjp(*arguments, signals)

    def objective_vjp(self, X, code, weight):
        """Gradients of a weighted sum of objectives of optimal codes: dictionary, signals.

        At the minimum, the derivative of the objective in the code is zero: codes count as fixed.
        """
        return self.reconstruction.loss_vjp(as_observations(X), code, weight, self.atoms)

    @cached_property
    def _is_flat(self):
        """Whether the prior has zero curvature at the zero code."""
        xp = namespace(self.dictionary)
        curvature = curvature_of(self.prior, xp.zeros_like(self.dictionary[:, :1].T))
        if isinstance(curvature, float):
            return curvature == 0.0
        return not bool(xp.any(curvature > 0))

    def certify(self, X, code):
        """Certificate of codes of X, computed in float64."""
        return self.certify_wide(self.wide.observe(as_observations(X).map(to_float64)), code)

    def certify_wide(self, data, code):
        """Certificate of codes, given the `Data` of the float64 problem `wide`."""
        wide_code = to_float64(code)
        slope, loss = self.wide.evaluate(data, wide_code)
        terms = self.wide, data, wide_code, slope, eps(code)
        return cast_certificate(certificate(*terms, value=loss), code)

    def certify_from_residuals(self, X, code):
        """Certificate of codes of X with smaller rounding errors, by two more products."""
        X = as_observations(X).map(to_float64)
        wide = certificate_from_residuals(self.wide, X, to_float64(code), eps(code))
        return cast_certificate(wide, code)

    def converged(self, certificate, tol):
        """Whether codes are within tol: by the residual for smooth priors, else by the gap.

        The gap of a smooth prior is of the order of the squared residual: it is less informative.
        """
        if self.prior.smooth:
            return certificate.kkt_residual <= tol
        is_optimal = certificate.duality_gap <= tol
        if weight_of(self.prior) == 0.0 and self._is_flat:
            # least squares: its gap is relative to an objective that may vanish, so that a small
            # residual also counts, but only with a finite gap, because atoms may be linearly
            # dependent; under w >= 0 no gap may be known, and the residual decides unless atoms
            # are nearly dependent
            has_gap, residual = certificate.duality_gap < float("inf"), certificate.kkt_residual
            is_optimal = is_optimal | (has_gap & (residual <= self._sufficient_residual(tol)))
            if is_positive(self.prior) and self._least_curvatures[1] > 0.0:
                is_optimal = is_optimal | (~has_gap & (residual <= tol))
        return is_optimal

    @property
    def _least_curvatures(self):
        """Least curvature of the loss in all directions, and in the row space; zero if unknown."""
        return self.wide.reconstruction.curvatures(self.wide.atoms, None)

    def _sufficient_residual(self, tol):
        """Residual, at most tol, at which codes of least squares are near the best objective.

        It is then at most tol times ||x||^2 / 2 away, for signals without weights of entries.
        A gradient g is at most sqrt(p) times the residual times the largest ||d_j|| ||x||, and
        P(w) - P(w*) at most ||g||^2 / (2 c), with c the least curvature.
        """
        everywhere, within = self._least_curvatures
        curvature = everywhere if is_positive(self.prior) else within
        if not curvature > 0.0:  # no bound is known
            return tol
        longest = float(namespace(self.dictionary).max(self.wide.atom_norms.norms))
        return min(tol, (tol * curvature / self.dictionary.shape[0]) ** 0.5 / longest)


def cast_certificate(certificate, like):
    """Cast a certificate to the dtype of an array."""
    return Certificate(*(narrow(part, like.dtype) for part in certificate.parts()))


def resolve_prior(prior, X, dictionary, reconstruction):
    """Copy of a prior with "auto" hyper-parameters set in proportion to a typical correlation.

    The reconstruction term replaces those that are in units of codes, if these are not the units
    of signals.

    This is the median, over at most 10 000 evenly spaced nonzero signals, of the largest
    correlation with an atom.
    """
    prior = copy(prior)
    check_components(prior, dictionary.shape[0])
    settings = settings_of(prior)
    if not any(isinstance(value, str) for value in settings.values()):
        return prior
    scale = _median_correlation(X, dictionary, is_positive(prior))
    automatic = reconstruction.automatic(prior.automatic(scale))
    return type(prior)(**settings | resolve_weights(settings, automatic, scale))


def _median_correlation(X, dictionary, positive):
    """Upper median of the signals' largest correlations with an atom; one if all are zero."""
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
