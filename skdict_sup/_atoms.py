"""A dictionary with quantities that are computed from it once, such as the Gram matrix."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ._array import (
    astype_like,
    eps,
    is_numpy,
    namespace,
    narrow,
    on_host,
    rows_times,
    set_rows,
    to_float64,
    to_numpy,
)
from ._lump import is_lumped, make_lump
from ._row_map import RowMap
from .kernels import atom_panels, panel_products

_MOST_KEPT_BYTES = 2**24  # memory of a dictionary and its Gram matrix that are kept
EXTRA_ROUNDINGS = 8  # roundings in a certificate beside those of its sums


@dataclass(frozen=True, eq=False)
class Atoms:
    """A dictionary (n_components, n_features), whose rows are the atoms, and its properties."""

    dictionary: Any

    @cached_property
    def wide(self):
        """The atoms in float64; the same object if they are already, or without device support."""
        dictionary = to_float64(self.dictionary)
        return self if dictionary is self.dictionary else Atoms(dictionary)

    @cached_property
    def single(self):
        """The atoms in float32, for approximations; the same object if they are already."""
        dictionary = narrow(self.dictionary, namespace(self.dictionary).float32)
        return self if dictionary is self.dictionary else Atoms(dictionary)

    @cached_property
    def scores(self):
        """Map from codes w to w D, in the dtype of the dictionary."""
        return RowMap(self.dictionary)

    @cached_property
    def gram(self):
        """Inner products of the atoms: (n_components, n_components)."""
        return self._make_gram(1)

    @staticmethod
    def with_gram(dictionary, gram):
        """Atoms whose Gram matrix was computed elsewhere, by `own_correlations` of its rows."""
        atoms = Atoms(dictionary)
        atoms.__dict__["gram"] = gram
        return atoms

    def prepare_products(self):
        """Copy the atoms for products with rows, before several threads need the copies."""
        if on_host(self.dictionary):
            _ = self._panels
        self.scores.prepare()

    def prepare_gram(self, n_jobs):
        """Compute `gram` on some threads, which does not change it."""
        if "gram" not in self.__dict__:
            self.__dict__["gram"] = self._make_gram(n_jobs)

    def _make_gram(self, n_jobs):
        if on_host(self.dictionary):
            arrays = self.dictionary, self._panels, self.dictionary.shape[0]
            return panel_products(*arrays, symmetric=True, n_jobs=n_jobs)
        if self.wide is not self:
            return astype_like(self.wide.gram, self.dictionary)
        return self.dictionary @ self.dictionary.T

    @cached_property
    def _panels(self):
        """The dictionary in the order in which products with it are computed."""
        return atom_panels(self.dictionary)

    def correlations(self, X):
        """Inner products of signals and atoms, summed in float64: (n_samples, n_components)."""
        return astype_like(self.wide.own_correlations(to_float64(X)), X)

    def images(self, code):
        """Products w D of codes, summed in float64: (n_samples, n_features)."""
        return astype_like(self.wide.scores(to_float64(code)), code)

    def own_correlations(self, X):
        """Inner products of signals and atoms, summed in the dtype of the dictionary.

        In host memory, each row depends on that row of X alone, bit for bit.
        """
        if on_host(self.dictionary):
            return panel_products(X, self._panels, self.dictionary.shape[0])
        return X @ self.dictionary.T

    def recompute_vanished(self, X, corr):
        """Correlations, recomputed in extended precision for signals where all of them are zero.

        Rounding alone may make them zero, and residuals are relative to the largest correlation.
        For NumPy arrays only.
        """
        rows = (corr[:, 0] == 0).nonzero()[0]
        rows = rows[~corr[rows].any(axis=1)]
        magnitudes = rows_times(np.abs(X[rows]), np.abs(self.dictionary).T)
        rows = rows[magnitudes.any(axis=1)]
        if not len(rows):
            return corr
        extended = X[rows].astype(np.longdouble) @ self.dictionary.astype(np.longdouble).T
        return set_rows(corr, extended.astype(corr.dtype), rows)

    @cached_property
    def rounding(self):
        """Bound on the relative rounding error of sums over features and atoms.

        It is zero on devices without float64, where the bound would exceed the tolerance.
        """
        unit = 0.5 * eps(self.dictionary)
        return unit * (sum(self.dictionary.shape) + EXTRA_ROUNDINGS) if unit < 1e-10 else 0.0

    @cached_property
    def reaches(self):
        """Norms of the atoms for reconstruction terms that have asked for them."""
        return {}

    @property
    def is_lumped(self):
        """Whether the features of `lump` are fewer than those of the dictionary."""
        return is_lumped(self.dictionary)

    @cached_property
    def lump(self):
        """The largest features, and moments of the others, for approximate Hessians."""
        return make_lump(self.dictionary)

    @cached_property
    def is_finite(self):
        """Whether all entries are finite."""
        return bool(namespace(self.dictionary).isfinite(self.dictionary).all())

    @cached_property
    def sq_norm_range(self):
        """Smallest and largest squared norm of an atom, as floats."""
        xp, sq_norms = namespace(self.gram), namespace(self.gram).linalg.diagonal(self.gram)
        return float(xp.min(sq_norms)), float(xp.max(sq_norms))

    @cached_property
    def in_range(self):
        """Whether products with the largest atom neither overflow nor underflow: a 0-d array.

        Products with smaller atoms may underflow, but are negligible beside these.
        """
        xp = namespace(self.dictionary)
        info = xp.finfo(self.dictionary.dtype)
        least = float(info.smallest_normal) ** 0.5 / float(info.eps)
        largest = xp.max(xp.abs(self.dictionary))
        return (largest == 0) | ((largest > least) & (largest < 1 / least))

    @cached_property
    def curvatures(self):
        """Lower bounds on the curvature of least squares: in all directions, and in the row space.

        A bound is zero where rounding may hide a smaller eigenvalue. An eigenvalue near zero
        counts as exactly zero only where the number of distinct atoms or of features implies it.
        """
        if not bool(namespace(self.gram).all(namespace(self.gram).isfinite(self.gram))):
            return 0.0, 0.0
        values = to_numpy(namespace(self.gram).linalg.eigvalsh(self.gram))
        floor = eps(self.gram) * sum(self.dictionary.shape) * float(values[-1])
        nonzero = values[values > 2 * floor] - floor
        rank = min(_n_distinct(to_numpy(self.dictionary)), self.dictionary.shape[1])
        least = float(nonzero.min(initial=values[-1])) if len(nonzero) >= rank > 0 else 0.0
        return (least if len(nonzero) == values.shape[0] else 0.0), least

    def curvature_of(self, atoms, entry_weight):
        """Lower bound on the curvature of least squares in the entries of some atoms.

        It is a 0-d array, or has an entry for each signal with weights.
        """
        D = to_numpy(self.wide.dictionary)[atoms]
        weighted = D if entry_weight is None else D * to_numpy(entry_weight)[:, None, :]
        values = np.linalg.eigvalsh(np.nan_to_num(weighted @ D.T, nan=0.0, posinf=0.0))
        error = 0.5 * eps(self.wide.dictionary) * (sum(self.dictionary.shape) + EXTRA_ROUNDINGS)
        bound = values[..., 0] - 2 * error * len(atoms) * values[..., -1]
        return astype_like(np.maximum(bound, 0.0), self.wide.dictionary)

    @cached_property
    def nonnegative_radius(self):
        """Bound on the nonnegative least-squares code of a unit signal; None if unknown.

        If no inner product of atoms is negative, ||w D|| is at least w_j ||d_j|| for every j, and
        at the solution it is at most ||x||.
        """
        xp = namespace(self.gram)
        norms = xp.linalg.diagonal(self.gram)
        if bool(xp.any(self.gram < 0)) or not bool(xp.all(norms > 0)):
            return None
        return (1 + 4 * eps(norms)) / xp.sqrt(norms)[None, :]


_kept = []


def kept_atoms(dictionary):
    """Atoms of the last call if this dictionary has the same finite entries, or None."""
    if type(dictionary) is np.ndarray and dictionary.ndim == 2:
        for atoms in tuple(_kept):
            if _is_same(atoms.dictionary, dictionary) and atoms.is_finite:
                return atoms
    return None


def atoms_of(dictionary):
    """Atoms of a dictionary: those of the last call, with their Gram matrix, if it is the same.

    Single signals and small batches over one dictionary would otherwise wait for its Gram matrix
    each time. The entries are compared with a copy, since callers may change theirs.
    """
    if not is_numpy(dictionary):
        return Atoms(dictionary)
    for atoms in tuple(_kept):
        if _is_same(atoms.dictionary, dictionary):
            return atoms
    p, m = dictionary.shape
    if p * (p + m) * dictionary.itemsize > _MOST_KEPT_BYTES:
        return Atoms(np.ascontiguousarray(dictionary))  # BLAS rounds products of others otherwise
    atoms = Atoms(np.array(dictionary, order="C"))
    _kept[:] = [atoms]
    return atoms


def _is_same(one, other):
    """Whether two matrices have the same dtype and entries; different ones differ early."""
    return (
        one.dtype == other.dtype
        and one.shape == other.shape
        and bool(one[0, 0] == other[0, 0])
        and np.array_equal(one, other)
    )


def _n_distinct(atoms):
    """Number of nonzero atoms, without repetitions up to the sign."""
    atoms = atoms[(atoms != 0).any(axis=1)]
    if not len(atoms):
        return 0
    first = np.take_along_axis(atoms, (atoms != 0).argmax(axis=1)[:, None], axis=1)
    return len(np.unique(atoms * np.sign(first) + 0.0, axis=0))
