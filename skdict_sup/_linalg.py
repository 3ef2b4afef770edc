"""Linear algebra on batches: conjugate gradients, projection on the unit ball, unit norms."""

from ._array import namespace


def unit_norm(rows):
    """Scale rows to norm one; rows of zeros are unchanged."""
    xp = namespace(rows)
    norms = xp.sqrt(xp.sum(rows * rows, axis=1, keepdims=True))
    return rows / xp.where(norms > 0, norms, xp.ones_like(norms))


def project_ball(rows, positive):
    """Project rows on the unit ball, or on its nonnegative part."""
    xp = namespace(rows)
    if positive:
        rows = xp.maximum(rows, xp.zeros_like(rows))
    norms = xp.sqrt(xp.vecdot(rows, rows, axis=-1))[:, None]
    return rows / xp.maximum(norms, xp.ones_like(norms))


def conjugate_gradients(product, rhs, diagonal, tol, max_iter=None, precondition=None):
    """Solve product(x) = rhs for a batch of symmetric positive definite systems.

    Each row is a separate system with its own step lengths.

    Parameters
    ----------
    product : callable
        Products of the systems with a batch of vectors, one for each system.
    rhs : array (n_systems, size)
    diagonal : array like rhs
        Preconditioner: the diagonals of the systems.
    tol : float or array (n_systems,)
        Norm of the residual, relative to that of rhs (both in the norm of the preconditioner),
        at which the iterations on a system stop.
    max_iter : int or None
        Maximum number of iterations; None means 2 * size + 20.
    precondition : callable or None
        A better preconditioner than the diagonal: approximate solutions of the systems, which
        need not be linear in their right-hand sides (Notay, "Flexible conjugate gradients", 2000).

    Returns
    -------
    x : array like rhs
        The iterate with the smallest residual.
    """
    xp, is_flexible = namespace(rhs), precondition is not None
    approximately_solved = precondition or (lambda r: r / diagonal)
    x, r = xp.zeros_like(rhs), rhs
    best = x
    z = approximately_solved(r)
    p = z
    rho = xp.sum(r * z, axis=1)
    bound, least = tol * tol * rho, rho
    for _ in range(max_iter or 2 * rhs.shape[1] + 20):
        busy = rho > bound
        if not bool(xp.any(busy)):
            break
        Ap = product(p)
        pAp = xp.sum(p * Ap, axis=1)
        alpha = xp.where(busy & (pAp > 0), rho / xp.where(pAp > 0, pAp, 1.0), 0.0 * pAp)
        x = x + alpha[:, None] * p
        r_old, r = r, r - alpha[:, None] * Ap
        z = approximately_solved(r)
        rho_new = xp.sum(r * z, axis=1)
        conjugate = xp.sum((r - r_old) * z, axis=1) if is_flexible else rho_new
        beta = conjugate / xp.where(rho > 0, rho, xp.ones_like(rho))
        rho = xp.where(alpha > 0, rho_new, xp.zeros_like(rho))
        better = (alpha > 0) & (rho_new < least)
        best = xp.where(better[:, None], x, best)
        least = xp.where(better, rho_new, least)
        p = z + beta[:, None] * p
    return best
