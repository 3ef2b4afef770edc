"""Duality gaps of elastic nets with atoms without penalty, and of strongly convex problems."""

from .._array import namespace
from ..priors import free_atoms, is_plain_elastic_net, is_positive, uniform_curvature, weight_of
from ._terms import extent_of, longest_of


def gap_with_free_atoms(problem, data, code, slope, measures, size):
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
    longest = longest_of(problem, data)
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


def strong_gap(problem, data, code, slope, error=None):
    """Bound by strong convexity, ||subgradient||^2 / (2 curvature); infinite without curvature."""
    xp, prior, norms, atoms = namespace(code), problem.prior, problem.atom_norms, problem.atoms
    violation = prior.stationarity(code, slope)
    if error is None:
        error = norms.rounding * longest_of(problem, data) * extent_of(problem, data, code)
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
