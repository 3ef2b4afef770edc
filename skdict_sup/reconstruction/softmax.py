"""The softmax transfer with its matching loss, KL(x || softmax(w D)), for distributions."""

from dataclasses import dataclass

import numpy as np

from .._array import astype_like, dense, eps, namespace, rows_times
from .._linalg import conjugate_gradients

_SLACK = 1e-4  # sums of distributions may be off by it: rows may be normalised in float32


@dataclass(frozen=True)
class Softmax:
    """Relative entropy of the signal and r = softmax(w D).

    References
    ----------
    D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, appendices C and D.
    """

    name = "softmax"
    roughness = 0.5  # bound on the eigenvalues of diag(r) - r r'
    quadratic = False

    def check(self, X):
        """Raise unless every signal is a distribution, or zero."""
        X.check_finite()
        least = X.least()
        if least < 0:
            raise ValueError(
                "X must be nonnegative for transfer='softmax', whose signals are distributions; "
                f"its least entry is {least:g}."
            )
        sums = X.sums()
        off = np.where(sums == 0, 0.0, np.abs(sums - 1.0))
        if off.max() > _SLACK:
            row = int(off.argmax())
            raise ValueError(
                "X must have rows that sum to 1 for transfer='softmax', whose signals are "
                f"distributions; row {row} sums to {float(sums[row]):g}. Divide each row by its "
                "sum."
            )

    def filled(self, X, replacement=None):
        """Signals with those of zero replaced, and their number.

        In place of such a signal stands what `replacement()` returns, (1, n_features): a signal
        that says nothing of its code. Without it, or where it returns None, that is the uniform
        distribution, the signal of a code of zero.
        """
        empty = X.sums() == 0
        if not empty.any():
            return X, 0
        signal = None if replacement is None else replacement()
        if signal is None:
            m = X.shape[1]
            signal = astype_like(np.full((1, m), 1.0 / m), X.like)
        return X.replaced(empty, signal), int(empty.sum())

    def prepare(self, atoms):
        """Nothing is shared between slices."""

    def offset(self, X):
        """Negative entropies of the signals: (n_samples,)."""
        xp = namespace(X)
        seen = X > 0
        return xp.sum(X * xp.log(xp.where(seen, X, xp.ones_like(X))), axis=-1)

    def in_range(self, data):
        """Whether entropies are finite."""
        return namespace(data.offset).isfinite(data.offset)

    def extent(self, data):
        """Sizes of signals, which sum to one: (n_samples,)."""
        return namespace(data.offset).ones_like(data.offset)

    def reach(self, dictionary):
        """Sizes of atoms: how far they can move a logarithm, both ways, (n_components,)."""
        xp = namespace(dictionary)
        return 2.0 * xp.max(xp.abs(dictionary), axis=1)

    def reconstruct(self, code, atoms):
        """Softmax of w D."""
        return self._image(code, atoms)[0]

    def _image(self, code, atoms):
        """Softmax of w D, and the logarithm of its denominator."""
        code = dense(code)
        return _softmax(rows_times(code, atoms.dictionary))

    def slope(self, data, code, atoms):
        """Minus the gradient in the code: (x - r) D'."""
        return data.corr - rows_times(self.reconstruct(code, atoms), atoms.dictionary.T)

    def value(self, data, code, slope, atoms):
        """Loss of each code: (n_samples,)."""
        xp = namespace(code)
        _, normaliser = self._image(code, atoms)
        loss = data.offset - xp.sum(code * data.corr, axis=-1) + normaliser
        return xp.maximum(loss, xp.zeros_like(loss))

    def fenchel_gap(self, value, scale):
        """Bound on KL((1 - s) x + s r || r), by convexity: (1 - s) times the loss."""
        return (1.0 - scale) * value

    def curvatures(self, atoms):
        """No curvature is proven: probabilities may vanish far away."""
        return 0.0, 0.0

    def product(self, direction, code, atoms):
        """Hessian in the code times a direction."""
        share = self.reconstruct(code, atoms)
        return rows_times(
            self._spread(share, rows_times(direction, atoms.dictionary)), atoms.dictionary.T
        )

    def diagonal(self, code, atoms):
        """Diagonal of the Hessian, D (diag r - r r') D': like code."""
        share = self.reconstruct(code, atoms)
        mean = rows_times(share, atoms.dictionary.T)
        return rows_times(share, (atoms.dictionary * atoms.dictionary).T) - mean * mean

    def solve(self, code, curvature, support, rhs, atoms, tol=None):
        """Solve (D (diag r - r r') D' + diag(curvature)) x = rhs on the support, zero off it."""
        xp = namespace(code)
        share = self.reconstruct(code, atoms)
        D, zero = atoms.dictionary, xp.zeros_like(rhs)
        diagonal = xp.where(support, self.diagonal(code, atoms) + curvature, zero + 1.0)

        def product(x):
            image = self._spread(share, rows_times(x, D))
            return xp.where(support, rows_times(image, D.T) + curvature * x, zero)

        tol = 64 * eps(code) if tol is None else tol
        return conjugate_gradients(product, xp.where(support, rhs, zero), diagonal, tol)

    def vjp(self, X, code, adjoint, atoms, n_jobs):
        """Gradients for the dictionary, summed over the batch, and for the signals.

        beta'(x - r) - w' ((beta D)(diag r - r r')), and beta D. The latter is meant along the
        simplex: a multiple of ones may be added to each of its rows.
        """
        share = self.reconstruct(code, atoms)
        toward_X = adjoint @ atoms.dictionary
        spread = self._spread(share, toward_X)
        return adjoint.T @ (X - share) - code.T @ spread, toward_X

    @staticmethod
    def _spread(share, y):
        """Rows of y times diag(r) - r r'."""
        xp = namespace(share)
        return share * (y - xp.sum(share * y, axis=1, keepdims=True))


def _softmax(inside):
    """Softmax of each row, and the logarithm of its denominator."""
    xp = namespace(inside)
    top = xp.max(inside, axis=1, keepdims=True)
    weight = xp.exp(inside - top)
    total = xp.sum(weight, axis=1, keepdims=True)
    return weight / total, (top + xp.log(total))[:, 0]
