"""Hessians of the loss at the codes of a batch, as Newton's method uses them."""

from dataclasses import dataclass, replace
from typing import Any

from .._array import namespace
from .._lump import Lump
from .._records import Rows, iterate

_APPROXIMATE_TOL = 0.05  # tolerance of systems that are approximate themselves
_MOST_VARIATION = 30.0  # curvature, relative to its harmonic mean, up to which one number will do
_DROP_EVERY = 3  # iterations of conjugate gradients between two selections of the systems left


@dataclass(frozen=True, eq=False)
class ExactHessian:
    """The Hessian of a reconstruction term, by the methods of the term."""

    tol = 1e-4  # tolerance of systems in Newton's method: the next step corrects the error
    term: Any
    code: Any
    atoms: Any
    entry_weight: Any

    @property
    def diagonal(self):
        """Diagonal, or an upper bound: like code, or one row."""
        return self.term.diagonal(self.code, self.atoms, self.entry_weight)

    def product(self, direction):
        """Product with a direction: like code."""
        return self.term.product(direction, self.code, self.atoms, self.entry_weight)

    def solve(self, curvature, support, rhs, tol):
        """Solve (Hessian + diag(curvature)) x = rhs on the support, with x = 0 off it."""
        system = self.code, curvature, support, rhs, self.atoms, self.entry_weight, tol
        return self.term.solve(*system)


@dataclass(frozen=True, eq=False)
class LumpedHessian(Rows):
    """Hessian of the softmax loss where only the largest features are seen one by one.

    The Hessian is the covariance of the columns of the dictionary under the distribution r. The
    decomposition of a variance gives that of the largest features, and of the others together:
    their total probability and their mean are exact, and their covariance is that of `Lump`.
    """

    probs: Any  # probabilities of the largest features: (n_samples, n_largest)
    mean: Any  # mean of the columns of the dictionary: like code
    rest: Any  # probability of the other features, (n_samples, 1); None without any
    rest_mean: Any  # mean of their columns: like code; None without any
    shared: "Shared"

    @property
    def tol(self):
        """Tolerance of systems in Newton's method."""
        return self.shared.tol

    @property
    def diagonal(self):
        """Diagonal: like code."""
        xp, lump = namespace(self.mean), self.shared.lump
        values = lump.square_sums(self.probs) - self.mean * self.mean
        if self.rest is not None:
            values = values + self.rest * (lump.variance + self.rest_mean * self.rest_mean)
        return xp.maximum(values, xp.zeros_like(values))

    def product(self, direction):
        """Product with a direction: like code."""
        xp, lump = namespace(direction), self.shared.lump
        image = lump.scores(direction)
        if self.rest is None:
            image = image - xp.sum(self.probs * image, axis=1, keepdims=True)
            return lump.sums(self.probs * image)
        total = xp.vecdot(direction, self.mean, axis=-1)[:, None]
        part = xp.vecdot(direction, self.rest_mean, axis=-1)[:, None]
        found = lump.sums(self.probs * image) - total * self.mean
        spread = lump.typical_spread(direction) + part * self.rest_mean
        return found + self.rest * spread

    def solve(self, curvature, support, rhs, tol):
        """Solve (Hessian + diag(curvature)) x = rhs on the support, with x = 0 off it.

        Conjugate gradients, where each system has its own iterations. Systems on the whole code
        are preconditioned by a typical Hessian with the same trace, others by their diagonals.
        """
        xp = namespace(rhs)
        zero = xp.zeros_like(rhs)
        curvature, diagonal = curvature + zero, self.diagonal
        inverse = xp.where(support, 1.0 / (diagonal + curvature), zero)
        spectral = self._inverse_spectrum(curvature, diagonal, support)
        r = xp.where(support, rhs, zero)
        z = _preconditioned(self.shared.lump, inverse, spectral, r)
        rho = xp.vecdot(r, z, axis=-1)
        bound = tol * tol * rho
        state = _System(self, curvature, inverse, spectral, zero, r, z, rho, bound, zero, rho)
        most = 2 * rhs.shape[1] + 20
        return iterate(state, _conjugate_step, _is_solved, most, _DROP_EVERY)[0].best

    def _inverse_spectrum(self, curvature, diagonal, support):
        """Inverse eigenvalues of typical systems, zero for systems on a part of the code; or None.

        The curvature of the prior counts with its harmonic mean, unless it varies too much.
        """
        xp, spectrum = namespace(diagonal), self.shared.lump.spectrum
        if spectrum is None:
            return None
        one = xp.ones_like(curvature)
        mobility = xp.mean(one / xp.where(curvature > 0, curvature, one), axis=1, keepdims=True)
        is_whole = xp.all(support & (curvature > 0), axis=1, keepdims=True)
        largest = xp.max(curvature, axis=1, keepdims=True)
        is_whole = is_whole & (largest * mobility <= _MOST_VARIATION)
        if not bool(xp.any(is_whole)):
            return None
        total = xp.sum(spectrum)
        size = xp.sum(diagonal, axis=1, keepdims=True) / xp.where(total > 0, total, 0 * total + 1)
        return xp.where(is_whole, 1.0 / (size * spectrum + 1.0 / mobility), 0.0 * one)


