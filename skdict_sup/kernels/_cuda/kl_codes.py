"""Launch of the codes for the KL prior: a block for each signal."""

import cupy
import numpy as np

from ._launch import WARP, launch, n_teams

_WARPS = 4  # of a block


def kl_codes(gram, corr, sq_norm, lam, mean, positive, tol, init, max_iter):
    """See the kernel's contract."""
    gram, corr, sq_norm, mean = map(cupy.ascontiguousarray, (gram, corr, sq_norm, mean))
    dtype, (n, p) = corr.dtype, corr.shape
    code, slope = cupy.array(init, order="C"), cupy.empty_like(corr)
    n_iter = cupy.zeros(n, np.int32)
    if n:
        size = p * (p + 8)
        blocks = n_teams(n, size, dtype, _WARPS)
        numbers = cupy.empty(blocks * size, dtype)
        given = gram, corr, sq_norm, float(lam), mean, mean.shape[0] == 1, bool(positive)
        given += float(tol), int(max_iter), n, p, numbers, code, slope, n_iter
        launch("kl_codes", dtype, blocks, _WARPS * WARP, given)
    return code, slope, n_iter
