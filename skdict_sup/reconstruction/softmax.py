"""Softmax transfer with the loss KL(x || softmax(w D)), for signals that are distributions."""

from dataclasses import dataclass

import numpy as np

from .._array import astype_like, dense, eps, namespace, rows_times
from .._linalg import conjugate_gradients

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
                "sum."
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

    def prepare(self, atoms, n_jobs=1):
        """Do nothing: there are no cached quantities."""

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

    def reconstruct(self, code, atoms):
        """Reconstruction softmax(w D): (n_samples, n_features)."""
        return self._softmax(code, atoms)[0]

    def _softmax(self, code, atoms):
        """Softmax of w D, and the logarithm of its denominator."""
        code = dense(code)
        return _softmax(rows_times(code, atoms.dictionary))

    def slope(self, data, code, atoms):
        """Minus the gradient of the loss in the code: (x - r) D'."""
        return data.corr - rows_times(self.reconstruct(code, atoms), atoms.dictionary.T)

    def value(self, data, code, slope, atoms):
        """Loss of each code: (n_samples,)."""
        xp = namespace(code)
        _, log_sum = self._softmax(code, atoms)
        loss = data.offset - xp.sum(code * data.corr, axis=-1) + log_sum
        return xp.maximum(loss, xp.zeros_like(loss))

    def fenchel_gap(self, value, scale):
        """Bound on KL((1 - s) x + s r || r), by convexity: (1 - s) times the loss."""
        return (1.0 - scale) * value

    def curvatures(self, atoms, entry_weight):
        """Zeros: the curvature vanishes where probabilities do."""
        return 0.0, 0.0

    def product(self, direction, code, atoms, entry_weight):
        """Hessian in the code times a direction: direction D (diag(r) - r r') D'."""
        probs = self.reconstruct(code, atoms)
        return rows_times(
            self._times_jacobian(probs, rows_times(direction, atoms.dictionary)),
            atoms.dictionary.T,
        )

    def diagonal(self, code, atoms, entry_weight):
        """Diagonal of the Hessian, D (diag r - r r') D': like code."""
        probs = self.reconstruct(code, atoms)
        mean = rows_times(probs, atoms.dictionary.T)
        return rows_times(probs, (atoms.dictionary * atoms.dictionary).T) - mean * mean

    def solve(self, code, curvature, support, rhs, atoms, entry_weight, tol=None):
        """Solve (D (diag r - r r') D' + diag(curvature)) x = rhs on the support, zero off it."""
        xp = namespace(code)
        probs = self.reconstruct(code, atoms)
        D, zero = atoms.dictionary, xp.zeros_like(rhs)
        diagonal = xp.where(support, self.diagonal(code, atoms, None) + curvature, zero + 1.0)

        def product(x):
            hessian_x = rows_times(self._times_jacobian(probs, rows_times(x, D)), D.T)
            return xp.where(support, hessian_x + curvature * x, zero)

        tol = 64 * eps(code) if tol is None else tol
        return conjugate_gradients(product, xp.where(support, rhs, zero), diagonal, tol)

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
        probs, log_sum = _softmax(scores)
        least = float(xp.finfo(X.dtype).smallest_normal)
        log_ratio = xp.log(xp.maximum(X, xp.full_like(X, least))) - (scores - log_sum[:, None])
        return -(code.T @ (weight[:, None] * (X - probs))), weight[:, None] * log_ratio

    @staticmethod
    def _times_jacobian(probs, y):
        """Multiply rows of y by diag(r) - r r'."""
        xp = namespace(probs)
        return probs * (y - xp.sum(probs * y, axis=1, keepdims=True))


def _softmax(scores):
    """Softmax of each row, and the logarithm of its denominator."""
    xp = namespace(scores)
    top = xp.max(scores, axis=1, keepdims=True)
    exp_scores = xp.exp(scores - top)
    total = xp.sum(exp_scores, axis=1, keepdims=True)
    return exp_scores / total, (top + xp.log(total))[:, 0]
