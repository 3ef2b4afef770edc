"""Kernel: certificates of codes for the KL prior: optimality violation and duality gap."""

from .._array import eps, namespace
from ._dispatch import kernel
from .kl_codes import EntropyPrior


@kernel
def kl_certificate(corr, code, slope, error, least, lam, mean, positive):
    r"""Optimality violation, gap and value of the KL prior, for slopes with rounding errors.

    The prior is phi(w), phi'(w) = lam log(w/p) or lam arcsinh(w/2p), and its gap is
    phi(w) + phi*(u) - <w, u> at the slope u that is worst within its error.

    Parameters
    ----------
    corr : array (n_samples, n_components)
        Inner products of signals and atoms.
    code, slope : array (n_samples, n_components)
        Codes w, and minus the gradient of the loss.
    error : array (n_samples,) or None
        Bounds on the rounding errors of slopes, to which those of phi' are added; None for slopes
        that count as exact.
    least : float
        Magnitude up to which entries of codes w >= 0 count as zero.
    lam : float
    mean : array (n_components,) or (1,)
        Prior mean p.
    positive : bool

    Returns
    -------
    violation : array (n_samples,)
        Largest distance of the slope to phi'(w); entries that count as zero may have any smaller
        slope.
    top : array (n_samples,)
        Largest magnitude in corr.
    gap, penalty : array (n_samples,)
        Gap and value of the prior.
    l1, cross : array (n_samples,)
        Sums of the magnitudes of the codes, and of their products with slopes.

    References
    ----------
    D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, equation 4 and appendix B.
    """
    xp, prior = namespace(corr), EntropyPrior(lam, mean, positive, least)
    worst = slope
    if error is not None:
        worst = worst_slope(prior.gradient(code), code, slope, error)
    violation = xp.max(prior.stationarity(code, worst), axis=-1)
    gap, penalty = prior.fenchel_gap(code, worst, None), prior.value(code)
    l1, cross = xp.sum(xp.abs(code), axis=-1), xp.sum(xp.abs(code * slope), axis=-1)
    return violation, xp.max(xp.abs(corr), axis=-1), gap, penalty, l1, cross


def worst_slope(gradient, code, slope, error):
    """Slopes moved away from the gradient of a prior by a bound on their rounding errors.

    Violations and gaps grow with this distance, and gaps grow more on the side of the sign of the
    code: that side is taken where rounding may hide the sign of the deviation.
    """
    xp = namespace(code)
    error = error[:, None] + 4 * eps(code) * (xp.abs(gradient) + xp.abs(slope))
    deviation, ones = slope - gradient, xp.ones_like(slope)
    is_above = xp.where(xp.abs(deviation) >= error, deviation >= 0, code >= 0)
    return gradient + xp.where(is_above, ones, -ones) * (xp.abs(deviation) + error)
