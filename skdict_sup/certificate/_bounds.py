r"""Certificates: bounds on the suboptimality of codes that include their own rounding errors.

The gap is P(w) minus the dual objective at the scaled residual s r, where s is the largest scale
that is dual feasible. It is a sum of Fenchel-Young gaps, which are nonnegative, so that it is not
lost in the rounding error of P. A bound on the remaining rounding error is added: the magnitudes
of the signal and of its parts, ||x|| + sum_j |w_j| ||d_j||, times the number of terms of the sums
(Higham, "Accuracy and stability of numerical algorithms", 2002, chapter 3).
"""

from dataclasses import replace

from .._array import eps, ignore_float_warnings, is_numpy, namespace, rows_times
from .._records import Data, as_observations
from ..kernels import (
    elastic_net_bounds,
    elastic_net_certificate,
    gap_with_rounding,
    kl_certificate,
)
from ..kernels.kl_certificate import worst_slope
from ..priors import (
    elastic_net_weights,
    free_atoms,
    is_elastic_net,
    is_plain_elastic_net,
    kl_weights,
    least_weight,
    weight_of,
)
from ._gaps import gap_with_free_atoms, strong_gap
from ._terms import Certificate, extent_of, longest_of, parts_of, scale_of

_SLACK = 8  # roundings in the terms of a smooth prior's gap


def certificate(problem, data, code, slope, unit=None, counted=True, value=None):
    """Certificate of codes, given the data of their signals and their slopes.

    The gap is relative to P, or to `unit` times the offset if that is larger; `unit` is the
    epsilon of the dtype of the returned codes, by default that of `code`. `counted=False` leaves
    rounding errors out: this is enough for the stopping test of a solver. `value` is the loss of
    the codes, if it is known already.
    """
    with ignore_float_warnings():  # results that are not finite become infinite bounds
        if counted and _is_plain(problem, data):
            return _plain_bound(problem, data, code, slope, unit)
        measures = optimality_measures(problem, data, code, slope, counted, value)
        return _bound(problem, measures, data, code, slope, None, unit, counted)


def certificate_from_residuals(problem, X, code, unit=None, counted=True):
    """Certificate of codes from their residuals, with rounding errors relative to these.

    The rounded residual is the dual point, so that its rounding error counts only once, in the
    objective. This takes two more matrix products than `certificate`. `counted=False` leaves
    rounding errors out.
    """
    with ignore_float_warnings():
        X = as_observations(X)
        data = problem.observe(X)
        if not problem.reconstruction.quadratic:
            return certificate(problem, data, code, problem.slope(data, code), unit, counted)
        xp, prior = namespace(code), problem.prior
        residual = X.values - rows_times(code, problem.dictionary)
        weighted = residual if X.weight is None else residual * X.weight
        slope = rows_times(weighted, problem.dictionary.T)
        squares = xp.vecdot(weighted, residual, axis=-1)
        measures = _measures_from_terms(problem, 0.5 * squares, data, code, slope)
        bounds = _bound(problem, measures, data, code, slope, xp.sqrt(squares), unit, counted)
        if prior.smooth or not counted or problem.atom_norms.rounding == 0.0:
            return bounds
        strong = strong_gap(problem, data, code, slope) / scale_of(measures[3], data, code, unit)
        better = (strong < bounds.duality_gap) & xp.isfinite(bounds.objective)
        gap = xp.where(better, strong, bounds.duality_gap)
        return replace(bounds, duality_gap=gap)


