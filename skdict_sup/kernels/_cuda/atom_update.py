"""Launch of the pass over the atoms: one block, for each atom needs those before it."""

import cupy

from ._launch import WARP, launch

_MOST = 1024  # threads of a block


def atom_update(dictionary, code_moment, cross_moment, positive):
    """See the kernel's contract."""
    dictionary = cupy.array(dictionary, order="C")
    moments = map(cupy.ascontiguousarray, (code_moment, cross_moment))
    p, m = dictionary.shape
    threads = min(_MOST, -(-m // WARP) * WARP)
    given = dictionary, *moments, p, m, bool(positive)
    launch("atom_update", dictionary.dtype, 1, threads, given)
    return dictionary
