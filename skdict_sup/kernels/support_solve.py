"""Kernel: one symmetric system per signal, restricted to its support."""

from .._array import device_of, eps, namespace
from .._threads import slices
from ._dispatch import kernel
from ._rank import min_relative_pivot

MAX_GATHERED_ENTRIES = 2**21  # entries of all systems that are gathered at once


@kernel
def support_solve(gram, curvature, support, rhs, tol=None, dictionary=None):
    r"""Solve (G_SS + diag(c_S)) x_S = rhs_S for every row, with x = 0 off its support S.

    An atom that depends linearly on the atoms before it in the support of its row gets x = 0, and
    the others solve the system without it: an atom whose Cholesky pivot is below
    `_rank.min_relative_pivot` of its diagonal entry. (With an array of curvatures, which are above
    zero, no atom depends on others.)

    Parameters
    ----------
    gram : array (n_components, n_components)
    curvature : float, or array (n_samples, n_components)
        c, the same for all entries or one for each.
    support : boolean array (n_samples, n_components)
    rhs : array (n_samples, n_components)
    tol : float or None
        Sufficient norm of the residual relative to that of rhs, both scaled by 1 / sqrt(c); None
        for rounding error. Only systems with an array of curvatures use it.
    dictionary : array (n_components, n_features) or None
        The atoms, whose products take the place of those with the Gram matrix where that is
        quicker; again for an array of curvatures.

    Returns
    -------
    x : array (n_samples, n_components)
    """
    xp = namespace(gram)
    n = rhs.shape[0]
    order, width = support_first(support)
    if width == 0:
        return xp.zeros_like(rhs)
    rows = max(1, MAX_GATHERED_ENTRIES // width**2)
    parts = []
    for part in slices(n, rows):
        systems = support[part, :], rhs[part, :], order[part, :], width
        if isinstance(curvature, float):
            parts.append(_solve_uniform(gram, curvature, *systems))
        else:
            parts.append(_solve_curved(gram, curvature[part, :], *systems))
    return xp.concat(parts, axis=0)


def support_first(support):
    """Order of the atoms with those of the support first, and the size of the largest support."""
    xp = namespace(support)
    members = xp.astype(support, xp.int64)
    # a stable sort keeps the order of the atoms
    order = xp.argsort(1 - members, axis=1, stable=True)
    return order, int(xp.max(xp.sum(members, axis=1))) if support.shape[0] else 0


def gather(xp, values, columns):
    """Array of values[i, columns[i, j]], by one flat `take`."""
    n, p = values.shape
    start = xp.arange(n, device=device_of(values))[:, None] * p
    return xp.reshape(
        xp.take(xp.reshape(values, (-1,)), xp.reshape(start + columns, (-1,))), columns.shape
    )


def _solve_uniform(gram, lam2, support, rhs, order, width):
    """Solutions for the same curvature lam2 of all entries."""
    xp = namespace(gram)
    H, mask = _gathered_systems(xp, gram, support, rhs, order, width)
    x = cholesky_solve(H, lam2, mask, gather(xp, rhs, order[:, :width]) * mask)
    return scatter(xp, x, order)


def _solve_curved(gram, curvature, support, rhs, order, width):
    """Solutions for a curvature of each entry, by systems scaled to I + S G S.

    With S = diag(c)^(-1/2) their eigenvalues are at least one.
    """
    xp = namespace(gram)
    H, mask = _gathered_systems(xp, gram, support, rhs, order, width)
    columns = order[:, :width]
    b = gather(xp, rhs, columns) * mask
    return scatter(xp, solve_scaled(H, gather(xp, curvature, columns), mask, b), order)


def solve_scaled(H, curvature, mask, rhs):
    """Solutions of (H + diag(c)) x = rhs, by systems scaled to unit curvature."""
    xp = namespace(H)
    scale = mask / xp.sqrt(curvature)
    H = H * scale[:, :, None] * scale[:, None, :]
    # the rounding error of H is added to the identity: where H is so large that adding one does
    # not change it, H + I would be singular
    ones = 1.0 + eps(H) * xp.sum(xp.linalg.diagonal(H), axis=-1)
    identity = xp.eye(H.shape[1], dtype=H.dtype, device=device_of(H))
    H = H + ones[:, None, None] * identity[None, :, :]
    return xp.linalg.solve(H, (rhs * scale)[:, :, None])[:, :, 0] * scale


def _gathered_systems(xp, gram, support, rhs, order, width):
    """Gram matrices of the supports, padded by zeros, and a mask that is 0 on the padding."""
    p = gram.shape[0]
    columns = order[:, :width]
    mask = gather(xp, xp.astype(support, rhs.dtype), columns)
    pairs = xp.reshape(columns[:, :, None] * p + columns[:, None, :], (-1,))
    H = xp.reshape(xp.take(xp.reshape(gram, (-1,)), pairs), (columns.shape[0], width, width))
    return H * mask[:, :, None] * mask[:, None, :], mask


def scatter(xp, x, order):
    """Scatter the values of gathered entries to their atoms, with zeros elsewhere."""
    inverse = xp.argsort(order, axis=1, stable=True)
    n_zeros = order.shape[1] - x.shape[1]
    zeros = xp.zeros((x.shape[0], n_zeros), dtype=x.dtype, device=device_of(x))
    return gather(xp, xp.concat([x, zeros], axis=1), inverse)


def cholesky_solve(H, lam2, mask, rhs):
    """Solutions by a batched Cholesky factorisation; entries of dependent columns are zero."""
    xp = namespace(H)
    width = H.shape[1]
    below = xp.arange(width, device=device_of(H))
    tolerance = min_relative_pivot(eps(H))
    diagonal = [H[:, j, j] + lam2 for j in range(width)]
    columns, roots, y = [], [], []
    remaining = rhs
    for j in range(width):
        pivot = H[:, j, j] + lam2
        is_independent = (pivot > tolerance * diagonal[j]) & (mask[:, j] > 0)
        root = xp.sqrt(xp.where(is_independent, pivot, xp.ones_like(pivot)))
        is_remaining = is_independent[:, None] & (below > j)[None, :]
        column = xp.where(is_remaining, H[:, :, j] / root[:, None], xp.zeros_like(rhs))
        H = H - column[:, :, None] * column[:, None, :]
        y.append(xp.where(is_independent, remaining[:, j] / root, xp.zeros_like(root)))
        remaining = remaining - column * y[j][:, None]
        columns.append(column)
        roots.append(root)
    x = xp.zeros_like(rhs)
    for j in range(width - 1, -1, -1):
        value = (y[j] - xp.sum(columns[j] * x, axis=1)) / roots[j]
        # a dependent column has y = 0 and an empty column, so that its value is 0
        x = xp.where((below == j)[None, :], value[:, None], x)
    return x
