"""What codes have to satisfy, in plain float64 NumPy and independent of the package.

The problem is min_w 1/2 ||x - w D||^2 + <lam, |w|> + lam2/2 ||w||^2, optionally over w >= 0.
A `prior` is read for its numbers lam, lam2 and positive alone.
"""

from itertools import combinations, product

import numpy as np
import scipy.optimize


def double(array):
    return np.asarray(array, dtype=np.float64)


def objective(X, dictionary, prior, code):
    """Value of the problem at each code; infinite where a nonnegative code is not."""
    X, dictionary, code = double(X), double(dictionary), double(code)
    residual = X - code @ dictionary
    value = (
        0.5 * (residual**2).sum(axis=1)
        + (prior.lam * np.abs(code)).sum(axis=1)
        + 0.5 * prior.lam2 * (code**2).sum(axis=1)
    )
    return np.where(prior.positive & (code < 0).any(axis=1), np.inf, value)


def slope(X, dictionary, prior, code):
    """Minus the gradient of the smooth part, the ridge included."""
    X, dictionary, code = double(X), double(dictionary), double(code)
    return (X - code @ dictionary) @ dictionary.T - prior.lam2 * code


def kkt_residual(X, dictionary, prior, code):
    """Largest violation of the optimality condition, over the largest correlation, per signal."""
    u, code = slope(X, dictionary, prior, code), double(code)
    at_zero = (u if prior.positive else np.abs(u)) - prior.lam
    violation = np.where(
        code != 0, np.abs(u - prior.lam * np.sign(code)), np.maximum(at_zero, 0.0)
    )
    top = np.abs(double(X) @ double(dictionary).T).max(axis=1)
    return violation.max(axis=1) / np.where(top > 0, top, 1.0)


def duality_gap(X, dictionary, prior, code):
    """Primal minus dual objective over the primal one, of the equivalent lasso.

    The ridge becomes sqrt(lam2) times the identity appended to the atoms and zeros to the signals;
    the dual point is the residual, scaled into the dual ball.
    """
    X, dictionary, code = double(X), double(dictionary), double(code)
    n_components = len(dictionary)
    X = np.hstack([X, np.zeros((len(X), n_components))])
    dictionary = np.hstack([dictionary, np.sqrt(prior.lam2) * np.eye(n_components)])
    residual = X - code @ dictionary
    u = residual @ dictionary.T
    pull = (u if prior.positive else np.abs(u)).max(axis=1)
    scale = np.where(pull > prior.lam, prior.lam / np.where(pull > prior.lam, pull, 1.0), 1.0)
    primal = 0.5 * (residual**2).sum(axis=1) + prior.lam * np.abs(code).sum(axis=1)
    dual = 0.5 * (X**2).sum(axis=1) - 0.5 * ((X - scale[:, None] * residual) ** 2).sum(axis=1)
    return (primal - dual) / np.where(primal > 0, primal, 1.0)


def least_squares_objective(X, dictionary, prior):
    """Minimum of the problem with lam = 0, by SciPy: the ridge becomes rows of the system."""
    X, dictionary = double(X), double(dictionary)
    n_components = len(dictionary)
    A = np.hstack([dictionary, np.sqrt(prior.lam2) * np.eye(n_components)]).T
    B = np.hstack([X, np.zeros((len(X), n_components))])
    if prior.positive:
        code = np.array([scipy.optimize.nnls(A, b)[0] for b in B])
    else:
        code = np.linalg.lstsq(A, B.T, rcond=None)[0].T
    return 0.5 * ((B - code @ A.T) ** 2).sum(axis=1)


def flatness(X, dictionary, prior, kkt_residual):
    """Objective that a least-squares code with this residual may be above its minimum.

    A function of curvature c lies at most ||gradient||^2 / (2 c) above its minimum.
    """
    X, dictionary = double(X), double(dictionary)
    values = np.linalg.eigvalsh(dictionary @ dictionary.T)
    curvature = values[values > 1e-10 * values[-1]].min() + prior.lam2
    gradient = kkt_residual * np.abs(X @ dictionary.T).max(axis=1)
    return len(dictionary) * gradient**2 / (2 * curvature)


def brute_force(X, dictionary, prior):
    """A minimiser for each signal, by trying every sign pattern on every independent set of atoms.

    Some minimiser has independent atoms on its support, and it solves the linear system of its
    signs; so the best consistent pattern is a minimiser. Costs 3^n_components.
    """
    X, dictionary = double(X), double(dictionary)
    n_components = len(dictionary)
    lam = np.broadcast_to(prior.lam, n_components)
    best = np.zeros((len(X), n_components))
    lowest = objective(X, dictionary, prior, best)
    for size in range(1, n_components + 1):
        for support in combinations(range(n_components), size):
            atoms, weights = dictionary[list(support)], lam[list(support)]
            H = atoms @ atoms.T + prior.lam2 * np.eye(size)
            if np.linalg.matrix_rank(H, hermitian=True) < size:
                continue
            for signs in product((1.0,) if prior.positive else (1.0, -1.0), repeat=size):
                entries = np.linalg.solve(H, (X @ atoms.T - weights * np.array(signs)).T).T
                code = np.zeros_like(best)
                code[:, support] = entries
                consistent = (entries * signs >= 0).all(axis=1)
                value = np.where(consistent, objective(X, dictionary, prior, code), np.inf)
                better = value < lowest
                best[better], lowest[better] = code[better], value[better]
    return best
