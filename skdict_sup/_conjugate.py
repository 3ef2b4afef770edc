"""Conjugate gradients for a batch of systems, one to a row, each with its own step lengths."""

from ._array import namespace


def conjugate_gradients(product, rhs, diagonal, tol, most=None):
    """Solutions x of product(x) = rhs, for symmetric positive definite systems.

    Parameters
    ----------
    product : callable
        The systems' products with a batch of vectors.
    rhs : array (n_systems, size)
    diagonal : array like rhs
        Preconditioner: the diagonals of the systems.
    tol : float or array (n_systems,)
        Norm of the residual, relative to that of rhs (both scaled by the preconditioner), at
        which a system is left alone.
    most : int or None
        Most iterations; None for twice the size, and twenty.

    Returns
    -------
    x : array like rhs
        Where rounding lets residuals grow, that of the smallest.
    """
    xp = namespace(rhs)
    x, rest = xp.zeros_like(rhs), rhs
    best = x
    scaled = rest / diagonal
    direction = scaled
    size = xp.sum(rest * scaled, axis=1)
    goal, least = tol * tol * size, size
    for _ in range(most or 2 * rhs.shape[1] + 20):
        busy = size > goal
        if not bool(xp.any(busy)):
            break
        image = product(direction)
        bend = xp.sum(direction * image, axis=1)
        length = xp.where(busy & (bend > 0), size / xp.where(bend > 0, bend, 1.0), 0.0 * bend)
        x = x + length[:, None] * direction
        rest = rest - length[:, None] * image
        scaled = rest / diagonal
        following = xp.sum(rest * scaled, axis=1)
        keep = following / xp.where(size > 0, size, xp.ones_like(size))
        size = xp.where(length > 0, following, xp.zeros_like(size))
        better = (length > 0) & (following < least)
        best = xp.where(better[:, None], x, best)
        least = xp.where(better, following, least)
        direction = scaled + keep[:, None] * direction
    return best
