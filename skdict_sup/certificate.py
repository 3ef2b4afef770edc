r"""How far codes are from the optimum, as bounds that count their own rounding.

The gap is P(w) minus the dual objective at the scaled residual s r, with s the largest scale that
is dual feasible. It is summed as Fenchel-Young gaps, each at or above zero, so that it does not
drown in the rounding of P. What rounding remains is bounded from the sizes of the signal and of
its parts, ||x|| + sum_j |w_j| ||d_j||, times the number of terms of the sums (Higham, "Accuracy
and stability of numerical algorithms", 2002, chapter 3), and added.
"""

from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from ._array import accurate, eps, is_numpy, namespace, rows_times, to_numpy, unboxed, unflagged
from .kernels import elastic_net_certificate
from .priors import ElasticNet, weight_of
from .reconstruction.linear import Linear

_FURTHER = 8  # roundings of a code's certificate beside those of its sums
_SLACK = 8  # roundings of the parts of a smooth prior's gap


class Certificate(NamedTuple):
    """How far codes are from the optimum: one entry for each signal."""

    kkt_residual: Any
    duality_gap: Any
    objective: Any


@dataclass(frozen=True, eq=False)
class Sizes:
    """Quantities of a dictionary that certificates use, each computed once."""

    reconstruction: Any
    atoms: Any
    gram: Any

    @cached_property
    def rounding(self):
        """Bound on the relative rounding of sums over features and atoms.

        Zero on devices that have no float64: short floats alone leave no room for it.
        """
        unit = 0.5 * eps(self.atoms)
        return unit * (sum(self.atoms.shape) + _FURTHER) if unit < 1e-10 else 0.0

    @cached_property
    def norms(self):
        """How far an entry of one moves what is reconstructed: (1, n_components)."""
        return self.reconstruction.reach(self.atoms)[None, :] * (1 + 4 * eps(self.atoms))

    @cached_property
    def alike(self):
        """Whether the norm of the longest atom does for all, which spares a pass over codes."""
        return is_numpy(self.norms) and bool(self.norms.max() <= 1.5 * self.norms.min())

    @cached_property
    def in_range(self):
        """Whether products with the largest atom are far from the ends of the range of floats.

        An array. What vanishes with smaller atoms is nothing beside these products.
        """
        xp, info = namespace(self.atoms), namespace(self.atoms).finfo(self.atoms.dtype)
        least = float(info.smallest_normal) ** 0.5 / float(info.eps)
        size = xp.max(xp.abs(self.atoms))
        return (size == 0) | ((size > least) & (size < 1 / least))

    @cached_property
    def curvatures(self):
        """Proven lower bounds on the curvature of least squares: everywhere, and within its range.

        Zero where rounding may hide a smaller one: an eigenvalue counts as zero, and not as small,
        only where the number of distinct atoms or of features says that it is.
        """
        if not bool(namespace(self.gram).all(namespace(self.gram).isfinite(self.gram))):
            return 0.0, 0.0
        values = to_numpy(namespace(self.gram).linalg.eigvalsh(self.gram))
        floor = eps(self.gram) * sum(self.atoms.shape) * float(values[-1])
        seen = values[values > 2 * floor] - floor
        rank = min(_distinct(to_numpy(self.atoms)), self.atoms.shape[1])
        least = float(seen.min(initial=values[-1])) if len(seen) >= rank > 0 else 0.0
        return (least if len(seen) == values.shape[0] else 0.0), least

    @cached_property
    def reaches(self):
        """Largest nonnegative least-squares codes of a unit signal; None where none is known.

        Atoms at acute angles do not cancel: ||w D|| is at least w_j ||d_j|| for every j, and at
        most ||x|| at the solution.
        """
        xp = namespace(self.gram)
        norms = xp.linalg.diagonal(self.gram)
        if bool(xp.any(self.gram < 0)) or not bool(xp.all(norms > 0)):
            return None
        return (1 + 4 * eps(norms)) / xp.sqrt(norms)[None, :]


