r"""How far codes are from the optimum, as bounds that count their own rounding.

The gap is P(w) minus the dual objective at the scaled residual s r, with s the largest scale that
is dual feasible. It is summed as Fenchel-Young gaps, each at or above zero, so that it does not
drown in the rounding of P. What rounding remains is bounded from the sizes of the signal and of
its parts, ||x|| + sum_j |w_j| ||d_j||, times the number of terms of the sums (Higham, "Accuracy
and stability of numerical algorithms", 2002, chapter 3), and added.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ._array import eps, in_float64, is_numpy, namespace, rows_times, unflagged
from ._atoms import Atoms
from ._records import Data, Rows
from .kernels import elastic_net_certificate
from .priors import (
    elastic_net_weights,
    is_elastic_net,
    is_positive,
    uniform_curvature,
    weight_of,
)

_SLACK = 8  # roundings of the parts of a smooth prior's gap


@dataclass(frozen=True, eq=False)
class Certificate(Rows):
    """How far codes are from the optimum: one entry for each signal."""

    kkt_residual: Any
    duality_gap: Any
    objective: Any


@dataclass(frozen=True, eq=False)
class Sizes:
    """Sizes of atoms, in the units of a reconstruction term, each computed once."""

    reconstruction: Any
    atoms: Atoms

    @property
    def rounding(self):
        """Bound on the relative rounding of sums over features and atoms."""
        return self.atoms.rounding

    @cached_property
    def norms(self):
        """How far an entry of one moves what is reconstructed: (1, n_components)."""
        dictionary = self.atoms.dictionary
        return self.reconstruction.reach(dictionary)[None, :] * (1 + 4 * eps(dictionary))

    @cached_property
    def alike(self):
        """Whether the norm of the longest atom does for all, which spares a pass over codes."""
        return is_numpy(self.norms) and bool(self.norms.max() <= 1.5 * self.norms.min())


def certificate(problem, data, code, slope, unit=None, counted=True):
    """Certificate of codes of signals with known data, and with known slopes.

    Its gap is relative to P, or to `unit` times the offset where that is more: the epsilon of the
    codes that users get, None for that of these. Without `counted` it leaves rounding out, as
    solvers may that only want to know when to stop.
    """
    with unflagged():  # what is not finite is no proof
        found = measured(problem, data, code, slope, counted)
        return _bounded(problem, found, data, code, slope, None, unit, counted)


def careful_certificate(problem, X, code, unit=None):
    """Certificate of codes from their residuals: its rounding is relative to these.

    The residual as it is rounded serves as dual point, so that what it lost counts once, in the
    objective. It takes two more products than `certificate`.
    """
    with unflagged():
        data = problem.observe(X)
        if not problem.reconstruction.quadratic:
            return certificate(problem, data, code, problem.slope(data, code), unit)
        xp, prior = namespace(code), problem.prior
        residual = X - rows_times(code, problem.dictionary)
        slope = rows_times(residual, problem.dictionary.T)
        squares = xp.vecdot(residual, residual, axis=-1)
        found = _from_terms(problem, 0.5 * squares, data, code, slope)
        near = _bounded(problem, found, data, code, slope, xp.sqrt(squares), unit, True)
        if prior.smooth or problem.sizes.rounding == 0.0:
            return near
        strong = _strong_gap(problem, data, code, slope) / _scale(found[3], data, code, unit)
        better = (strong < near.duality_gap) & xp.isfinite(near.objective)
        gap = xp.where(better, strong, near.duality_gap)
        return replace(near, duality_gap=gap)


def narrowed_certificate(problem, X, code, narrow_code):
    """Certificate of codes that were narrowed, by the dual point of what they were before.

    X and `code` are in float64, as is what this returns.
    """
    unit, wide_code = eps(narrow_code), in_float64(narrow_code)
    found = careful_certificate(problem, X, code)
    again = careful_certificate(problem, X, wide_code, unit)
    with unflagged():
        xp = namespace(code)
        data = Data(None, problem.reconstruction.offset(X))  # sizes need no correlations
        before, after = found.objective, again.objective
        gap = found.duality_gap * _scale(before, data, code, None) + (after - before)
        for value, at in ((before, code), (after, wide_code)):
            # squares round relative to what they are of, logarithms to their arguments
            inner = xp.sqrt(value) if problem.reconstruction.quadratic else 1.0
            size = _extent(problem, data, at) * inner
            gap = gap + problem.sizes.rounding * (2 * size + 2 * value)
        gap = xp.maximum(gap, xp.zeros_like(gap)) / _scale(after, data, wide_code, unit)
        better = (gap < again.duality_gap) & xp.isfinite(before) & xp.isfinite(after)
        gap = xp.where(better, gap, again.duality_gap)
    return replace(again, duality_gap=gap)


def measured(problem, data, code, slope, counted=False):
    """Violation, largest correlation, gap, objective, l1 norm of the code and dual scale.

    Without rounding, but that of the slopes where priors are smooth and `counted` is set.
    """
    weights = elastic_net_weights(problem.prior)
    if weights is not None and problem.reconstruction.quadratic:  # the same in one pass
        return elastic_net_certificate(data.corr, data.offset, code, slope, *weights)
    value = problem.loss(data, code, slope)
    return _from_terms(problem, value, data, code, slope, counted)


def _from_terms(problem, value, data, code, slope, counted=True):
    """The same from the terms' own formulas, with the value of the loss."""
    xp, prior = namespace(code), problem.prior
    penalty = prior.value(code)
    scale, moved, slack = prior.dual_scale(code, slope), slope, 0.0
    if prior.smooth and counted and problem.sizes.rounding > 0.0:
        moved = _away(problem, data, code, slope)
        slack = _SLACK * eps(code) * (penalty + xp.sum(xp.abs(code * slope), axis=-1))
    violation = xp.max(prior.stationarity(code, moved), axis=-1)
    gap = problem.reconstruction.fenchel_gap(value, scale) + slack
    gap = gap + prior.fenchel_gap(code, moved, scale)
    top, l1 = xp.max(xp.abs(data.corr), axis=-1), xp.sum(xp.abs(code), axis=-1)
    return violation, top, gap, value + penalty, l1, scale


