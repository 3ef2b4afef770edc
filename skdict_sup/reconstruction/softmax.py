"""Softmax transfer with the loss KL(x || softmax(w D)), for signals that are distributions."""

from dataclasses import dataclass

import numpy as np

from .._array import (
    astype_like,
    dense,
    eps,
    namespace,
    rows_times,
    set_rows,
    take_columns,
    take_rows,
    to_float64,
    to_numpy,
)
from .._atoms import EXTRA_ROUNDINGS
from .._linalg import conjugate_gradients
from ._direct import exact_solutions
from ._hessian import ExactHessian, lumped_hessian, whole_hessian
from ._lumped_softmax import LumpedSoftmax
from ._moments import loss_of, softmax, softmax_moments
from ._single import InSingle, WithSingleSystems

_PRIOR_MEAN = 0.1  # p="auto" of KL priors
_LEARNING_RESIDUAL, _LEARNING_GAP = 1e-4, 1e-6
_PRECONDITIONER_TOL = 0.1  # tolerance of the approximate systems that precondition exact ones
_SINGLE_TOL = 2e-5  # tolerance from which systems are solved in single precision
_LOST = 30.0  # residuals, relative to their tolerance, above which digits were lost
_SUM_TOL = 1e-4  # tolerance on the sums of distributions, which may be normalised in float32


