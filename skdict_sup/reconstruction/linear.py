"""Linear transfer with the squared loss, 1/2 ||x - w D||^2."""

from dataclasses import dataclass

from .._array import is_numpy, namespace, rows_times
from ..kernels import linear_vjp, support_solve


@dataclass(frozen=True)
class Linear:
    """Squared loss of the reconstruction w D, in terms of Gram matrix and correlations."""

    name = "linear"
    smoothness = 1.0  # Lipschitz constant of the gradient of the loss in w D
    quadratic = True

    def check(self, X):
        """Accept all signals."""

    def filled(self, X, replacement=None):
        """Return the signals unchanged: all are valid."""
        return X, 0

    def prepare(self, atoms):
        """Compute the Gram matrix before several threads need it."""
        _ = atoms.gram

    def offset(self, X):
        """Squared norms of the signals: (n_samples,); NaN where they underflow to zero."""
        xp = namespace(X)
        sq_norm = xp.vecdot(X, X, axis=-1)
        if is_numpy(sq_norm) and sq_norm.all():
            return sq_norm
        underflows = (sq_norm == 0) & xp.any(X != 0, axis=-1)
        return xp.where(underflows, xp.full_like(sq_norm, xp.nan), sq_norm)

    def in_range(self, data):
        """Whether squared norms are finite, and zero or far above the smallest float."""
        xp, sq_norm = namespace(data.offset), data.offset
        info = xp.finfo(sq_norm.dtype)
        least = float(info.smallest_normal) / float(info.eps) ** 2
        return xp.isfinite(sq_norm) & ((sq_norm == 0) | (sq_norm > least))

    def extent(self, data):
        """Norms of the signals: (n_samples,)."""
        return namespace(data.offset).sqrt(data.offset)

    def reach(self, dictionary):
        """Norms of the atoms: (n_components,)."""
        xp = namespace(dictionary)
        return xp.sqrt(xp.vecdot(dictionary, dictionary, axis=-1))

    def reconstruct(self, code, atoms):
        """Reconstruction w D: (n_samples, n_features)."""
        return code @ atoms.dictionary

    def slope(self, data, code, atoms):
        """Minus the gradient of the loss in the code: (x - w D) D' = corr - w G."""
        return data.corr - rows_times(code, atoms.gram)

    def value(self, data, code, slope, atoms):
        """Loss of each code, computed from squared norms and correlations: (n_samples,)."""
        xp = namespace(code)
        squares = data.offset - xp.sum(code * (data.corr + slope), axis=-1)
        return 0.5 * xp.maximum(squares, xp.zeros_like(squares))

    def fenchel_gap(self, value, scale):
        """Fenchel-Young gap of the loss at s times the residual: (1 - s)^2 times the loss."""
        return (1.0 - scale) ** 2 * value

    def curvatures(self, atoms):
        """Lower bounds on the curvature in the code: in all directions, and in the row space."""
        return atoms.curvatures

    def product(self, direction, code, atoms):
        """Hessian in the code times a direction: direction G."""
        return rows_times(direction, atoms.gram)

    def diagonal(self, code, atoms):
        """Diagonal of the Gram matrix: (1, n_components)."""
        return namespace(code).linalg.diagonal(atoms.gram)[None, :]

    def solve(self, code, curvature, support, rhs, atoms, tol=None):
        """Solve (G + diag(curvature)) x = rhs on the support, with x = 0 off it."""
        return support_solve(atoms.gram, curvature, support, rhs, tol)

    def vjp(self, X, code, adjoint, atoms, n_jobs):
        """Gradients for the dictionary (summed over the batch) and for the signals."""
        return linear_vjp(X, atoms.dictionary, code, adjoint, n_jobs)

    def loss_vjp(self, X, code, weight, atoms):
        """Gradients of a weighted sum of losses at fixed codes, for dictionary and signals."""
        residual = weight[:, None] * (X - code @ atoms.dictionary)
        return -(code.T @ residual), residual
