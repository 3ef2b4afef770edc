"""Kernel: elastic-net codes of signals whose entries have weights, by coordinate descent."""

from .._array import device_of, namespace
from ._dispatch import kernel
from .coordinate_descent import SUPPORT_SWEEPS, is_gap_above


@kernel
def weighted_coordinate_descent(
    dictionary,
    entry_weight,
    corr,
    sq_norm,
    lam,
    lam2,
    positive,
    tol,
    max_iter,
    init=None,
):
    r"""Elastic-net codes to a relative duality gap of `tol`, by cyclic coordinate descent.

    The algorithm is that of `coordinate_descent`, with reconstructions w D that are updated in
    place of slopes.

    Parameters
    ----------
    dictionary : array (n_components, n_features)
    entry_weight : array (n_samples, n_features)
        Weights v >= 0 of the entries of each signal.
    corr : array (n_samples, n_components)
        Weighted inner products of signals and atoms, (x * v) D'.
    sq_norm : array (n_samples,)
        Weighted squared norms of the signals, sum of v x^2.
    lam : float, or array (n_components,)
    lam2 : float
    positive : bool
    tol : float
        Bound on the duality gap over the objective.
    max_iter : int
        Maximum number of iterations, of one sweep over all atoms and some over the support.
    init : array like corr or None

    Returns
    -------
    code, slope : array (n_samples, n_components)
        The slope is corr - code D diag(v) D'.
    n_iter : int array (n_samples,)

    References
    ----------
    J. Friedman et al., "Pathwise coordinate optimization", 2007.
    """
    xp = namespace(corr)
    n, p = corr.shape
    code = xp.zeros_like(corr)
    if init is not None:
        code = xp.where(init > 0, init, code) if positive else init + code
    n_iter = xp.zeros(n, dtype=xp.int64, device=device_of(corr))
    active = xp.ones(n, dtype=xp.bool, device=device_of(corr))
    diagonal = entry_weight @ (dictionary * dictionary).T
    bounds = lam + xp.zeros_like(dictionary[:, 0])
    for _ in range(max_iter):
        image = code @ dictionary
        for only_support in (False, *[True] * SUPPORT_SWEEPS):
            for j in range(p):
                atom, curvature = dictionary[j, :], diagonal[:, j]
                has_curvature = curvature > 0
                inner = xp.sum(image * entry_weight * atom[None, :], axis=1)
                correlation = corr[:, j] - inner + curvature * code[:, j]
                magnitude = correlation if positive else xp.abs(correlation)
                shrunk = xp.maximum(magnitude - bounds[j], xp.zeros_like(correlation))
                scale = xp.where(has_curvature, curvature + lam2, xp.ones_like(curvature))
                value = xp.sign(correlation) * shrunk / scale
                is_updated = active & (code[:, j] != 0) if only_support else active
                is_updated = is_updated & has_curvature
                change = xp.where(is_updated, value - code[:, j], xp.zeros_like(value))
                code[:, j] = code[:, j] + change
                image = image + change[:, None] * atom[None, :]
        n_iter = n_iter + xp.astype(active, xp.int64)
        slope = corr - (code @ dictionary * entry_weight) @ dictionary.T
        active = is_gap_above(xp, code, slope, corr, sq_norm, lam, lam2, positive, tol)
        if not bool(xp.any(active)):
            break
    return code, slope, n_iter
