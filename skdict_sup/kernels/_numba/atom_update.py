"""One pass of block coordinate descent over the atoms."""

import numpy as np
from numba import njit

from ._cholesky import options


def atom_update(dictionary, code_moment, cross_moment, positive):
    """See the kernel's contract."""
    out = np.array(dictionary, order="C")
    _update(out, np.ascontiguousarray(code_moment), np.ascontiguousarray(cross_moment), positive)
    return out


@njit(**options)
def _update(dictionary, code_moment, cross_moment, positive):
    p, m = dictionary.shape
    atom = np.empty(m, dictionary.dtype)
    for j in range(p):
        weight = code_moment[j, j]
        if weight <= 0:
            continue
        for c in range(m):
            atom[c] = cross_moment[j, c]
        for i in range(p):
            value = code_moment[j, i]
            if value != 0:
                row = dictionary[i]
                for c in range(m):
                    atom[c] -= value * row[c]
        norm = weight * 0
        for c in range(m):
            entry = dictionary[j, c] + atom[c] / weight
            if positive and entry < 0:
                entry = weight * 0
            atom[c] = entry
            norm += entry * entry
        norm = max(norm**0.5, weight / weight)
        for c in range(m):
            dictionary[j, c] = atom[c] / norm