def _preconditioned(lump, inverse, spectral, r):
    """Approximate solutions of systems with residuals r."""
    if spectral is None:
        return inverse * r
    rotate, rotate_back = lump.rotate
    rotated = rotate_back(spectral * rotate(r))
    return namespace(r).where(spectral[:, :1] > 0, rotated, inverse * r)


@dataclass(frozen=True, eq=False)
class Shared(Rows):
    """What the Hessians of all codes share."""

    lump: Lump
    tol: float

    def rows(self, rows):
        """Return the record itself, whatever the codes."""
        return self

    def put(self, other, rows):
        """Return the record itself, whatever the codes."""
        return self

    def join(self, others):
        """Return the record itself, whatever the codes."""
        return self


def lumped_hessian(lump, probs, mean):
    """`LumpedHessian`, given the probabilities of the largest features and the mean of all."""
    xp = namespace(probs)
    rest = 1.0 - xp.sum(probs, axis=1, keepdims=True)
    rest = xp.maximum(rest, xp.full_like(rest, float(xp.finfo(probs.dtype).eps)))
    rest_mean = (mean - lump.sums(probs)) / rest
    return LumpedHessian(probs, mean, rest, rest_mean, Shared(lump, _APPROXIMATE_TOL))


def whole_hessian(lump, probs, mean):
    """`LumpedHessian` without any lumped features."""
    return LumpedHessian(probs, mean, None, None, Shared(lump, ExactHessian.tol))


@dataclass(frozen=True, eq=False)
class _System(Rows):
    """State of conjugate gradients on a batch of systems."""

    hessian: LumpedHessian
    curvature: Any
    inverse: Any  # inverse diagonal of the system; zero off the support
    spectral: Any  # inverse eigenvalues of a typical system; None where the diagonal has to do
    x: Any
    r: Any  # residual
    p: Any  # direction
    rho: Any  # squared norm of the residual, in that of the preconditioner
    bound: Any  # bound on rho
    best: Any  # iterate with the least residual
    least: Any


def _conjugate_step(state):
    """State after an iteration of conjugate gradients; finished systems are unchanged."""
    xp, rho = namespace(state.x), state.rho
    busy = rho > state.bound
    product = state.hessian.product(state.p) + state.curvature * state.p
    product = xp.where(state.inverse > 0, product, xp.zeros_like(product))
    curvature = xp.vecdot(state.p, product, axis=-1)
    moves = busy & (curvature > 0)
    one = xp.ones_like(rho)
    alpha = xp.where(moves, rho / xp.where(moves, curvature, one), 0.0 * rho)
    x, r = state.x + alpha[:, None] * state.p, state.r - alpha[:, None] * product
    z = _preconditioned(state.hessian.shared.lump, state.inverse, state.spectral, r)
    rho_new = xp.where(moves, xp.vecdot(r, z, axis=-1), xp.zeros_like(rho))
    p = z + (rho_new / xp.where(rho > 0, rho, one))[:, None] * state.p
    better = moves & (rho_new < state.least)
    best, least = xp.where(better[:, None], x, state.best), xp.where(better, rho_new, state.least)
    return replace(state, x=x, r=r, p=p, rho=rho_new, best=best, least=least)


def _is_solved(state):
    """Whether systems have reached their tolerance, or cannot be solved any further."""
    return state.rho <= state.bound
