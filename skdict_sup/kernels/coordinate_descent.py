"""Kernel: elastic-net codes by cyclic coordinate descent on the Gram matrix."""

from .._array import device_of, namespace
from ._dispatch import kernel
from .elastic_net_certificate import elastic_net_certificate

SUPPORT_SWEEPS = 4  # sweeps over the support after a sweep over all atoms


@kernel
def coordinate_descent(gram, corr, sq_norm, lam, lam2, positive, tol, max_iter, init=None):
    r"""Elastic-net codes to a relative duality gap of `tol`, by cyclic coordinate descent.

    Each atom minimises the objective in its own entry, soft-thresholding
    slope_j + G_jj w_j at lam_j. An atom of norm zero keeps the entry 0.

    Parameters
    ----------
    gram : array (n_components, n_components)
    corr : array (n_samples, n_components)
    sq_norm : array (n_samples,)
        Squared norms of the signals.
    lam : float, or array (n_components,)
    lam2 : float
    positive : bool
    tol : float
        Bound on the duality gap over the objective.
    max_iter : int
        Maximum number of iterations: a sweep over all atoms, then `SUPPORT_SWEEPS` sweeps over the
        support, which make most of the progress.
    init : array like corr or None

    Returns
    -------
    code, slope : array (n_samples, n_components)
    n_iter : int array (n_samples,)
        Iterations for each signal.

    References
    ----------
    J. Friedman et al., "Pathwise coordinate optimization", 2007.
    """
    xp = namespace(corr)
    n, p = corr.shape
    code = xp.zeros_like(corr)
    if init is not None:
        code = xp.where(init > 0, init, code) if positive else init + code
    slope = corr - code @ gram
    n_iter = xp.zeros(n, dtype=xp.int64, device=device_of(corr))
    active = xp.ones(n, dtype=xp.bool, device=device_of(corr))
    diagonal, bounds = [float(gram[j, j]) for j in range(p)], lam + xp.zeros_like(gram[0, :])
    for _ in range(max_iter):
        for only_support in (False, *[True] * SUPPORT_SWEEPS):
            for j in (j for j in range(p) if diagonal[j]):
                correlation = slope[:, j] + diagonal[j] * code[:, j]
                magnitude = correlation if positive else xp.abs(correlation)
                shrunk = xp.maximum(magnitude - bounds[j], xp.zeros_like(correlation))
                value = xp.sign(correlation) * shrunk / (diagonal[j] + lam2)
                is_updated = active & (code[:, j] != 0) if only_support else active
                change = xp.where(is_updated, value - code[:, j], xp.zeros_like(value))
                code[:, j] = code[:, j] + change
                slope = slope - change[:, None] * gram[j, :][None, :]
        n_iter = n_iter + xp.astype(active, xp.int64)
        slope = corr - code @ gram
        active = is_gap_above(xp, code, slope, corr, sq_norm, lam, lam2, positive, tol)
        if not bool(xp.any(active)):
            break
    return code, slope, n_iter


def is_gap_above(xp, code, slope, corr, sq_norm, lam, lam2, positive, tol):
    """Whether the duality gap is above tol times the objective.

    This is the stop test of `solvers._iterate`, for elastic nets.
    """
    certify = elastic_net_certificate.reference
    violation, _, gap, objective, *_ = certify(corr, sq_norm, code, slope, lam, lam2, positive)
    if not bool(xp.all(lam + xp.zeros_like(corr[0, :]) > 0)):
        # the dual ball is flat, and the optimality condition decides
        gap = violation * xp.sum(xp.abs(code), axis=1)
    return gap > tol * objective
