"""The last step to a bound on the residual that is below the rounding of squared norms."""

from .._array import eps, namespace
from ..priors import is_per_atom

_ROUNDING = 512  # roundings of a code up to which the sign of an entry is not known


def move_to_bound(problem, X, code, mu, norm, bound):
    """Codes moved along their segments to their bounds, and the decrease of their weights mu.

    `norm` are the norms of the residuals, computed from these. Codes that would change a sign on
    the way stay where they are.
    """
    xp, prior = namespace(code), problem.prior
    weights = prior.weight(code) if is_per_atom(prior.lam) else 1.0
    pulls = weights * xp.sign(code)
    direction = problem.newton_system(code, pulls, X.weight)[0]
    # excess = 2 linear t + square t^2, for a decrease t of mu
    linear = xp.sum(direction * (mu[:, None] * pulls + prior.lam2 * code), axis=1)
    square = xp.sum(direction * (prior.lam2 * direction - pulls), axis=1)
    excess = norm * norm - bound * bound
    root = linear * linear + square * excess
    root = linear + xp.sqrt(xp.maximum(root, xp.zeros_like(root)))
    step = excess / xp.where(root > 0, root, xp.ones_like(root))
    step = xp.minimum(xp.where(root > 0, step, xp.zeros_like(root)), mu)
    moved = code + step[:, None] * direction
    is_rounding = xp.abs(moved) <= _ROUNDING * eps(code) * xp.max(xp.abs(code), axis=1)[:, None]
    flips = xp.sign(moved) * xp.sign(code) < 0
    moved = xp.where(flips & is_rounding, xp.zeros_like(moved), moved)
    stays = xp.any(flips & ~is_rounding, axis=1)
    return xp.where(stays[:, None], code, moved), xp.where(stays, xp.zeros_like(step), step)