def certificate_after_cast(problem, X, code, wide_code, unit):
    """Certificate of codes after a cast to a dtype of epsilon `unit`, by the dual point before it.

    X, `code` (before the cast), `wide_code` (after it) and the certificate are in float64.
    """
    exact = certificate_from_residuals(problem, X, code)
    direct = certificate_from_residuals(problem, X, wide_code, unit)
    with ignore_float_warnings():
        xp, X = namespace(code), as_observations(X)
        # `extent_of` and `scale_of` need no correlations
        data = Data(None, problem.reconstruction.offset(X), X.weight)
        before, after = exact.objective, direct.objective
        gap = exact.duality_gap * scale_of(before, data, code, None) + (after - before)
        for value, point in ((before, code), (after, wide_code)):
            # squares round relative to their bases, logarithms relative to their arguments
            inner = xp.sqrt(value) if problem.reconstruction.quadratic else 1.0
            size = extent_of(problem, data, point) * inner
            gap = gap + problem.atom_norms.rounding * (2 * size + 2 * value)
        gap = xp.maximum(gap, xp.zeros_like(gap)) / scale_of(after, data, wide_code, unit)
        better = (gap < direct.duality_gap) & xp.isfinite(before) & xp.isfinite(after)
        gap = xp.where(better, gap, direct.duality_gap)
    return replace(direct, duality_gap=gap)


def _is_plain(problem, data):
    """Whether the kernel for plain elastic nets bounds the rounding errors of a problem."""
    prior = problem.prior
    is_plain = is_plain_elastic_net(prior) and problem.reconstruction.quadratic
    if not is_plain or data.weight is not None or problem.atom_norms.rounding == 0.0:
        return False
    return weight_of(prior) > 0.0 and not len(free_atoms(prior))


def _plain_bound(problem, data, code, slope, unit):
    """`certificate` for plain elastic nets and signals without weights of entries."""
    xp, atoms = namespace(code), problem.atom_norms
    arrays = data.corr, data.offset, code, slope
    weights = elastic_net_weights(problem.prior, code)
    more = atoms.norms[0, :], atoms.rounding, unit or eps(code)
    found, in_range = elastic_net_bounds(*arrays, *weights, *more), problem.atoms.in_range
    if is_numpy(code) and in_range:
        return Certificate(*found)
    return Certificate(*(xp.where(in_range, part, xp.full_like(part, xp.inf)) for part in found))


def optimality_measures(problem, data, code, slope, counted=False, value=None):
    """Violation, largest correlation, gap, objective, l1 norm of the code and dual scale.

    Rounding errors are left out, except those of slopes if the prior is smooth and `counted`.
    """
    if is_plain_elastic_net(problem.prior) and problem.reconstruction.quadratic:  # a fused version
        weights = elastic_net_weights(problem.prior, code)
        return elastic_net_certificate(data.corr, data.offset, code, slope, *weights)
    value = problem.loss(data, code, slope) if value is None else value
    return _measures_from_terms(problem, value, data, code, slope, counted)


def _measures_from_terms(problem, value, data, code, slope, counted=True):
    """`optimality_measures` for any prior and transfer, given the value of the loss."""
    xp, prior = namespace(code), problem.prior
    counts = prior.smooth and counted and problem.atom_norms.rounding > 0.0
    error = _slope_error(problem, data, code) if counts else None
    scale, weights = prior.dual_scale(code, slope), kl_weights(prior, code)
    if weights is not None:
        least = prior.zero_threshold(code)
        arrays = data.corr, code, slope, error, least, *weights
        violation, top, gap, penalty, l1, cross = kl_certificate(*arrays)
    else:
        worst, cross = slope, 0.0
        if counts:
            worst = worst_slope(prior.gradient(code), code, slope, error)
            cross = xp.sum(xp.abs(code * slope), axis=-1)
        violation = xp.max(prior.stationarity(code, worst), axis=-1)
        gap, penalty = prior.fenchel_gap(code, worst, scale), prior.value(code)
        top, l1 = xp.max(xp.abs(data.corr), axis=-1), xp.sum(xp.abs(code), axis=-1)
    slack = _SLACK * eps(code) * (penalty + cross) if counts else 0.0
    gap = problem.reconstruction.fenchel_gap(value, scale) + slack + gap
    return violation, top, gap, value + penalty, l1, scale


def _slope_error(problem, data, code):
    """Bound on the rounding errors of slopes: (n_samples,)."""
    atoms, term = problem.atom_norms, problem.reconstruction
    of_signals, of_codes = term.rounding_shares(problem.atoms)
    extent = of_signals * term.extent(data) + of_codes * parts_of(problem, data, code)
    return atoms.rounding * longest_of(problem, data) * extent


