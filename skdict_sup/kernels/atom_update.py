"""Kernel: one pass of block coordinate descent over the atoms."""

from .._array import namespace
from ._dispatch import kernel


@kernel
def atom_update(dictionary, code_moment, cross_moment, positive):
    r"""Minimise 1/2 tr(D' A D) - tr(D' B) over each atom in turn, in the unit ball.

    Atom j becomes the projection of d_j + (b_j - a_j D) / A_jj on the ball ||d|| <= 1 (on its
    nonnegative part where `positive`); atoms that no code uses (A_jj = 0) do not change.

    Parameters
    ----------
    dictionary : array (n_components, n_features)
    code_moment : array (n_components, n_components)
        A, the weighted sum of w' w over codes.
    cross_moment : array (n_components, n_features)
        B, the weighted sum of w' x.
    positive : bool
        Whether atoms are nonnegative.

    Returns
    -------
    dictionary : array (n_components, n_features)

    References
    ----------
    J. Mairal, F. Bach, J. Ponce, G. Sapiro, "Online learning for matrix factorization and sparse
    coding", JMLR 2010, algorithm 2.
    """
    xp = namespace(dictionary)
    dictionary = xp.asarray(dictionary, copy=True)
    for j in range(dictionary.shape[0]):
        weight = float(code_moment[j, j])
        if weight <= 0.0:
            continue
        atom = dictionary[j, :] + (cross_moment[j, :] - code_moment[j, :] @ dictionary) / weight
        if positive:
            atom = xp.maximum(atom, xp.zeros_like(atom))
        norm = float(xp.sqrt(xp.sum(atom * atom)))
        dictionary[j, :] = atom / max(norm, 1.0)
    return dictionary
