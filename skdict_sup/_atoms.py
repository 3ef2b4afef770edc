"""A dictionary together with what follows from it alone, each computed once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ._array import astype_like, eps, in_float64, namespace, rows_times, set_rows, to_numpy

_FURTHER = 8  # roundings of a code's certificate beside those of its sums


@dataclass(frozen=True, eq=False)
class Atoms:
    """The atoms, which are the rows of a dictionary (n_components, n_features)."""

    dictionary: Any

    @cached_property
    def wide(self):
        """The atoms in float64, or themselves where they are, or on devices that have none."""
        factor = in_float64(self.dictionary)
        return self if factor is self.dictionary else Atoms(factor)

    @cached_property
    def gram(self):
        """Inner products of the atoms: (n_components, n_components)."""
        if self.wide is not self:
            return astype_like(self.wide.gram, self.dictionary)
        return self.dictionary @ self.dictionary.T

    def correlations(self, X):
        """Inner products of signals and atoms, summed in float64: (n_samples, n_components)."""
        return astype_like(rows_times(in_float64(X), self.wide.dictionary.T), X)

    def resolved(self, X, corr):
        """Correlations, of which none of a signal is zero for rounding alone, where floats allow.

        Those of signals orthogonal to all atoms are computed again in the longest floats: what is
        relative to the largest of them has no meaning if that is lost. NumPy arrays alone.
        """
        rows = (corr[:, 0] == 0).nonzero()[0]
        rows = rows[~corr[rows].any(axis=1)]
        sizes = rows_times(np.abs(X[rows]), np.abs(self.dictionary).T)
        rows = rows[sizes.any(axis=1)]
        if not len(rows):
            return corr
        longest = X[rows].astype(np.longdouble) @ self.dictionary.astype(np.longdouble).T
        return set_rows(corr, longest.astype(corr.dtype), rows)

    @cached_property
    def rounding(self):
        """Bound on the relative rounding of sums over features and atoms.

        Zero on devices that have no float64: short floats alone leave no room for it.
        """
        unit = 0.5 * eps(self.dictionary)
        return unit * (sum(self.dictionary.shape) + _FURTHER) if unit < 1e-10 else 0.0

    @cached_property
    def in_range(self):
        """Whether products with the largest atom are far from the ends of the range of floats.

        An array. What vanishes with smaller atoms is nothing beside these products.
        """
        xp = namespace(self.dictionary)
        info = xp.finfo(self.dictionary.dtype)
        least = float(info.smallest_normal) ** 0.5 / float(info.eps)
        size = xp.max(xp.abs(self.dictionary))
        return (size == 0) | ((size > least) & (size < 1 / least))

    @cached_property
    def curvatures(self):
        """Proven lower bounds on the curvature of least squares: everywhere, and within its range.

        Zero where rounding may hide a smaller one: an eigenvalue counts as zero, and not as small,
        only where the number of distinct atoms or of features says that it is.
        """
        if not bool(namespace(self.gram).all(namespace(self.gram).isfinite(self.gram))):
            return 0.0, 0.0
        values = to_numpy(namespace(self.gram).linalg.eigvalsh(self.gram))
        floor = eps(self.gram) * sum(self.dictionary.shape) * float(values[-1])
        seen = values[values > 2 * floor] - floor
        rank = min(_n_distinct(to_numpy(self.dictionary)), self.dictionary.shape[1])
        least = float(seen.min(initial=values[-1])) if len(seen) >= rank > 0 else 0.0
        return (least if len(seen) == values.shape[0] else 0.0), least

    @cached_property
    def nonnegative_radius(self):
        """Largest nonnegative least-squares codes of a unit signal; None where none is known.

        Atoms at acute angles do not cancel: ||w D|| is at least w_j ||d_j|| for every j, and at
        most ||x|| at the solution.
        """
        xp = namespace(self.gram)
        norms = xp.linalg.diagonal(self.gram)
        if bool(xp.any(self.gram < 0)) or not bool(xp.all(norms > 0)):
            return None
        return (1 + 4 * eps(norms)) / xp.sqrt(norms)[None, :]


def _n_distinct(atoms):
    """Number of nonzero atoms of which none is a copy, up to the sign, of another."""
    atoms = atoms[(atoms != 0).any(axis=1)]
    if not len(atoms):
        return 0
    first = np.take_along_axis(atoms, (atoms != 0).argmax(axis=1)[:, None], axis=1)
    return len(np.unique(atoms * np.sign(first) + 0.0, axis=0))
