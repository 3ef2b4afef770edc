"""Launch of the codes for the KL prior, with a block of threads for each signal."""

import cupy
import numpy as np

from ._launch import WARP, launch, n_teams

_WARPS = 4  # in a block


def kl_codes(gram, dictionary, corr, sq_norm, lam, mean, positive, tol, init, max_iter):
    """Compiled implementation; the docstring of the reference is the contract."""
    gram, corr, sq_norm, mean = map(cupy.ascontiguousarray, (gram, corr, sq_norm, mean))
    dtype, (n, p) = corr.dtype, corr.shape
    code, slope = cupy.array(init, order="C"), cupy.empty_like(corr)
    n_iter = cupy.zeros(n, np.int32)
    if n:
        size = p * (p + 8)
        blocks = n_teams(n, size, dtype, _WARPS)
        workspace = cupy.empty(blocks * size, dtype)
        arguments = gram, corr, sq_norm, float(lam), mean, mean.shape[0] == 1, bool(positive)
        arguments += float(tol), int(max_iter), n, p, workspace, code, slope, n_iter
        launch("kl_codes", dtype, blocks, _WARPS * WARP, arguments)
    return code, slope, n_iter
