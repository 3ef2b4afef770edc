"""Launch of the systems on supports: a warp for each signal."""

import cupy
import numpy as np

from .._rank import dependence
from ._launch import WARP, launch, n_teams


def support_solve(gram, curvature, support, rhs, tol=None):
    """See the kernel's contract."""
    gram, support, rhs = map(cupy.ascontiguousarray, (gram, support, rhs))
    dtype, (n, p) = rhs.dtype, rhs.shape
    x = cupy.zeros_like(rhs)
    width = int(support.sum(axis=1).max()) if n else 0
    if width == 0:
        return x
    each = not isinstance(curvature, float)
    curvature = cupy.ascontiguousarray(curvature) if each else cupy.full(1, curvature, dtype)
    size = width * (width + 3)
    teams = n_teams(n, size, dtype)
    numbers, places = cupy.empty(teams * size, dtype), cupy.empty(teams * width, np.int32)
    tolerance = float(dependence(np.finfo(dtype).eps))
    given = gram, curvature, each, support, rhs, n, p, tolerance, width, numbers, places, x
    launch("support_solve", dtype, teams, WARP, given)
    return x