def _bound(problem, measures, data, code, slope, residual_norm, unit, counted):
    """Certificate from `optimality_measures`; `residual_norm` is None unless from residuals."""
    xp, prior, atoms = namespace(code), problem.prior, problem.atom_norms
    violation, top, gap, objective, l1, scale = measures
    if is_elastic_net(prior) and len(free_atoms(prior)):
        size = 0.0  # correlations are rounded relative to this
        if counted:
            size = extent_of(problem, data, code) if residual_norm is None else residual_norm
        gap, scale = gap_with_free_atoms(problem, data, code, slope, measures, size)
    gap, error = xp.maximum(gap, xp.zeros_like(gap)), 0.0
    if counted and atoms.rounding > 0.0 and not prior.smooth:
        longest = longest_of(problem, data)
        parts = l1 * longest if atoms.are_similar else parts_of(problem, data, code)
        extent = problem.reconstruction.extent(data) + parts
        inner = extent if residual_norm is None else residual_norm
        error, dual_error = (atoms.rounding * longest * size for size in (extent, inner))
        if not problem.reconstruction.quadratic:
            error = dual_error = _slope_error(problem, data, code)
        shift, offset = 0.0, xp.abs(data.offset) if residual_norm is None else 0.0
        if weight_of(prior, 0.0) > 0.0:  # rounding changes the scale of the dual point
            shift = dual_error / least_weight(prior)
        else:
            dual_error = 0.0
        terms = gap, objective, l1, scale, parts, extent, inner, offset
        gap = gap_with_rounding(*terms, shift, dual_error, atoms.rounding)
        if is_elastic_net(prior):
            is_exact = _is_exact_zero(prior, l1, slope, error)
            gap, error = (xp.where(is_exact, xp.zeros_like(gap), a) for a in (gap, error))
    if is_elastic_net(prior) and weight_of(prior) == 0.0:
        strong = strong_gap(problem, data, code, slope, error)
        # the objective is a valid bound too, but would hide that none is known
        gap = xp.where(strong < xp.inf, xp.minimum(gap, strong), strong)
        is_minimal = (data.offset == 0) & (objective == 0)  # the objective is nonnegative
        gap = xp.where(is_minimal, xp.zeros_like(gap), gap)
    residual = (violation + error) / _smallest_top(problem, data, top, counted)
    gap = gap / scale_of(objective, data, code, unit)
    is_valid = xp.isfinite(objective) & xp.isfinite(top)
    is_valid = is_valid & problem.atoms.in_range & problem.reconstruction.in_range(data)
    infinite = xp.full_like(gap, xp.inf)
    return Certificate(
        xp.where(is_valid & (residual >= 0), residual, infinite),
        xp.where(is_valid & ((gap >= 0) | _has_no_gap(prior, code)), gap, infinite),
        xp.where(is_valid, objective, infinite),
    )


def _is_exact_zero(prior, l1, slope, error):
    """Whether codes are zero with lam above lam_max, which has no rounding error."""
    is_zero = l1 == 0
    if not is_numpy(l1):
        return is_zero & (prior.zero_excess(slope) + error <= 0)
    rows = is_zero.nonzero()[0]  # few, most of the time
    is_zero[rows] = prior.zero_excess(slope[rows]) + error[rows] <= 0
    return is_zero


def _smallest_top(problem, data, top, counted):
    """Lower bound on the largest correlation, the scale of residuals; one if it is zero."""
    xp, atoms = namespace(top), problem.atom_norms
    lower = top
    if counted and atoms.rounding > 0.0:
        error = atoms.rounding * longest_of(problem, data) * problem.reconstruction.extent(data)
        lower = xp.maximum(top - error, xp.zeros_like(top))
    return xp.where(top > 0, lower, xp.ones_like(top))


def _has_no_gap(prior, code):
    """Whether the gap of a prior is NaN even at its minimum, as for nonconvex priors."""
    if not prior.smooth:
        return False
    xp, zero = namespace(code), namespace(code).zeros_like(code[:1, :])
    return xp.isnan(prior.fenchel_gap(zero, zero, xp.ones_like(zero[:, 0])))
