"""The linear transfer with its matching loss, 1/2 ||x - w D||^2."""

from dataclasses import dataclass

from .._array import is_numpy, namespace, rows_times
from ..kernels import linear_vjp, support_solve


@dataclass(frozen=True)
class Linear:
    """Squared loss on the reconstruction w D, stated through Gram matrix and correlations."""

    name = "linear"
    roughness = 1.0  # bound on the second derivative in w D
    quadratic = True  # half the squared norm of x - w D

    def check(self, X):
        """Any signal can be reconstructed."""

    def filled(self, X, replacement=None):
        """Signals with those that are none replaced, and their number."""
        return X, 0

    def prepare(self, atoms):
        """Compute what threads would all ask for."""
        _ = atoms.gram

    def offset(self, X):
        """Squared norms of the signals: (n_samples,); NaN where they vanish in these floats."""
        xp = namespace(X)
        energy = xp.vecdot(X, X, axis=-1)
        if is_numpy(energy) and energy.all():
            return energy
        vanishes = (energy == 0) & xp.any(X != 0, axis=-1)
        return xp.where(vanishes, xp.full_like(energy, xp.nan), energy)

    def in_range(self, data):
        """Whether squared norms are finite, and zero or far above the least floats."""
        xp, energy = namespace(data.offset), data.offset
        info = xp.finfo(energy.dtype)
        least = float(info.smallest_normal) / float(info.eps) ** 2
        return xp.isfinite(energy) & ((energy == 0) | (energy > least))

    def extent(self, data):
        """Sizes of signals: their norms, (n_samples,)."""
        return namespace(data.offset).sqrt(data.offset)

    def reach(self, dictionary):
        """Sizes of atoms: their norms, (n_components,)."""
        xp = namespace(dictionary)
        return xp.sqrt(xp.vecdot(dictionary, dictionary, axis=-1))

    def reconstruct(self, code, atoms):
        """W D."""
        return code @ atoms.dictionary

    def slope(self, data, code, atoms):
        """Minus the gradient in the code: (x - w D) D' = corr - w G."""
        return data.corr - rows_times(code, atoms.gram)

    def value(self, data, code, slope, atoms):
        """Loss of each code, from squared norms and correlations: (n_samples,)."""
        xp = namespace(code)
        squares = data.offset - xp.sum(code * (data.corr + slope), axis=-1)
        return 0.5 * xp.maximum(squares, xp.zeros_like(squares))

    def fenchel_gap(self, value, scale):
        """Fenchel-Young gap of the loss at s times the residual: (1 - s)^2 times the loss."""
        return (1.0 - scale) ** 2 * value

    def curvatures(self, atoms):
        """Proven lower bounds on the curvature in the code: everywhere, and within its range."""
        return atoms.curvatures

    def product(self, direction, code, atoms):
        """Hessian in the code times a direction."""
        return rows_times(direction, atoms.gram)

    def diagonal(self, code, atoms):
        """Diagonal of the Hessian in the code, or a bound on it: like code, or one row."""
        return namespace(code).linalg.diagonal(atoms.gram)[None, :]

    def solve(self, code, curvature, support, rhs, atoms, tol=None):
        """Solve (G + diag(curvature)) x = rhs on the support, with x = 0 off it."""
        return support_solve(atoms.gram, curvature, support, rhs, tol)

    def vjp(self, X, code, adjoint, atoms, n_jobs):
        """Gradients for the dictionary, summed over the batch, and for the signals."""
        return linear_vjp(X, atoms.dictionary, code, adjoint, n_jobs)