def _away(problem, data, code, slope):
    """Slopes moved away from what the prior asks for, by as much as rounding may have hidden.

    Violations grow with the distance. So do gaps, and more on the side of the code's sign: where
    rounding leaves the side open, that one is taken.
    """
    xp, prior, sizes = namespace(code), problem.prior, problem.sizes
    wanted = prior.gradient(code)
    blur = sizes.rounding * xp.max(sizes.norms) * _extent(problem, data, code)
    blur = blur[:, None] + 4 * eps(code) * (xp.abs(wanted) + xp.abs(slope))
    off, ones = slope - wanted, xp.ones_like(slope)
    up = xp.where(xp.abs(off) >= blur, off >= 0, code >= 0)
    return wanted + xp.where(up, ones, -ones) * (xp.abs(off) + blur)


def _bounded(problem, found, data, code, slope, rest, unit, counted):
    """Certificate from what was measured; `rest` is the norm of the residuals it came from."""
    xp, prior, sizes = namespace(code), problem.prior, problem.sizes
    violation, top, gap, objective, l1, scale = found
    gap, blur = xp.maximum(gap, xp.zeros_like(gap)), 0.0
    if counted and sizes.rounding > 0.0 and not prior.smooth:
        longest = xp.max(sizes.norms)
        parts = l1 * longest if sizes.alike else xp.sum(xp.abs(code) * sizes.norms, axis=-1)
        extent = problem.reconstruction.extent(data) + parts
        inner = extent if rest is None else rest
        blur, dual_blur = (sizes.rounding * longest * size for size in (extent, inner))
        if weight_of(prior, 0.0) > 0.0:  # scales of dual points move
            near = xp.sqrt(gap) + dual_blur / prior.lam * xp.sqrt(objective)
            gap = near * near + dual_blur * l1
        lost = (1.0 - scale) * (extent * inner + (xp.abs(data.offset) if rest is None else 0.0))
        lost = lost + 3 * parts * inner + sizes.rounding * parts * extent
        gap = gap + sizes.rounding * lost
        is_zero = l1 == 0
        if is_elastic_net(prior) and not (is_numpy(l1) and not is_zero.any()):
            exact = is_zero & (prior.lam_max(slope) + blur <= prior.lam)  # without rounding
            gap, blur = (xp.where(exact, xp.zeros_like(gap), a) for a in (gap, blur))
    if is_elastic_net(prior) and weight_of(prior) == 0.0:
        strong = _strong_gap(problem, data, code, slope, blur)
        # at most the objective: true, but it would hide that nothing is known
        gap = xp.where(strong < xp.inf, xp.minimum(gap, strong), strong)
        least = (data.offset == 0) & (objective == 0)  # there is nothing below zero
        gap = xp.where(least, xp.zeros_like(gap), gap)
    residual = (violation + blur) / _least_top(problem, data, top, counted)
    gap = gap / _scale(objective, data, code, unit)
    known = xp.isfinite(objective) & xp.isfinite(top)
    known = known & problem.atoms.in_range & problem.reconstruction.in_range(data)
    never = xp.full_like(gap, xp.inf)
    return Certificate(
        xp.where(known & (residual >= 0), residual, never),
        xp.where(known & ((gap >= 0) | _has_no_gap(prior, code)), gap, never),
        xp.where(known, objective, never),
    )


