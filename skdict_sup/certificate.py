r"""Certificates: bounds on the suboptimality of codes that include their own rounding errors.

The gap is P(w) minus the dual objective at the scaled residual s r, where s is the largest scale
that is dual feasible. It is a sum of Fenchel-Young gaps, which are nonnegative, so that it is not
lost in the rounding error of P. A bound on the remaining rounding error is added: the magnitudes
of the signal and of its parts, ||x|| + sum_j |w_j| ||d_j||, times the number of terms of the sums
(Higham, "Accuracy and stability of numerical algorithms", 2002, chapter 3).
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ._array import eps, ignore_float_warnings, is_numpy, namespace, rows_times
from ._atoms import Atoms
from ._records import Data, Rows, as_observations
from .kernels import elastic_net_certificate, kl_certificate
from .kernels.kl_certificate import worst_slope
from .priors import (
    elastic_net_weights,
    free_atoms,
    is_elastic_net,
    is_plain_elastic_net,
    is_positive,
    kl_weights,
    least_weight,
    uniform_curvature,
    weight_of,
)

_SLACK = 8  # roundings in the terms of a smooth prior's gap


@dataclass(frozen=True, eq=False)
class Certificate(Rows):
    """Optimality residual, duality gap and objective of each code."""

    kkt_residual: Any
    duality_gap: Any
    objective: Any


@dataclass(frozen=True, eq=False)
class AtomNorms:
    """Norms of the atoms in the units of a reconstruction term, computed once."""

    reconstruction: Any
    atoms: Atoms

    @property
    def rounding(self):
        """Bound on the relative rounding error of sums over features and atoms."""
        return self.atoms.rounding

    @cached_property
    def norms(self):
        """Change of the reconstruction by an entry of one in the code: (1, n_components)."""
        dictionary = self.atoms.dictionary
        return self.reconstruction.reach(dictionary)[None, :] * (1 + 4 * eps(dictionary))

    @cached_property
    def largest(self):
        """The largest norm, as a 0-d array."""
        return namespace(self.norms).max(self.norms)

    @cached_property
    def are_similar(self):
        """Whether the largest norm can stand for all, which saves a pass over the codes."""
        return is_numpy(self.norms) and bool(self.norms.max() <= 1.5 * self.norms.min())


def certificate(problem, data, code, slope, unit=None, counted=True):
    """Certificate of codes, given the data of their signals and their slopes.

    The gap is relative to P, or to `unit` times the offset if that is larger; `unit` is the
    epsilon of the dtype of the returned codes, by default that of `code`. `counted=False` leaves
    rounding errors out: this is enough for the stopping test of a solver.
    """
    with ignore_float_warnings():  # results that are not finite become infinite bounds
        measures = optimality_measures(problem, data, code, slope, counted)
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
        strong = _strong_gap(problem, data, code, slope) / _scale(measures[3], data, code, unit)
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
        # `_extent` and `_scale` need no correlations
        data = Data(None, problem.reconstruction.offset(X), X.weight)
        before, after = exact.objective, direct.objective
        gap = exact.duality_gap * _scale(before, data, code, None) + (after - before)
        for value, point in ((before, code), (after, wide_code)):
            # squares round relative to their bases, logarithms relative to their arguments
            inner = xp.sqrt(value) if problem.reconstruction.quadratic else 1.0
            size = _extent(problem, data, point) * inner
            gap = gap + problem.atom_norms.rounding * (2 * size + 2 * value)
        gap = xp.maximum(gap, xp.zeros_like(gap)) / _scale(after, data, wide_code, unit)
        better = (gap < direct.duality_gap) & xp.isfinite(before) & xp.isfinite(after)
        gap = xp.where(better, gap, direct.duality_gap)
    return replace(direct, duality_gap=gap)


def optimality_measures(problem, data, code, slope, counted=False):
    """Violation, largest correlation, gap, objective, l1 norm of the code and dual scale.

    Rounding errors are left out, except those of slopes if the prior is smooth and `counted`.
    """
    if is_plain_elastic_net(problem.prior) and problem.reconstruction.quadratic:  # a fused version
        weights = elastic_net_weights(problem.prior, code)
        return elastic_net_certificate(data.corr, data.offset, code, slope, *weights)
    value = problem.loss(data, code, slope)
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
    atoms = problem.atom_norms
    return atoms.rounding * _longest(problem, data) * _extent(problem, data, code)


def _bound(problem, measures, data, code, slope, residual_norm, unit, counted):
    """Certificate from `optimality_measures`; `residual_norm` is None unless from residuals."""
    xp, prior, atoms = namespace(code), problem.prior, problem.atom_norms
    violation, top, gap, objective, l1, scale = measures
    if is_elastic_net(prior) and len(free_atoms(prior)):
        size = 0.0  # correlations are rounded relative to this
        if counted:
            size = _extent(problem, data, code) if residual_norm is None else residual_norm
        gap, scale = _gap_with_free_atoms(problem, data, code, slope, measures, size)
    gap, error = xp.maximum(gap, xp.zeros_like(gap)), 0.0
    if counted and atoms.rounding > 0.0 and not prior.smooth:
        longest = _longest(problem, data)
        parts = l1 * longest if atoms.are_similar else _parts(problem, data, code)
        extent = problem.reconstruction.extent(data) + parts
        inner = extent if residual_norm is None else residual_norm
        error, dual_error = (atoms.rounding * longest * size for size in (extent, inner))
        if weight_of(prior, 0.0) > 0.0:  # rounding changes the scale of the dual point
            root = xp.sqrt(gap) + dual_error / least_weight(prior) * xp.sqrt(objective)
            gap = root * root + dual_error * l1
        offset = xp.abs(data.offset) if residual_norm is None else 0.0
        lost = (1.0 - scale) * (extent * inner + offset)
        lost = lost + 3 * parts * inner + atoms.rounding * parts * extent
        gap = gap + atoms.rounding * lost
        if is_elastic_net(prior):
            is_exact = _is_exact_zero(prior, l1, slope, error)
            gap, error = (xp.where(is_exact, xp.zeros_like(gap), a) for a in (gap, error))
    if is_elastic_net(prior) and weight_of(prior) == 0.0:
        strong = _strong_gap(problem, data, code, slope, error)
        # the objective is a valid bound too, but would hide that none is known
        gap = xp.where(strong < xp.inf, xp.minimum(gap, strong), strong)
        is_minimal = (data.offset == 0) & (objective == 0)  # the objective is nonnegative
        gap = xp.where(is_minimal, xp.zeros_like(gap), gap)
    residual = (violation + error) / _smallest_top(problem, data, top, counted)
    gap = gap / _scale(objective, data, code, unit)
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
        error = atoms.rounding * _longest(problem, data) * problem.reconstruction.extent(data)
        lower = xp.maximum(top - error, xp.zeros_like(top))
    return xp.where(top > 0, lower, xp.ones_like(top))


def _has_no_gap(prior, code):
    """Whether the gap of a prior is NaN even at its minimum, as for nonconvex priors."""
    if not prior.smooth:
        return False
    xp, zero = namespace(code), namespace(code).zeros_like(code[:1, :])
    return xp.isnan(prior.fenchel_gap(zero, zero, xp.ones_like(zero[:, 0])))


def _extent(problem, data, code):
    """||x|| + sum_j |w_j| ||d_j||, the scale of rounding errors: (n_samples,)."""
    return problem.reconstruction.extent(data) + _parts(problem, data, code)


def _parts(problem, data, code):
    """sum_j |w_j| ||d_j||, with the weights of entries if there are any: (n_samples,)."""
    xp, norms = namespace(code), problem.atom_norms.norms
    return data.gain * xp.sum(xp.abs(code) * norms, axis=-1)


def _longest(problem, data):
    """Largest norm of an atom: a 0-d array, or one entry for each signal with weights."""
    return problem.atom_norms.largest * data.gain


def _scale(objective, data, code, unit):
    """Scale of the relative gaps."""
    xp = namespace(objective)
    bound = xp.maximum(objective, (unit or eps(code)) * data.offset)
    return xp.where(bound > 0, bound, xp.ones_like(bound))


def _gap_with_free_atoms(problem, data, code, slope, measures, size):
    """Gap and dual scale of an elastic net with free atoms, whose correlations u must vanish.

    The residual minus its part in the span of the free atoms, of norm e, is dual feasible for
    them, and changes other correlations by at most e times the norm of an atom. Atoms without
    penalty that have w >= 0 only need u <= 0.
    """
    xp, prior, norms = namespace(code), problem.prior, problem.atom_norms
    _, _, gap, objective, _, old_scale = measures
    atoms = free_atoms(prior)
    if not problem.reconstruction.quadratic:
        return gap, old_scale
    curvature = problem.atoms.curvature_of(atoms, data.weight) + prior.lam2
    is_known = curvature > 0.0
    curvature = xp.where(is_known, curvature, xp.ones_like(curvature))
    zero, one = xp.zeros_like(code), xp.ones_like(code)
    lam = prior.weight(code)[None, :] + zero
    is_free, u = lam == 0, slope - prior.lam2 * code
    excess = xp.where(is_free, xp.maximum(u, zero) if prior.positive else u, zero)
    longest = _longest(problem, data)
    error = norms.rounding * longest * size
    part = xp.sqrt(xp.vecdot(excess, excess, axis=-1)) + len(atoms) ** 0.5 * error
    part = part / curvature**0.5
    change = ((longest + prior.lam2**0.5) * part)[:, None]
    magnitude = (u if prior.positive else xp.abs(u)) + change
    is_infeasible = ~is_free & (magnitude > lam)
    scale = xp.where(is_infeasible, lam / xp.where(is_infeasible, magnitude, one), one)
    feasible_scale = xp.min(scale, axis=-1)
    penalty = xp.sum(lam * xp.abs(code), axis=-1)
    smooth = objective - penalty  # half the squares of the residual, with the ridge
    smooth = xp.maximum(smooth, xp.zeros_like(smooth))
    terms = lam * xp.abs(code) - feasible_scale[:, None] * xp.where(is_free, zero, code * u)
    terms = terms + xp.where(is_free, xp.abs(code * (u - excess)), change * xp.abs(code))
    shrinkage = 1.0 - feasible_scale
    bound = shrinkage**2 * smooth + shrinkage * xp.sqrt(2 * smooth) * part + 0.5 * part**2
    bound = bound + xp.sum(terms, axis=-1)
    # zero is dual feasible: the objective is a bound too, which is best where it vanishes
    is_better = bound < objective
    bound = xp.where(is_better, bound, objective)
    feasible_scale = xp.where(is_better, feasible_scale, xp.zeros_like(objective))
    return xp.where(is_known, bound, gap), xp.where(is_known, feasible_scale, old_scale)


def _strong_gap(problem, data, code, slope, error=None):
    """Bound by strong convexity, ||subgradient||^2 / (2 curvature); infinite without curvature."""
    xp, prior, norms, atoms = namespace(code), problem.prior, problem.atom_norms, problem.atoms
    violation = prior.stationarity(code, slope)
    if error is None:
        error = norms.rounding * _longest(problem, data) * _extent(problem, data, code)
    violation = violation + (error if isinstance(error, float) else error[:, None])
    squares = xp.sum(violation * violation, axis=-1)
    lam = weight_of(prior)
    curvature, within = uniform_curvature(prior, code), 0.0
    if lam == 0.0 or atoms.dictionary.shape[0] <= atoms.dictionary.shape[1]:
        everywhere, within = problem.reconstruction.curvatures(atoms, data.weight)
        curvature = curvature + everywhere
    has_no_l1 = is_plain_elastic_net(prior) and lam == 0.0
    if curvature == 0.0 and has_no_l1 and not is_positive(prior):
        # gradients of least squares are in the row space; those of bounds and priors may not be
        curvature = within
    if curvature > 0.0:
        return 0.5 * squares / curvature
    is_bounded = has_no_l1 and is_positive(prior) and problem.reconstruction.quadratic
    if is_bounded and data.weight is None and atoms.nonnegative_radius is not None:
        extent = problem.reconstruction.extent(data)[:, None]
        distance = xp.abs(code) + extent * atoms.nonnegative_radius
        return xp.sum(violation * distance, axis=-1)
    return xp.full_like(squares, xp.inf)
