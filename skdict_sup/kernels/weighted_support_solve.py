"""Kernel: one system per signal with weights of entries, restricted to its support."""

from .._array import namespace
from .._threads import slices
from ._dispatch import kernel
from .support_solve import (
    MAX_GATHERED_ENTRIES,
    cholesky_solve,
    gather,
    scatter,
    solve_scaled,
    support_first,
)


@kernel
def weighted_support_solve(dictionary, entry_weight, curvature, support, rhs, tol=None):
    r"""Solve (D_S diag(v) D_S' + diag(c_S)) x_S = rhs_S for every row, with x = 0 off support S.

    An atom that depends linearly on the atoms before it in the support of its row gets x = 0, as
    in `support_solve`.

    Parameters
    ----------
    dictionary : array (n_components, n_features)
    entry_weight : array (n_samples, n_features)
        Weights v >= 0 of the entries of each signal.
    curvature : float, or array (n_samples, n_components)
        c, the same for all entries or one for each.
    support : boolean array (n_samples, n_components)
    rhs : array (n_samples, n_components)
    tol : float or None
        Sufficient accuracy for an array of curvatures; solutions may be more accurate.

    Returns
    -------
    x : array (n_samples, n_components)
    """
    xp = namespace(dictionary)
    n, m = entry_weight.shape
    order, width = support_first(support)
    if width == 0:
        return xp.zeros_like(rhs)
    rows = max(1, MAX_GATHERED_ENTRIES // (width * max(width, m)))
    parts = []
    for part in slices(n, rows):
        columns = order[part, :][:, :width]
        mask = gather(xp, xp.astype(support[part, :], rhs.dtype), columns)
        atoms = xp.reshape(
            xp.take(dictionary, xp.reshape(columns, (-1,)), axis=0), (*columns.shape, m)
        )
        atoms = atoms * mask[:, :, None]
        H = (atoms * entry_weight[part, :][:, None, :]) @ xp.permute_dims(atoms, (0, 2, 1))
        b = gather(xp, rhs[part, :], columns) * mask
        if isinstance(curvature, float):
            x = cholesky_solve(H, curvature, mask, b)
        else:
            x = solve_scaled(H, gather(xp, curvature[part, :], columns), mask, b)
        parts.append(scatter(xp, x, order[part, :]))
    return xp.concat(parts, axis=0)
