"""Kernel: certificates of elastic-net codes: optimality violation and duality gap."""

from .._array import namespace
from ._dispatch import kernel


@kernel
def elastic_net_certificate(corr, sq_norm, code, slope, lam, lam2, positive):
    r"""Optimality violation, duality gap and objective of elastic-net codes.

    The objective is 1/2 ||x - w D||^2 + <lam, |w|> + lam2/2 ||w||^2.
    With u = slope - lam2 w and r the residual, the dual point is s r, for the largest s in [0, 1]
    with s u in the dual ball. The gap is summed as Fenchel-Young gaps, each at or above zero, so
    that it is accurate where it is below the rounding error of the objective:
    (1 - s)^2/2 (||r||^2 + lam2 ||w||^2) + <lam, |w|> - s <w, u>.

    Parameters
    ----------
    corr : array (n_samples, n_components)
        Inner products of signals and atoms.
    sq_norm : array (n_samples,)
        Squared norms of the signals.
    code, slope : array (n_samples, n_components)
        Codes w, and corr - w G.
    lam : float, or array (n_components,)
    lam2 : float
    positive : bool

    Returns
    -------
    violation : array (n_samples,)
        Largest distance of slope to the subdifferential of the prior.
    top : array (n_samples,)
        Largest magnitude in corr.
    gap, objective : array (n_samples,)
    l1 : array (n_samples,)
        Sum of the magnitudes of the code.
    scale : array (n_samples,)
        The s of the dual point.

    References
    ----------
    H. Zou, T. Hastie, "Regularization and variable selection via the elastic net", 2005, lemma 1
    (the ridge as rows appended to the signals).
    """
    xp = namespace(corr)
    zero = xp.zeros_like(corr)
    correlation = slope - lam2 * code  # u, correlations of atoms and augmented residual
    magnitude = correlation if positive else xp.abs(correlation)
    off_support = xp.maximum(magnitude - lam, zero)
    on_support = xp.abs(correlation - lam * xp.sign(code))
    violation = xp.max(xp.where(code != 0, on_support, off_support), axis=1)
    squares = 0.5 * (sq_norm - xp.sum(code * (corr + slope), axis=1))
    squares = xp.maximum(squares, xp.zeros_like(squares))
    ridge = 0.5 * lam2 * xp.sum(code * code, axis=1)
    l1, penalty = xp.sum(xp.abs(code), axis=1), xp.sum(lam * xp.abs(code), axis=1)
    is_infeasible, one = magnitude > lam, zero + 1
    scale = xp.where(is_infeasible, lam / xp.where(is_infeasible, magnitude, one), one)
    scale = xp.min(scale, axis=1)
    cross = xp.sum(code * correlation, axis=1)
    gap = (1.0 - scale) ** 2 * (squares + ridge) + penalty - scale * cross
    objective = squares + ridge + penalty
    return violation, xp.max(xp.abs(corr), axis=1), gap, objective, l1, scale
