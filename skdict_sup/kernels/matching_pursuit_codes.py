"""Kernel: greedy codes by orthogonal matching pursuit."""

from .._array import device_of, eps, namespace
from ._dispatch import kernel
from ._systems import SharedSystem, WeightedSystem


@kernel
def matching_pursuit_codes(
    gram, corr, sq_norm, max_nonzeros=None, sq_bound=None, dictionary=None, entry_weight=None
):
    r"""Codes of orthogonal matching pursuit, to a number of nonzeros or a bound on the residual.

    Each step adds the atom with the largest :math:`|\langle d_j, r \rangle| / \|d_j\|`, r the
    residual, and solves least squares on the atoms so far. Atoms that depend on these are skipped.

    Parameters
    ----------
    gram : array (n_components, n_components) or None
        Inner products of the atoms; None with weights of entries.
    corr : array (n_samples, n_components)
        Inner products of signals and atoms.
    sq_norm : array (n_samples,)
        Squared norms of the signals.
    max_nonzeros : int or None
        Largest number of nonzeros.
    sq_bound : array (n_samples,) or None
        Bounds on the squared norms of the residuals.
    dictionary : array (n_components, n_features) or None
    entry_weight : array (n_samples, n_features) or None
        Weights of entries, for which correlations and squared norms are weighted too.

    Returns
    -------
    code, slope : array (n_samples, n_components)
    n_iter : int array (n_samples,)
        Number of steps.

    References
    ----------
    Y. Pati, R. Rezaiifar, P. Krishnaprasad, "Orthogonal matching pursuit", 1993; R. Rubinstein,
    M. Zibulevsky, M. Elad, "Efficient implementation of the K-SVD algorithm using batch orthogonal
    matching pursuit", 2008.
    """
    xp, p = namespace(corr), corr.shape[1]
    weighted = entry_weight is not None
    system = WeightedSystem(dictionary, entry_weight) if weighted else SharedSystem(gram)
    squares = squared_norms(gram, dictionary, entry_weight)
    zero = xp.zeros_like(corr)
    inverse_norm = xp.where(squares > 0, 1 / xp.sqrt(xp.where(squares > 0, squares, 1)), 0) + zero
    atoms = xp.arange(p, device=device_of(corr))[None, :]
    generic = xp.cos(xp.arange(1, p + 1, dtype=corr.dtype, device=device_of(corr)))[None, :] + zero
    code, slope, support, may_enter = zero, corr, zero != 0, zero == 0
    n_iter = xp.astype(sq_norm * 0, xp.int64)
    floor = 16 * eps(corr) * xp.max(xp.abs(corr) * inverse_norm, axis=1)
    for _ in range(p):
        count = xp.sum(xp.astype(support, xp.int64), axis=1)
        size = xp.where(may_enter, xp.abs(slope) * inverse_norm, zero)
        goes_on = (xp.max(size, axis=1) > floor) & (count < (max_nonzeros or p))
        if sq_bound is not None:
            goes_on = goes_on & (sq_norm - xp.sum(code * (corr + slope), axis=1) > sq_bound)
        if not bool(xp.any(goes_on)):
            break
        entrant = (atoms == xp.argmax(size, axis=1)[:, None]) & goes_on[:, None]
        may_enter = may_enter & ~entrant
        # the system leaves out atoms that depend on others
        joined = support | entrant
        is_dependent = xp.any(joined & (system.solve(0.0, joined, generic) == 0), axis=1)
        support = support | (entrant & ~is_dependent[:, None])
        solved = system.solve(0.0, support, corr)
        solved = solved + system.solve(0.0, support, corr - system.times(solved))
        code = xp.where(goes_on[:, None], solved, code)
        slope = corr - system.times(code)
        n_iter = n_iter + xp.astype(goes_on, xp.int64)
    return code, slope, n_iter


def squared_norms(gram, dictionary, entry_weight):
    """Squared norms of the atoms, with weights of entries if there are any: one row, or more."""
    if entry_weight is not None:
        return entry_weight @ (dictionary * dictionary).T
    xp = namespace(gram)
    return xp.linalg.diagonal(gram)[None, :]
