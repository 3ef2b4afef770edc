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
    if not n:
        return x
    each = not isinstance(curvature, float)
    curvature = cupy.ascontiguousarray(curvature) if each else cupy.full(1, curvature, dtype)
    width = p
    if n_teams(n, _size(p), dtype) < n_teams(n, 1, dtype):  # else the device is not waited for
        width = max(1, int(support.sum(axis=1).max()))
    teams = n_teams(n, _size(width), dtype)
    numbers, places = cupy.empty(teams * _size(width), dtype), cupy.empty(teams * width, np.int32)
    tolerance = float(dependence(np.finfo(dtype).eps))
    given = gram, curvature, each, support, rhs, n, p, tolerance, width, numbers, places, x
    launch("support_solve", dtype, teams, WARP, given)
    return x


def _size(width):
    """Numbers of work space for systems of so many atoms."""
    return width * (width + 3)