def _least_top(problem, data, top, counted):
    """Largest correlation, at least, which residuals are relative to; one where there is none."""
    xp, sizes = namespace(top), problem.sizes
    least = top
    if counted and sizes.rounding > 0.0:
        blur = sizes.rounding * xp.max(sizes.norms) * problem.reconstruction.extent(data)
        least = xp.maximum(top - blur, xp.zeros_like(top))
    return xp.where(top > 0, least, xp.ones_like(top))


def _has_no_gap(prior, code):
    """Whether a prior knows no gap, not even at its own minimum, as those that are not convex."""
    if not prior.smooth:
        return False
    xp, zero = namespace(code), namespace(code).zeros_like(code[:1, :])
    return xp.isnan(prior.fenchel_gap(zero, zero, xp.ones_like(zero[:, 0])))


def _extent(problem, data, code):
    """Sizes of signals and of their parts together: what their rounding is relative to."""
    xp, norms = namespace(code), problem.sizes.norms
    return problem.reconstruction.extent(data) + xp.sum(xp.abs(code) * norms, axis=-1)


def _scale(objective, data, code, unit):
    """What gaps are relative to."""
    xp = namespace(objective)
    bound = xp.maximum(objective, (unit or eps(code)) * data.offset)
    return xp.where(bound > 0, bound, xp.ones_like(bound))


def _strong_gap(problem, data, code, slope, blur=None):
    """Bound by strong convexity, ||subgradient||^2 / (2 curvature); infinite where none is."""
    xp, prior, sizes, atoms = namespace(code), problem.prior, problem.sizes, problem.atoms
    violation = prior.stationarity(code, slope)
    if blur is None:
        blur = sizes.rounding * xp.max(sizes.norms) * _extent(problem, data, code)
    violation = violation + (blur if isinstance(blur, float) else blur[:, None])
    squares = xp.sum(violation * violation, axis=-1)
    lam, weights = weight_of(prior), elastic_net_weights(prior)
    curvature, within = uniform_curvature(prior, code), 0.0
    if lam == 0.0 or atoms.dictionary.shape[0] <= atoms.dictionary.shape[1]:
        everywhere, within = problem.reconstruction.curvatures(atoms)
        curvature = curvature + everywhere
    has_no_l1 = weights is not None and lam == 0.0
    if curvature == 0.0 and has_no_l1 and not is_positive(prior):
        # gradients of least squares lie in its range; with a bound or another prior they need not
        curvature = within
    if curvature > 0.0:
        return 0.5 * squares / curvature
    is_bounded = has_no_l1 and is_positive(prior) and problem.reconstruction.quadratic
    if is_bounded and atoms.nonnegative_radius is not None:
        norms = problem.reconstruction.extent(data)[:, None]
        far = xp.abs(code) + norms * atoms.nonnegative_radius
        return xp.sum(violation * far, axis=-1)
    return xp.full_like(squares, xp.inf)
