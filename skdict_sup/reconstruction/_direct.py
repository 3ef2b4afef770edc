"""Softmax systems on small supports, solved directly, signal by signal."""

import numpy as np

from .._array import eps, is_numpy, namespace, set_rows, take_rows, to_numpy
from ._moments import softmax


def exact_solutions(term, system, atoms, tol):
    """Solutions of systems of a softmax term: on a part of the code, directly in host memory.

    `system` has codes, curvatures, supports and right-hand sides; `tol` is for other solutions.
    """
    code, curvature, support, rhs = system
    system = code, curvature + namespace(rhs).zeros_like(rhs), support, rhs
    is_whole = to_numpy(namespace(support).all(support, axis=1))
    if not is_numpy(code) or is_whole.all():
        return term.solve_systems(*system, atoms, tol)
    x, rows = np.zeros_like(rhs), is_whole.nonzero()[0]
    if len(rows):
        whole = (take_rows(part, rows) for part in system)
        x = set_rows(x, term.solve_systems(*whole, atoms, tol), rows)
    rows = (~is_whole).nonzero()[0]
    code, *others = (take_rows(part, rows) for part in system)
    probs = softmax(atoms.images(code))[0]
    return set_rows(x, covariance_solutions(atoms.dictionary, probs, *others), rows)


def covariance_solutions(dictionary, probs, curvature, support, rhs):
    """Solve (C + diag(curvature)) x = rhs on the support, with x = 0 off it, for NumPy arrays.

    C is the covariance of the columns of the dictionary under the distribution `probs`. A system
    with k unknowns and m features takes k^2 m operations, which is less than conjugate gradients
    need where atoms are nearly dependent and no curvature is added.
    """
    x = np.zeros_like(rhs)
    for i, is_kept in enumerate(support):
        kept = is_kept.nonzero()[0]
        atoms, r = dictionary[kept], probs[i]
        centred = (atoms - (atoms @ r)[:, None]) * np.sqrt(r)
        system = centred @ centred.T
        diagonal = system.diagonal() + curvature[i, kept]
        # as much as its rounding error keeps the system regular
        rounding = eps(system) * len(kept) * diagonal.max(initial=0.0)
        np.fill_diagonal(system, diagonal + rounding)
        try:
            x[i, kept] = np.linalg.solve(system, rhs[i, kept])
        except np.linalg.LinAlgError:  # there is no curvature at all, and no step
            continue
    return x
