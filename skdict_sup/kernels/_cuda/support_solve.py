"""Launch of the systems restricted to supports, with a warp for each signal."""

import cupy
import numpy as np

from .._rank import min_relative_pivot
from ._launch import WARP, launch, n_teams


def support_solve(gram, curvature, support, rhs, tol=None, dictionary=None):
    """Compiled implementation; the docstring of the reference is the contract."""
    gram, support, rhs = map(cupy.ascontiguousarray, (gram, support, rhs))
    dtype, (n, p) = rhs.dtype, rhs.shape
    x = cupy.zeros_like(rhs)
    if not n:
        return x
    each = not isinstance(curvature, float)
    curvature = cupy.ascontiguousarray(curvature) if each else cupy.full(1, curvature, dtype)
    width = p
    # only where space is scarce: reading the support waits for the device
    if n_teams(n, _workspace_size(p), dtype) < n_teams(n, 1, dtype):
        width = max(1, int(support.sum(axis=1).max()))
    teams = n_teams(n, _workspace_size(width), dtype)
    workspace = cupy.empty(teams * _workspace_size(width), dtype)
    indices = cupy.empty(teams * width, np.int32)
    tolerance = float(min_relative_pivot(np.finfo(dtype).eps))
    arguments = gram, curvature, each, support, rhs, n, p, tolerance, width, workspace, indices, x
    launch("support_solve", dtype, teams, WARP, arguments)
    return x


def _workspace_size(width):
    """Length of the work space of a team, for supports of up to `width` atoms."""
    return width * (width + 3)
