"""A dictionary as panels of as many atoms as a tile of a product is wide."""

import numpy as np

from ._compile import OPTIONS, compiled
from ._processor import BYTES
from ._rows import aligned
from ._tiles import VECTORS, transpose_tile
from ._vectors import lanes


def atom_panels(dictionary):
    """Compiled implementation; the docstring of the reference is the contract."""
    p, m = dictionary.shape
    count = BYTES // dictionary.itemsize
    panels = aligned(-(-p // count) * count * m, dictionary.dtype)
    _copy(np.ascontiguousarray(dictionary), panels)
    return panels


@compiled(**OPTIONS)
def _copy(dictionary, panels):
    """Write panels of VECTORS vectors of atoms, then panels of one; zeros fill the last one."""
    (p, m), L = dictionary.shape, lanes(dictionary)
    zero, j = dictionary.dtype.type(0), 0
    while j < p:
        width = VECTORS * L if j + VECTORS * L <= p else L
        for k in range(0, m, L):
            for c in range(0, width, L):
                start = j * m + k * width + c
                if j + c + L <= p and k + L <= m:
                    transpose_tile(dictionary, j + c, k, panels, start, width)
                    continue
                for h in range(k, min(k + L, m)):
                    for r in range(L):
                        atom = j + c + r
                        value = dictionary[atom, h] if atom < p else zero
                        panels[start + (h - k) * width + r] = value
        j += width