@dataclass(frozen=True)
class Softmax:
    """Relative entropy of the signal to r = softmax(w D).

    References
    ----------
    D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, appendices C and D.
    """

    name = "softmax"
    smoothness = (
        0.5  # Lipschitz constant of the gradient in w D: largest eigenvalue of diag(r) - r r'
    )
    quadratic = False

    def check(self, X):
        """Raise ValueError unless every signal is a distribution or zero."""
        if X.has_weights:
            raise ValueError(
                "transfer must be 'linear' for signals with missing entries or weights of entries,"
                " got 'softmax', whose signals are whole distributions."
            )
        X.check_finite()
        least = X.least()
        if least < 0:
            raise ValueError(
                f"{X.name} must be nonnegative for transfer='softmax', whose signals are "
                f"distributions; its smallest entry is {least:g}."
            )
        sums = X.sums()
        error = np.where(sums == 0, 0.0, np.abs(sums - 1.0))
        if error.max() > _SUM_TOL:
            row = int(error.argmax())
            raise ValueError(
                f"{X.name} must have rows that sum to 1 for transfer='softmax', whose signals are "
                f"distributions; row {row} sums to {float(sums[row]):g}. Divide each row by its "
                "sum: sklearn.preprocessing.normalize(X, norm='l1') does this for arrays and "
                "sparse counts, and Normalizer(norm='l1') as a step of a pipeline."
            )

    def filled(self, X, replacement=None):
        """Replace zero signals; return the signals and the number of replaced ones.

        The replacement is the result of `replacement()`, (1, n_features), whose code minimises the
        prior alone. Without it, or if it returns None, the replacement is the uniform
        distribution, the reconstruction from the zero code.
        """
        empty = X.sums() == 0
        if not empty.any():
            return X, 0
        signal = None if replacement is None else replacement()
        if signal is None:
            m = X.shape[1]
            signal = astype_like(np.full((1, m), 1.0 / m), X.like)
        return X.replaced(empty, signal), int(empty.sum())

    def automatic(self, values):
        """Values for "auto" hyper-parameters: codes are in units of log-probabilities."""
        return values | {"p": _PRIOR_MEAN} if "p" in values else values

    def learning_tol(self, prior):
        """Tolerance of codes that a dictionary is learned from, far below the noise of batches.

        Residuals are relative to correlations, and gaps to losses, of which codes explain a part.
        """
        return _LEARNING_RESIDUAL if prior.smooth else _LEARNING_GAP

    def prepare(self, atoms, n_jobs=1):
        """Compute the moments of small features before several threads need them."""
        atoms.wide.prepare_products()
        if atoms.is_lumped:
            atoms.single.prepare_products()
            atoms.single.lump.prepare()
        else:
            atoms.lump.prepare()

    def offset(self, X):
        """Negative entropies of the signals: (n_samples,)."""
        X = X.values
        xp = namespace(X)
        is_positive = X > 0
        return xp.sum(X * xp.log(xp.where(is_positive, X, xp.ones_like(X))), axis=-1)

    def in_range(self, data):
        """Whether entropies are finite."""
        return namespace(data.offset).isfinite(data.offset)

    def extent(self, data):
        """Sums of the signals, which are one: (n_samples,)."""
        return namespace(data.offset).ones_like(data.offset)

    def reach(self, dictionary):
        """Largest change of a log-probability by an entry of one: (n_components,)."""
        xp = namespace(dictionary)
        return 2.0 * xp.max(xp.abs(dictionary), axis=1)

    def rounding_shares(self, atoms):
        """Shares of `extent` and of the parts of codes in the rounding errors of slopes.

        With u half the epsilon, scores w D are sums over p atoms, and their errors, at most
        p u sum_j |w_j| max |d_j|, change probabilities by twice that; correlations, means and the
        normaliser are sums over m features of numbers that sum to one. The bound on slopes is
        u max |d| ((p + c) sum_j |w_j| reach_j + 3 (m + c)), and the reach is twice max |d_j|.
        """
        p, m = atoms.dictionary.shape
        return 1.5, 0.5 * (p + EXTRA_ROUNDINGS) / (p + m + EXTRA_ROUNDINGS)

    def reconstruct(self, code, atoms):
        """Reconstruction softmax(w D): (n_samples, n_features)."""
        return self._softmax(code, atoms)[0]

    def _softmax(self, code, atoms):
        """Softmax of w D, and the logarithm of its denominator."""
        return softmax(atoms.images(dense(code)))

    def slope(self, data, code, atoms):
        """Minus the gradient of the loss in the code: (x - r) D'."""
        return self.evaluate(data, code, atoms)[0]

    def value(self, data, code, slope, atoms):
        """Loss of each code: (n_samples,)."""
        _, log_sum = self._softmax(code, atoms)
        return loss_of(data, dense(code), log_sum)

    def evaluate(self, data, code, atoms):
        """Slope and loss of each code, with one softmax for both; sums are in float64."""
        code = dense(code)
        moments = softmax_moments(to_float64(code), atoms.wide)
        mean, log_sum = (astype_like(part, code) for part in moments)
        return data.corr - mean, loss_of(data, code, log_sum)

    def hessian(self, data, code, slope, loss, atoms):
        """Hessian of the loss at codes, with approximate moments of small features."""
        xp, lump = namespace(code), atoms.lump
        mean = data.corr - slope
        scores = lump.scores(code)
        if not lump.n_others:
            return whole_hessian(lump, softmax(scores)[0], mean)
        log_sum = loss - data.offset + xp.sum(code * data.corr, axis=-1)
        return lumped_hessian(lump, xp.exp(scores - log_sum[:, None]), mean)

    def coarse(self, atoms):
        """Approximation that lumps small features together; None if there are few features."""
        return InSingle(LumpedSoftmax()) if atoms.is_lumped else None

    def single(self, atoms):
        """The term in single precision, and with single precision in its systems alone, or None.

        Over few features, this does not pay.
        """
        if not atoms.is_lumped:
            return None
        return InSingle(_FastSoftmax()), WithSingleSystems(self)

    def exact(self, atoms):
        """The term with exact systems, for codes that approximate ones do not lead to."""
        return _ExactSoftmax() if atoms.is_lumped else self

    def fenchel_gap(self, value, scale):
        """Bound on KL((1 - s) x + s r || r), by convexity: (1 - s) times the loss."""
        return (1.0 - scale) * value

    def curvatures(self, atoms, entry_weight):
        """Zeros: the curvature vanishes where probabilities do."""
        return 0.0, 0.0

    def product(self, direction, code, atoms, entry_weight):
        """Hessian in the code times a direction: direction D (diag(r) - r r') D'."""
        probs = self.reconstruct(code, atoms)
        return self._hessian_times(direction, probs, atoms)

    def diagonal(self, code, atoms, entry_weight):
        """Diagonal of the Hessian, D (diag r - r r') D': like code."""
        probs = self.reconstruct(code, atoms)
        mean = atoms.correlations(probs)
        return rows_times(probs, (atoms.dictionary * atoms.dictionary).T) - mean * mean

    def solve(self, code, curvature, support, rhs, atoms, entry_weight, tol=None):
        """Solve (D (diag r - r r') D' + diag(curvature)) x = rhs on the support, zero off it."""
        if tol is not None and tol >= _SINGLE_TOL and atoms.is_lumped:
            return self._solve_in_single(code, curvature, support, rhs, atoms, tol)
        return self.solve_systems(code, curvature, support, rhs, atoms, tol)

    def solve_systems(self, code, curvature, support, rhs, atoms, tol):
        """`solve` in the dtype of the code."""
        xp, lump = namespace(code), atoms.lump
        tol = 64 * eps(code) if tol is None else tol
        probs = softmax(self._images(code, atoms))[0]
        mean = self._sums(probs, atoms)
        if not lump.n_others:
            return whole_hessian(lump, probs, mean).solve(curvature, support, rhs, tol)
        approximate = lumped_hessian(lump, take_columns(probs, lump.features), mean)
        zero = xp.zeros_like(rhs)
        curvature, rhs = curvature + zero, xp.where(support, rhs, zero)

        def precondition(residual):
            return approximate.solve(curvature, support, residual, _PRECONDITIONER_TOL)

        product = self._system(probs, curvature, support, atoms)
        x = conjugate_gradients(product, rhs, None, tol, precondition=precondition)
        residual, diagonal = rhs - product(x), approximate.diagonal + curvature
        diagonal = xp.where(diagonal > 0, diagonal, xp.ones_like(diagonal))
        size, whole = (xp.sqrt(xp.sum(a * a / diagonal, axis=1)) for a in (residual, rhs))
        rows = to_numpy(~(size <= _LOST * tol * whole)).nonzero()[0]
        if not len(rows):
            return x
        # where lumps approximate poorly, diagonals do better
        probs, curvature, support = (take_rows(a, rows) for a in (probs, curvature, support))
        product = self._system(probs, curvature, support, atoms)
        left, diagonal = take_rows(residual, rows), take_rows(diagonal, rows)
        left_tol = tol * take_rows(whole, rows) / take_rows(size, rows)
        more = conjugate_gradients(product, left, diagonal, left_tol)
        return set_rows(x, take_rows(x, rows) + more, rows)

    def _system(self, probs, curvature, support, atoms):
        """Function that multiplies by (Hessian + diag(curvature)) on the support."""
        xp = namespace(probs)

        def product(x):
            total = self._hessian_times(x, probs, atoms) + curvature * x
            return xp.where(support, total, xp.zeros_like(total))

        return product

    def _solve_in_single(self, code, curvature, support, rhs, atoms, tol):
        """`solve` to a moderate tolerance in single precision.

        Systems whose residuals, in double precision, show that this lost digits are solved again.
        """
        xp, zero = namespace(code), namespace(code).zeros_like(rhs)
        curvature, rhs = curvature + zero, xp.where(support, rhs, zero)
        x = InSingle(_FastSoftmax()).solve(code, curvature, support, rhs, atoms, tol)
        probs = softmax(self._images(code, atoms))[0]
        left = self._hessian_times(x, probs, atoms) + curvature * x
        residual = xp.where(support, rhs - left, zero)
        size, whole = (xp.sqrt(xp.vecdot(part, part, axis=-1)) for part in (residual, rhs))
        rows = to_numpy(~(size <= _LOST * tol * whole)).nonzero()[0]
        if not len(rows):
            return x
        terms = code, curvature, support, rhs
        code, curvature, support, rhs = (take_rows(part, rows) for part in terms)
        return set_rows(x, self.solve_systems(code, curvature, support, rhs, atoms, tol), rows)

    def _images(self, code, atoms):
        return atoms.images(code)

    def _sums(self, probs, atoms):
        return atoms.correlations(probs)

    def vjp(self, X, code, adjoint, atoms, n_jobs, signals=True):
        """Gradients for the dictionary (summed over the batch) and for the signals, and None.

        These are a'(x - r) - w' ((a D)(diag r - r r')) and a D, with a the adjoint. The latter is
        defined along the simplex: any multiple of ones may be added to each of its rows.
        """
        probs = self.reconstruct(code, atoms)
        grad_X = adjoint @ atoms.dictionary
        grad_scores = self._times_jacobian(probs, grad_X)
        return adjoint.T @ (X.values - probs) - code.T @ grad_scores, grad_X, None

    def loss_vjp(self, X, code, weight, atoms):
        """Gradients of a weighted sum of losses at fixed codes, for dictionary and signals.

        The latter, log(x / r), is defined along the simplex: any multiple of ones may be added to
        each of its rows. At x = 0, where it is -infinity, x is taken as the smallest normal float.
        """
        X = X.values
        xp, scores = namespace(X), code @ atoms.dictionary
        probs, log_sum = softmax(xp.asarray(scores, copy=True))
        least = float(xp.finfo(X.dtype).smallest_normal)
        log_ratio = xp.log(xp.maximum(X, xp.full_like(X, least))) - (scores - log_sum[:, None])
        return -(code.T @ (weight[:, None] * (X - probs))), weight[:, None] * log_ratio

    def _hessian_times(self, direction, probs, atoms):
        """Product of the Hessian and a direction, for the probabilities at a code."""
        image = self._images(direction, atoms)
        return self._sums(self._times_jacobian(probs, image), atoms)

    @staticmethod
    def _times_jacobian(probs, y):
        """Multiply rows of y by diag(r) - r r'."""
        xp = namespace(probs)
        return probs * (y - xp.sum(probs * y, axis=1, keepdims=True))


@dataclass(frozen=True)
class _FastSoftmax(Softmax):
    """The softmax whose sums are in the dtype of the dictionary."""

    def _images(self, code, atoms):
        return atoms.scores(code)

    def _sums(self, probs, atoms):
        return atoms.own_correlations(probs)

    def evaluate(self, data, code, atoms):
        """Slope and loss of each code."""
        mean, log_sum = softmax_moments(code, atoms)
        return data.corr - mean, loss_of(data, code, log_sum)


@dataclass(frozen=True)
class _ExactSoftmax(Softmax):
    """The softmax with exact systems in Newton's method.

    Far from typical documents, approximate systems gain as little as a seventh of a digit
    a step.
    """

    def hessian(self, data, code, slope, loss, atoms):
        """Hessian of the loss at codes."""
        return ExactHessian(self, code, atoms, None)

    def solve(self, code, curvature, support, rhs, atoms, entry_weight, tol=None):
        """Solve systems in double precision: single has not been enough for these codes."""
        return exact_solutions(self, (code, curvature, support, rhs), atoms, tol)
