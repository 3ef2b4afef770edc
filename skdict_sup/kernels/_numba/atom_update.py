"""One pass of block coordinate descent over the atoms, with one matrix product a block."""

import numpy as np

from ._compile import OPTIONS, compiled

_BLOCK = 32  # atoms in a block, which are updated one after another


def atom_update(dictionary, code_moment, cross_moment, positive):
    """Compiled implementation; the docstring of the reference is the contract."""
    out = np.array(dictionary, order="C")
    for first in range(0, len(out), _BLOCK):
        block = slice(first, first + _BLOCK)
        residual = cross_moment[block] - code_moment[block] @ out
        moment = np.ascontiguousarray(code_moment[block, block])
        _update_block(out[block], moment, np.ascontiguousarray(residual), positive)
    return out


@compiled(**OPTIONS)
def _update_block(atoms, moment, residual, positive):
    """Update the atoms of a block in place, from residual = b - a D before the update."""
    p, m = atoms.shape
    zero, one = moment.dtype.type(0), moment.dtype.type(1)
    for j in range(p):
        weight = moment[j, j]
        if weight <= zero:
            continue
        norm = zero
        for c in range(m):
            entry = atoms[j, c] + residual[j, c] / weight
            if positive and entry < zero:
                entry = zero
            residual[j, c] = entry
            norm += entry * entry
        norm = max(norm**0.5, one)
        for c in range(m):
            entry = residual[j, c] / norm
            residual[j, c] = entry - atoms[j, c]
            atoms[j, c] = entry
        for later in range(j + 1, p):
            value = moment[later, j]
            if value != zero:
                for c in range(m):
                    residual[later, c] -= value * residual[j, c]
