"""Launch of the exact elastic-net codes, with a warp for each signal."""

import cupy
import numpy as np

from .._rank import min_relative_pivot
from .._weights import split_weights
from ._launch import WARP, launch, n_teams

_CAPACITIES = (64, 256)  # most active atoms at first, and for signals with more


def elastic_net_codes(gram, corr, lam, lam2, positive, init=None, max_iter=None):
    """Compiled implementation; the docstring of the reference is the contract."""
    gram, corr = cupy.ascontiguousarray(gram), cupy.ascontiguousarray(corr)
    dtype, (n, p) = corr.dtype, corr.shape
    init = None if init is None else cupy.ascontiguousarray(init)
    code, slope = cupy.zeros_like(corr), cupy.empty_like(corr)
    n_iter = cupy.full(n, -1, dtype=np.int32)  # -1 for signals that are not coded yet
    tolerance = float(min_relative_pivot(np.finfo(dtype).eps))
    max_changes, weights, has_free = int(max_iter or 100 + 10 * p), None, False
    if not isinstance(lam, float | int):
        lam, weights = split_weights(lam)
        has_free = bool((weights == 0).any())
    for capacity in sorted({min(p + 1, c) for c in _CAPACITIES} | {p + 1}):
        size = capacity * (capacity + 7) + 3 * p
        teams = n_teams(n, size, dtype)
        workspace = cupy.empty(teams * size, dtype)
        indices = cupy.empty(teams * capacity, np.int32)
        arguments = gram, corr, init, n, p, float(lam), float(lam2), tolerance
        arguments += bool(positive), max_changes, capacity, weights, has_free
        arguments += workspace, indices, code, slope, n_iter
        launch("elastic_net_codes", dtype, teams, WARP, arguments)
    return code, slope, n_iter