def certificate(problem, corr, energy, code, slope, unit=None, counted=True):
    """Certificate of codes with known correlations, squared norms and slopes.

    Its gap is relative to P, or to `unit` times the energy where that is more: the epsilon of the
    codes that users get, None for that of these. Without `counted` it leaves rounding out, as
    solvers may that only want to know when to stop.
    """
    with unflagged():  # what is not finite is no proof
        found = measured(problem, corr, energy, code, slope, counted)
        return _bounded(problem, found, energy, code, slope, None, unit, counted)


def careful_certificate(problem, X, code, unit=None):
    """Certificate of codes from their residuals: its rounding is relative to these.

    The residual as it is rounded serves as dual point, so that what it lost counts once, in the
    objective. It takes two more products than `certificate`.
    """
    with unflagged():
        corr, energy = problem.corr(X), problem.energy(X)
        if type(problem.reconstruction) is not Linear:
            slope = problem.reconstruction.slope(corr, code, problem)
            return certificate(problem, corr, energy, code, slope, unit)
        xp, prior = namespace(code), problem.prior
        residual = X - rows_times(code, problem.dictionary)
        slope = rows_times(residual, problem.dictionary.T)
        squares = xp.vecdot(residual, residual, axis=-1)
        found = _from_terms(problem, 0.5 * squares, energy, corr, code, slope)
        near = _bounded(problem, found, energy, code, slope, xp.sqrt(squares), unit, True)
        if prior.smooth or problem.sizes.rounding == 0.0:
            return near
        strong = _strong_gap(problem, energy, code, slope) / _scale(found[3], energy, code, unit)
        better = (strong < near.duality_gap) & xp.isfinite(near.objective)
        gap = xp.where(better, strong, near.duality_gap)
        return near._replace(duality_gap=gap)


def narrowed_certificate(problem, X, code, narrow_code):
    """Certificate of codes that were narrowed, by the dual point of what they were before.

    X and `code` are in float64, as is what this returns.
    """
    unit, wide_code = eps(narrow_code), accurate(narrow_code)
    found = careful_certificate(problem, X, code)
    again = careful_certificate(problem, X, wide_code, unit)
    with unflagged():
        xp, energy = namespace(code), problem.energy(X)
        before, after = found.objective, again.objective
        gap = found.duality_gap * _scale(before, energy, code, None) + (after - before)
        for value, at in ((before, code), (after, wide_code)):
            # squares round relative to what they are of, logarithms to their arguments
            is_linear = type(problem.reconstruction) is Linear
            size = _extent(problem, energy, at) * (xp.sqrt(value) if is_linear else 1.0)
            gap = gap + problem.sizes.rounding * (2 * size + 2 * value)
        gap = xp.maximum(gap, xp.zeros_like(gap)) / _scale(after, energy, wide_code, unit)
        better = (gap < again.duality_gap) & xp.isfinite(before) & xp.isfinite(after)
        gap = xp.where(better, gap, again.duality_gap)
    return again._replace(duality_gap=gap)


def measured(problem, corr, energy, code, slope, counted=False):
    """Violation, largest correlation, gap, objective, l1 norm of the code and dual scale.

    Without rounding, but that of the slopes where priors are smooth and `counted` is set.
    """
    prior, reconstruction = problem.prior, problem.reconstruction
    if type(prior) is ElasticNet and type(reconstruction) is Linear:  # the same in one pass
        settings = prior.lam, prior.lam2, prior.positive
        return elastic_net_certificate(corr, energy, code, slope, *settings)
    value = reconstruction.value(energy, corr, code, slope, problem)
    return _from_terms(problem, value, energy, corr, code, slope, counted)


