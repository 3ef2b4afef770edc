"""Features of a dictionary: the largest one by one, and the mean and covariance of the others.

The softmax of texts has thousands of features, few of which make most of the curvature. Sums over
all features are approximated by those over the largest columns of the dictionary, and by the
first two moments of the other columns.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._array import astype_like, namespace, take_columns, to_numpy

N_LARGEST = 320  # features that count one by one
_MOST_ROTATED = 512  # atoms up to which systems are preconditioned by a spectral decomposition


@dataclass(frozen=True, eq=False)
class Lump:
    """The largest columns of a dictionary (n_components, n_features), and moments of the others.

    Without other columns, their moments are None.
    """

    features: Any  # positions of the largest columns in NumPy, or None for all columns
    atoms: Any  # the largest columns: (n_components, n_largest)
    squares: Any  # their squares
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


def make_lump(dictionary):
    """`Lump` of a dictionary: of all columns, unless most of them can be lumped together."""
    m = dictionary.shape[1]
    if m <= 2 * N_LARGEST:
        return Lump(None, dictionary, dictionary * dictionary)
    xp = namespace(dictionary)
    sq_norms = to_numpy(xp.sum(dictionary * dictionary, axis=0))
    order = np.argsort(-sq_norms, kind="stable")
    largest, others = np.sort(order[:N_LARGEST]), np.sort(order[N_LARGEST:])
    columns = take_columns(dictionary, others)
    mean = xp.mean(columns, axis=1)
    centred = columns - mean[:, None]
    covariance, atoms = centred @ centred.T / len(others), take_columns(dictionary, largest)
    typical = _typical_covariance(columns, sq_norms[others])
    spectrum = None, None
    if dictionary.shape[0] <= _MOST_ROTATED:
        spectrum = xp.linalg.eigh(_typical_covariance(dictionary, sq_norms))
        spectrum = xp.maximum(spectrum[0], xp.zeros_like(spectrum[0]))[None, :], spectrum[1]
    moments = mean[None, :], covariance, typical, *spectrum
    return Lump(largest, atoms, atoms * atoms, len(others), *moments)


def _typical_covariance(columns, sq_norms):
    """Covariance of columns drawn by their squared norms.

    Learned atoms are large where words are frequent.
    """
    xp, total = namespace(columns), sq_norms.sum()
    share = sq_norms / total if total > 0 else np.full(len(sq_norms), 1.0 / len(sq_norms))
    probs = astype_like(share, columns)[None, :]
    centred = columns - xp.sum(columns * probs, axis=1, keepdims=True)
    return (centred * probs) @ centred.T
