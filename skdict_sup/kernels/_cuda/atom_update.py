"""Launch of the atom update: one block of threads, as each atom depends on those before it."""

import cupy

from ._launch import WARP, launch

_MAX_BLOCK_THREADS = 1024


def atom_update(dictionary, code_moment, cross_moment, positive):
    """Compiled implementation; the docstring of the reference is the contract."""
    dictionary = cupy.array(dictionary, order="C")
    moments = map(cupy.ascontiguousarray, (code_moment, cross_moment))
    p, m = dictionary.shape
    threads = min(_MAX_BLOCK_THREADS, -(-m // WARP) * WARP)
    arguments = dictionary, *moments, p, m, bool(positive)
    launch("atom_update", dictionary.dtype, 1, threads, arguments)
    return dictionary