def _from_terms(problem, value, energy, corr, code, slope, counted=True):
    """The same from the terms' own formulas, with the value of the loss."""
    xp, prior = namespace(code), problem.prior
    penalty = prior.value(code)
    scale, moved, slack = prior.dual_scale(code, slope), slope, 0.0
    if prior.smooth and counted and problem.sizes.rounding > 0.0:
        moved = _away(problem, energy, code, slope)
        slack = _SLACK * eps(code) * (penalty + xp.sum(xp.abs(code * slope), axis=-1))
    violation = xp.max(prior.stationarity(code, moved), axis=-1)
    gap = problem.reconstruction.fenchel_gap(value, scale) + slack
    gap = gap + prior.fenchel_gap(code, moved, scale)
    top, l1 = xp.max(xp.abs(corr), axis=-1), xp.sum(xp.abs(code), axis=-1)
    return violation, top, gap, value + penalty, l1, scale


def _away(problem, energy, code, slope):
    """Slopes moved away from what the prior asks for, by as much as rounding may have hidden.

    Violations grow with the distance. So do gaps, and more on the side of the code's sign: where
    rounding leaves the side open, that one is taken.
    """
    xp, prior, sizes = namespace(code), problem.prior, problem.sizes
    wanted = prior.gradient(code)
    blur = sizes.rounding * xp.max(sizes.norms) * _extent(problem, energy, code)
    blur = blur[:, None] + 4 * eps(code) * (xp.abs(wanted) + xp.abs(slope))
    off, ones = slope - wanted, xp.ones_like(slope)
    up = xp.where(xp.abs(off) >= blur, off >= 0, code >= 0)
    return wanted + xp.where(up, ones, -ones) * (xp.abs(off) + blur)


def _bounded(problem, found, energy, code, slope, rest, unit, counted):
    """Certificate from what was measured; `rest` is the norm of the residuals it came from."""
    xp, prior, sizes = namespace(code), problem.prior, problem.sizes
    violation, top, gap, objective, l1, scale = found
    gap, blur = xp.maximum(gap, xp.zeros_like(gap)), 0.0
    if counted and sizes.rounding > 0.0 and not prior.smooth:
        longest = xp.max(sizes.norms)
        parts = l1 * longest if sizes.alike else xp.sum(xp.abs(code) * sizes.norms, axis=-1)
        extent = problem.reconstruction.extent(energy) + parts
        inner = extent if rest is None else rest
        blur, dual_blur = (sizes.rounding * longest * size for size in (extent, inner))
        if weight_of(prior, 0.0) > 0.0:  # scales of dual points move
            near = xp.sqrt(gap) + dual_blur / prior.lam * xp.sqrt(objective)
            gap = near * near + dual_blur * l1
        lost = (1.0 - scale) * (extent * inner + (xp.abs(energy) if rest is None else 0.0))
        lost = lost + 3 * parts * inner + sizes.rounding * parts * extent
        gap = gap + sizes.rounding * lost
        is_zero = l1 == 0
        if isinstance(prior, ElasticNet) and not (is_numpy(l1) and not is_zero.any()):
            exact = is_zero & (prior.lam_max(slope) + blur <= prior.lam)  # without rounding
            gap, blur = (xp.where(exact, xp.zeros_like(gap), a) for a in (gap, blur))
    if isinstance(prior, ElasticNet) and weight_of(prior) == 0.0:
        strong = _strong_gap(problem, energy, code, slope, blur)
        # at most the objective: true, but it would hide that nothing is known
        gap = xp.where(strong < xp.inf, xp.minimum(gap, strong), strong)
        least = (energy == 0) & (objective == 0)  # there is nothing below zero
        gap = xp.where(least, xp.zeros_like(gap), gap)
    residual = (violation + blur) / _least_top(problem, energy, top, counted)
    gap = gap / _scale(objective, energy, code, unit)
    known = xp.isfinite(objective) & xp.isfinite(top) & sizes.in_range & _counts(problem, energy)
    never = xp.full_like(gap, xp.inf)
    return Certificate(
        xp.where(known & (residual >= 0), residual, never),
        xp.where(known & ((gap >= 0) | _has_no_gap(prior, code)), gap, never),
        xp.where(known, objective, never),
    )


