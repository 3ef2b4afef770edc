"""Features of a dictionary: the largest one by one, and the mean and covariance of the others.

The softmax of texts has thousands of features, few of which make most of the curvature. Sums over
all features are approximated by those over the largest columns of the dictionary, and by the
first two moments of the other columns.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ._array import astype_like, namespace, take_columns, to_numpy
from ._row_map import RowMap

N_LARGEST = 320  # features that count one by one
_MOST_ROTATED = 512  # atoms up to which systems are preconditioned by a spectral decomposition


@dataclass(frozen=True, eq=False)
class Lump:
    """The largest columns of a dictionary (n_components, n_features), and moments of the others.

    Without other columns, their moments are None.
    """

    features: Any  # positions of the largest columns in NumPy, or None for all columns
    atoms: Any  # the largest columns: (n_components, n_largest)
    n_others: int = 0
    mean: Any = None  # mean of the other columns: (1, n_components)
    covariance: Any = None  # (n_components, n_components)
    typical: Any = None  # their covariance, where columns count by their squared norms
    # spectral decomposition of a typical covariance of all columns, to precondition systems; None
    # for more atoms than it pays for
    spectrum: Any = None  # eigenvalues: (1, n_components)
    rotation: Any = None  # eigenvectors as columns

    @property
    def variance(self):
        """Diagonal of `typical`: (1, n_components)."""
        return namespace(self.typical).linalg.diagonal(self.typical)[None, :]

    @cached_property
    def scores(self):
        """Map from codes to scores of the largest features."""
        return RowMap(self.atoms)

    @cached_property
    def sums(self):
        """Map from numbers for the largest features to sums of their columns."""
        return RowMap(self.atoms.T)

    @cached_property
    def square_sums(self):
        """Map from numbers for the largest features to sums of the squares of their columns."""
        return RowMap((self.atoms * self.atoms).T)

    @cached_property
    def spread(self):
        """Map by `covariance`."""
        return RowMap(self.covariance)

    @cached_property
    def typical_spread(self):
        """Map by `typical`."""
        return RowMap(self.typical)

    @cached_property
    def rotate(self):
        """Map to coordinates by the eigenvectors, and back."""
        return RowMap(self.rotation), RowMap(self.rotation.T)

    def prepare(self):
        """Compute all maps before several threads need them; return the lump."""
        maps = [self.scores, self.sums, self.square_sums]
        maps += [self.spread, self.typical_spread] if self.n_others else []
        maps += self.rotate if self.rotation is not None else ()
        for each in maps:
            each.prepare()
        return self


def is_lumped(dictionary):
    """Whether most columns of a dictionary can be lumped together."""
    return dictionary.shape[1] > 2 * N_LARGEST


def make_lump(dictionary):
    """`Lump` of a dictionary: of all columns, unless most of them can be lumped together."""
    if not is_lumped(dictionary):
        return Lump(None, dictionary)
    xp = namespace(dictionary)
    sq_norms = to_numpy(xp.sum(dictionary * dictionary, axis=0))
    order = np.argsort(-sq_norms, kind="stable")
    largest, others = np.sort(order[:N_LARGEST]), np.sort(order[N_LARGEST:])
    columns, atoms = take_columns(dictionary, others), take_columns(dictionary, largest)
    mean = xp.mean(columns, axis=1)
    centred = columns - mean[:, None]
    covariance = centred @ centred.T / len(others)
    parts = _typical(columns, sq_norms[others]), _typical(atoms, sq_norms[largest])
    moments = mean[None, :], covariance, parts[0].covariance, *_spectrum(*parts)
    return Lump(largest, atoms, len(others), *moments)


@dataclass(frozen=True, eq=False)
class _Typical:
    """Moments of columns drawn by their squared norms.

    Learned atoms are large where words are frequent.
    """

    total: float  # sum of the squared norms
    mean: Any  # (n_components, 1)
    covariance: Any


def _typical(columns, sq_norms):
    """`_Typical` moments of columns."""
    xp, total = namespace(columns), float(sq_norms.sum())
    share = sq_norms / total if total > 0 else np.full(len(sq_norms), 1.0 / len(sq_norms))
    probs = astype_like(share, columns)[None, :]
    mean = xp.sum(columns * probs, axis=1, keepdims=True)
    centred = columns - mean
    return _Typical(total, mean, (centred * probs) @ centred.T)


def _spectrum(one, other):
    """Eigenvalues (1, n_components) and eigenvectors of a typical covariance of all columns.

    They are None, twice, for more atoms than they pay for, or without a finite covariance.
    """
    xp, total = namespace(one.mean), one.total + other.total
    if one.mean.shape[0] > _MOST_ROTATED or not 0 < total < np.inf:
        return None, None
    share, difference = one.total / total, one.mean - other.mean
    covariance = share * one.covariance + (1 - share) * other.covariance
    covariance = covariance + share * (1 - share) * difference * difference.T
    if not bool(xp.all(xp.isfinite(covariance))):
        return None, None
    values, vectors = xp.linalg.eigh(covariance)
    return xp.maximum(values, xp.zeros_like(values))[None, :], vectors
