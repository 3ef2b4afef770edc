"""Linear transfer with the squared loss, 1/2 ||x - w D||^2."""

from dataclasses import dataclass

from .._array import dense, is_numpy, namespace, rows_times
from ..kernels import least_square, linear_vjp, support_solve, weighted_support_solve
from ._hessian import ExactHessian


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

    def automatic(self, values):
        """Values for "auto" hyper-parameters: codes are in units of the signals."""
        return values

    def learning_tol(self, prior):
        """None: codes are exact, and cost no more."""

    def prepare(self, atoms, n_jobs=1):
        """Compute the Gram matrix, on some threads, before several threads need it."""
        atoms.prepare_gram(n_jobs)

    def offset(self, X):
        """Squared norms of the signals: (n_samples,); NaN where they underflow to zero."""
        xp, values = namespace(X.values), X.values
        sq_norm = xp.vecdot(X.weighted, values, axis=-1)
        if is_numpy(sq_norm) and sq_norm.all():
            return sq_norm
        underflows = (sq_norm == 0) & xp.any(values != 0, axis=-1)
        return xp.where(underflows, xp.full_like(sq_norm, xp.nan), sq_norm)

    def in_range(self, data):
        """Whether squared norms are finite, and zero or far above the smallest float."""
        xp, sq_norm = namespace(data.offset), data.offset
        least = least_square(xp.finfo(sq_norm.dtype))
        return xp.isfinite(sq_norm) & ((sq_norm == 0) | (sq_norm > least))

    def extent(self, data):
        """Norms of the signals: (n_samples,)."""
        return namespace(data.offset).sqrt(data.offset)

    def reach(self, dictionary):
        """Norms of the atoms: (n_components,)."""
        xp = namespace(dictionary)
        return xp.sqrt(xp.vecdot(dictionary, dictionary, axis=-1))

    def rounding_shares(self, atoms):
        """Shares of `extent` and of the parts of codes in the rounding errors of slopes."""
        return 1.0, 1.0

    def reconstruct(self, code, atoms):
        """Reconstruction w D: (n_samples, n_features)."""
        return code @ atoms.dictionary

    def slope(self, data, code, atoms):
        """Minus the gradient of the loss in the code: (x - w D) diag(v) D' = corr - w G."""
        return data.corr - self.product(code, code, atoms, data.weight)

    def value(self, data, code, slope, atoms):
        """Loss of each code, computed from squared norms and correlations: (n_samples,)."""
        xp = namespace(code)
        squares = data.offset - xp.sum(code * (data.corr + slope), axis=-1)
        return 0.5 * xp.maximum(squares, xp.zeros_like(squares))

    def evaluate(self, data, code, atoms):
        """Slope and loss of each code."""
        slope = self.slope(data, code, atoms)
        return slope, self.value(data, code, slope, atoms)

    def hessian(self, data, code, slope, loss, atoms):
        """Hessian of the loss at codes."""
        return ExactHessian(self, code, atoms, data.weight)

    def coarse(self, atoms):
        """None: there is no cheaper approximation."""

    def single(self, atoms):
        """None: compiled kernels choose their precision."""

    def exact(self, atoms):
        """The term itself."""
        return self

    def fenchel_gap(self, value, scale):
        """Fenchel-Young gap of the loss at s times the residual: (1 - s)^2 times the loss."""
        return (1.0 - scale) ** 2 * value

    def curvatures(self, atoms, entry_weight):
        """Lower bounds on the curvature in the code: in all directions, and in the row space."""
        return atoms.curvatures if entry_weight is None else (0.0, 0.0)

    def product(self, direction, code, atoms, entry_weight):
        """Hessian in the code times a direction: direction G, with G = D diag(v) D'."""
        if entry_weight is None:
            return rows_times(direction, atoms.gram)
        D = atoms.dictionary
        return rows_times(rows_times(dense(direction), D) * entry_weight, D.T)

    def diagonal(self, code, atoms, entry_weight):
        """Diagonal of G: (1, n_components), or one row for each signal with weights."""
        if entry_weight is None:
            return namespace(code).linalg.diagonal(atoms.gram)[None, :]
        return rows_times(entry_weight, (atoms.dictionary * atoms.dictionary).T)

    def solve(self, code, curvature, support, rhs, atoms, entry_weight, tol=None):
        """Solve (G + diag(curvature)) x = rhs on the support, with x = 0 off it."""
        if entry_weight is None:
            return support_solve(atoms.gram, curvature, support, rhs, tol, atoms.dictionary)
        arrays = atoms.dictionary, entry_weight
        return weighted_support_solve(*arrays, curvature, support, rhs, tol)

    def vjp(self, X, code, adjoint, atoms, n_jobs, signals=True):
        """Gradients for the dictionary (summed over the batch), signals, and weights of entries.

        That for the signals may be None without `signals`.

        With weights v, the adjoint a and the residual r, these are -w' (a D v) + a' (v r), a D v
        and (a D) r, or zero where the weight is, since the entry of the signal is unknown.
        """
        D, v = atoms.dictionary, X.weight
        if v is None:
            return *linear_vjp(X.values, D, code, adjoint, n_jobs, signals), None
        image, residual = adjoint @ D, X.values - code @ D
        grad_weight = namespace(v).where(v > 0, image * residual, namespace(v).zeros_like(v))
        return adjoint.T @ (v * residual) - code.T @ (v * image), v * image, grad_weight

    def loss_vjp(self, X, code, weight, atoms):
        """Gradients of a weighted sum of losses at fixed codes, for dictionary and signals."""
        residual = weight[:, None] * (X.values - code @ atoms.dictionary)
        residual = residual if X.weight is None else X.weight * residual
        return -(code.T @ residual), residual