def _least_top(problem, energy, top, counted):
    """Largest correlation, at least, which residuals are relative to; one where there is none."""
    xp, sizes = namespace(top), problem.sizes
    least = top
    if counted and sizes.rounding > 0.0:
        blur = sizes.rounding * xp.max(sizes.norms) * problem.reconstruction.extent(energy)
        least = xp.maximum(top - blur, xp.zeros_like(top))
    return xp.where(top > 0, least, xp.ones_like(top))


def _has_no_gap(prior, code):
    """Whether a prior knows no gap, not even at its own minimum, as those that are not convex."""
    if not prior.smooth:
        return False
    xp, zero = namespace(code), namespace(code).zeros_like(code[:1, :])
    return xp.isnan(prior.fenchel_gap(zero, zero, xp.ones_like(zero[:, 0])))


def _counts(problem, energy):
    """Whether squared norms are finite, and zero or far above the least floats."""
    xp = namespace(energy)
    if type(problem.reconstruction) is not Linear:
        return xp.isfinite(energy)
    info = xp.finfo(energy.dtype)
    least = float(info.smallest_normal) / float(info.eps) ** 2
    return xp.isfinite(energy) & ((energy == 0) | (energy > least))


def _extent(problem, energy, code):
    """Sizes of signals and of their parts together: what their rounding is relative to."""
    xp, norms = namespace(code), problem.sizes.norms
    return problem.reconstruction.extent(energy) + xp.sum(xp.abs(code) * norms, axis=-1)


def _scale(objective, energy, code, unit):
    """What gaps are relative to."""
    xp = namespace(objective)
    bound = xp.maximum(objective, (unit or eps(code)) * energy)
    return xp.where(bound > 0, bound, xp.ones_like(bound))


def _strong_gap(problem, energy, code, slope, blur=None):
    """Bound by strong convexity, ||subgradient||^2 / (2 curvature); infinite where none is."""
    xp, prior, sizes = namespace(code), problem.prior, problem.sizes
    violation = prior.stationarity(code, slope)
    if blur is None:
        blur = sizes.rounding * xp.max(sizes.norms) * _extent(problem, energy, code)
    violation = violation + (blur if isinstance(blur, float) else blur[:, None])
    squares = xp.sum(violation * violation, axis=-1)
    bend = unboxed(prior.curvature(code))  # an array is that at these codes, not everywhere
    curvature = bend = float(bend) if isinstance(bend, Real) else 0.0
    is_linear = type(problem.reconstruction) is Linear
    is_positive, lam = getattr(prior, "positive", False), weight_of(prior)
    if is_linear:  # other losses may be flat far away
        n_atoms, n_features = sizes.atoms.shape
        can = lam == 0.0 or n_atoms <= n_features
        everywhere, within = sizes.curvatures if can else (0.0, 0.0)
        curvature = everywhere + bend
        # gradients of least squares lie in its range; with a bound or another prior they need not
        plain = type(prior) is ElasticNet and not is_positive and lam == 0.0
        if curvature == 0.0 and plain:
            curvature = within
    if curvature > 0.0:
        return 0.5 * squares / curvature
    bounded = type(prior) is ElasticNet and is_positive and lam == 0.0
    if is_linear and bounded and sizes.reaches is not None:
        far = xp.abs(code) + xp.sqrt(energy)[:, None] * sizes.reaches
        return xp.sum(violation * far, axis=-1)
    return xp.full_like(squares, xp.inf)


def _distinct(atoms):
    """Number of nonzero atoms of which none is a copy, up to the sign, of another."""
    atoms = atoms[(atoms != 0).any(axis=1)]
    if not len(atoms):
        return 0
    first = np.take_along_axis(atoms, (atoms != 0).argmax(axis=1)[:, None], axis=1)
    return len(np.unique(atoms * np.sign(first) + 0.0, axis=0))
