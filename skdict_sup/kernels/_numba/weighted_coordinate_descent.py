"""Cyclic coordinate descent for signals whose entries have weights, one signal after another."""

import numpy as np

from ..coordinate_descent import SUPPORT_SWEEPS
from ._compile import ALLOCATING, compiled
from .coordinate_descent import gap_above


def weighted_coordinate_descent(
    dictionary,
    entry_weight,
    corr,
    sq_norm,
    lam,
    lam2,
    positive,
    tol,
    max_iter,
    init=None,
):
    """Compiled implementation; the docstring of the reference is the contract."""
    dtype = corr.dtype.type
    arrays = map(np.ascontiguousarray, (dictionary, entry_weight, corr))
    code, slope = np.zeros_like(corr), np.empty_like(corr)
    if init is not None:
        np.maximum(init, 0, out=code) if positive else np.copyto(code, init)
    n_iter = np.zeros(corr.shape[0], np.int64)
    weights = np.full(corr.shape[1], lam, corr.dtype), dtype(lam2), positive
    _codes(*arrays, sq_norm, *weights, dtype(tol), max_iter, code, slope, n_iter)
    return code, slope, n_iter


@compiled(**ALLOCATING)
def _inner(a, b):
    """Inner product of two vectors."""
    total = 0.0
    for c in range(a.shape[0]):
        total += a[c] * b[c]
    return total


@compiled(**ALLOCATING)
def _residual(dictionary, weight, w, weighted_image):
    """Write the weighted reconstruction of one signal."""
    weighted_image[:] = 0.0
    for j in range(w.shape[0]):
        if w[j] != 0:
            atom, value = dictionary[j], w[j]
            for c in range(weight.shape[0]):
                weighted_image[c] += value * atom[c]
    for c in range(weight.shape[0]):
        weighted_image[c] *= weight[c]


@compiled(**ALLOCATING)
def _sweep(dictionary, weight, diagonal, corr, lam, lam2, positive, w, image, only_support):
    """Minimise over each entry of w in turn, and update the weighted reconstruction."""
    for j in range(w.shape[0]):
        if diagonal[j] == 0 or (only_support and w[j] == 0):
            continue
        atom, bound = dictionary[j], lam[j]
        correlation = corr[j] - _inner(image, atom) + diagonal[j] * w[j]
        value = 0.0
        if correlation > bound:
            value = (correlation - bound) / (diagonal[j] + lam2)
        elif correlation < -bound and not positive:
            value = (correlation + bound) / (diagonal[j] + lam2)
        change = value - w[j]
        if change != 0:
            w[j] = value
            for c in range(image.shape[0]):
                image[c] += change * atom[c] * weight[c]


@compiled(**ALLOCATING)
def _codes(
    dictionary,
    entry_weight,
    corr,
    sq_norm,
    lam,
    lam2,
    positive,
    tol,
    max_iter,
    code,
    slope,
    n_iter,
):
    """Replace the initial codes of all signals by optimal ones; writes slopes and iterations."""
    p, m = dictionary.shape
    image, diagonal = np.empty(m, np.float64), np.empty(p, np.float64)
    for i in range(corr.shape[0]):
        w, weight = code[i], entry_weight[i]
        for j in range(p):
            diagonal[j] = 0.0
            for c in range(m):
                diagonal[j] += weight[c] * dictionary[j, c] * dictionary[j, c]
        while True:
            _residual(dictionary, weight, w, image)
            for j in range(p):
                slope[i, j] = corr[i, j] - _inner(image, dictionary[j])
            if n_iter[i] > 0 and not gap_above(
                corr, sq_norm, code, slope, i, lam, lam2, positive, tol
            ):
                break
            if n_iter[i] == max_iter:
                break
            terms = corr[i], lam, lam2, positive, w, image
            _sweep(dictionary, weight, diagonal, *terms, False)
            for _ in range(SUPPORT_SWEEPS):
                _sweep(dictionary, weight, diagonal, *terms, True)
            n_iter[i] += 1
