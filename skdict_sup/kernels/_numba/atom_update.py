"""One pass of block coordinate descent over the atoms, in blocks that share a matrix product."""

import numpy as np

from ._compile import OPTIONS, compiled

_BLOCK = 32  # atoms: within a block, each waits for those before it


def atom_update(dictionary, code_moment, cross_moment, positive):
    """See the kernel's contract."""
    out = np.array(dictionary, order="C")
    for first in range(0, len(out), _BLOCK):
        block = slice(first, first + _BLOCK)
        rest = cross_moment[block] - code_moment[block] @ out
        moment = np.ascontiguousarray(code_moment[block, block])
        _update(out[block], moment, np.ascontiguousarray(rest), positive)
    return out


@compiled(**OPTIONS)
def _update(atoms, moment, rest, positive):
    """Move the atoms of a block, with rest = b - a D as it was before any of them moved."""
    p, m = atoms.shape
    zero, one = moment.dtype.type(0), moment.dtype.type(1)
    for j in range(p):
        weight = moment[j, j]
        if weight <= zero:
            continue
        norm = zero
        for c in range(m):
            entry = atoms[j, c] + rest[j, c] / weight
            if positive and entry < zero:
                entry = zero
            rest[j, c] = entry
            norm += entry * entry
        norm = max(norm**0.5, one)
        for c in range(m):
            entry = rest[j, c] / norm
            rest[j, c] = entry - atoms[j, c]
            atoms[j, c] = entry
        for later in range(j + 1, p):
            value = moment[later, j]
            if value != zero:
                for c in range(m):
                    rest[later, c] -= value * rest[j, c]
