"""Kernel: certificates of elastic-net codes that include rounding errors."""

from .._array import namespace
from ._dispatch import kernel
from .elastic_net_certificate import elastic_net_certificate


@kernel
def elastic_net_bounds(corr, sq_norm, code, slope, lam, lam2, positive, norms, rounding, unit):
    r"""Bounds on the optimality residual and the relative duality gap, and the objective.

    These are the residual and the gap of `elastic_net_certificate`, with bounds on the errors of
    sums: `rounding` times the products of the magnitudes of their terms, of which the largest are
    ||x|| and sum_j |w_j| ||d_j||. A zero code whose correlations are below lam by more than their
    errors is exact.

    Parameters
    ----------
    corr, sq_norm, code, slope, lam, lam2, positive
        As for `elastic_net_certificate`, with lam > 0 for all atoms.
    norms : array (n_components,)
        Upper bounds on the norms of the atoms.
    rounding : float
        Bound on the relative rounding error of sums over features and atoms.
    unit : float
        The gap is relative to the objective, or to `unit` times ||x||^2 if that is larger.

    Returns
    -------
    kkt_residual : array (n_samples,)
        Relative to the largest correlation.
    duality_gap : array (n_samples,)
    objective : array (n_samples,)
        All three are infinite where a squared norm is out of range.

    References
    ----------
    N. Higham, "Accuracy and stability of numerical algorithms", 2002, chapter 3.
    """
    xp = namespace(corr)
    measures = elastic_net_certificate(corr, sq_norm, code, slope, lam, lam2, positive)
    violation, top, gap, objective, l1, scale = measures
    weights = lam + xp.zeros_like(slope[:1, :])
    longest, length = xp.max(norms), xp.sqrt(sq_norm)
    parts = xp.sum(xp.abs(code) * norms, axis=1)
    extent, zero = length + parts, xp.zeros_like(gap)
    error = rounding * longest * extent
    terms = xp.maximum(gap, zero), objective, l1, scale, parts, extent, extent, sq_norm
    gap = gap_with_rounding(*terms, error / xp.min(weights), error, rounding)
    excess = xp.max((slope if positive else xp.abs(slope)) - weights, axis=1)
    is_exact = (l1 == 0) & (excess + error <= 0)
    gap, error = xp.where(is_exact, zero, gap), xp.where(is_exact, zero, error)
    lower = xp.maximum(top - rounding * longest * length, zero)
    residual = (violation + error) / xp.where(top > 0, lower, xp.ones_like(top))
    bound = xp.maximum(objective, unit * sq_norm)
    gap = gap / xp.where(bound > 0, bound, xp.ones_like(bound))
    least = least_square(xp.finfo(sq_norm.dtype))
    is_valid = xp.isfinite(objective) & xp.isfinite(top) & xp.isfinite(sq_norm)
    is_valid = is_valid & ((sq_norm == 0) | (sq_norm > least))
    infinite = xp.full_like(gap, xp.inf)
    has_gap = is_valid & (gap >= 0)
    return (
        xp.where(has_gap & (residual >= 0), residual, infinite),
        xp.where(has_gap, gap, infinite),
        xp.where(is_valid, objective, infinite),
    )


def least_square(info):
    """Smallest squared norm whose terms have not lost digits, given the limits of a dtype."""
    return float(info.smallest_normal) / float(info.eps) ** 2


def gap_with_rounding(
    gap, objective, l1, scale, parts, extent, inner, offset, shift, dual_error, rounding
):
    """Duality gap with bounds on the errors of its terms.

    `shift` bounds the change of the scale of the dual point by rounding, or is zero, `parts` is
    sum_j |w_j| ||d_j||, and `extent` and `inner` bound the magnitudes of the residual before and
    after its terms are added.
    """
    xp = namespace(gap)
    root = xp.sqrt(gap) + shift * xp.sqrt(objective)
    gap = root * root + dual_error * l1
    lost = (1.0 - scale) * (extent * inner + offset)
    lost = lost + 3 * parts * inner + rounding * parts * extent
    return gap + rounding * lost
