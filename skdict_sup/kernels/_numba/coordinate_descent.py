"""Cyclic coordinate descent on the Gram matrix, one signal after another."""

import numpy as np

from ..coordinate_descent import SUPPORT_SWEEPS
from ._compile import ALLOCATING, compiled
from .elastic_net_certificate import certify_row


def coordinate_descent(gram, corr, sq_norm, lam, lam2, positive, tol, max_iter, init=None):
    """Compiled implementation; the docstring of the reference is the contract."""
    dtype = corr.dtype.type
    gram, corr = np.ascontiguousarray(gram), np.ascontiguousarray(corr)
    code, slope = np.zeros_like(corr), np.empty_like(corr)
    if init is not None:
        np.maximum(init, 0, out=code) if positive else np.copyto(code, init)
    n_iter = np.zeros(corr.shape[0], np.int64)
    _codes(
        gram,
        corr,
        sq_norm,
        np.full(corr.shape[1], lam, corr.dtype),
        dtype(lam2),
        positive,
        dtype(tol),
        max_iter,
        code,
        slope,
        n_iter,
    )
    return code, slope, n_iter


@compiled(**ALLOCATING)
def _compute_slope(gram, corr, w, u):
    """Write the slope corr - w G of one signal to u."""
    p = corr.shape[0]
    for j in range(p):
        u[j] = corr[j]
    for i in range(p):
        if w[i] != 0:
            g, value = gram[i], w[i]
            for j in range(p):
                u[j] -= value * g[j]


@compiled(**ALLOCATING)
def _sweep(gram, lam, lam2, positive, w, u, only_support):
    """Minimise over each entry of w in turn, and update the slope u."""
    p = w.shape[0]
    for j in range(p):
        gram_jj = gram[j, j]
        if gram_jj == 0 or (only_support and w[j] == 0):
            continue
        correlation = u[j] + gram_jj * w[j]
        bound = lam[j]
        value = bound * 0
        if correlation > bound:
            value = (correlation - bound) / (gram_jj + lam2)
        elif correlation < -bound and not positive:
            value = (correlation + bound) / (gram_jj + lam2)
        change = value - w[j]
        if change != 0:
            w[j] = value
            g = gram[j]
            for c in range(p):
                u[c] -= change * g[c]


@compiled(**ALLOCATING)
def gap_above(corr, sq_norm, code, slope, i, lam, lam2, positive, tol):
    """Whether the duality gap of signal i is above tol times the objective."""
    certificate = certify_row(corr, sq_norm, code, slope, i, lam, lam2, positive)
    violation, gap, objective = certificate[0], certificate[2], certificate[3]
    is_flat, magnitude = False, violation * 0
    for j in range(code.shape[1]):
        is_flat = is_flat or lam[j] == 0
        magnitude += violation * abs(code[i, j])
    if is_flat:  # the dual ball is flat: the optimality condition decides
        gap = magnitude
    return gap > tol * objective


@compiled(**ALLOCATING)
def _codes(gram, corr, sq_norm, lam, lam2, positive, tol, max_iter, code, slope, n_iter):
    """Replace the initial codes of all signals by optimal ones; writes slopes and iterations."""
    for i in range(corr.shape[0]):
        w, u = code[i], slope[i]
        _compute_slope(gram, corr[i], w, u)
        while n_iter[i] < max_iter:
            _sweep(gram, lam, lam2, positive, w, u, False)
            for _ in range(SUPPORT_SWEEPS):
                _sweep(gram, lam, lam2, positive, w, u, True)
            n_iter[i] += 1
            _compute_slope(gram, corr[i], w, u)
            if not gap_above(corr, sq_norm, code, slope, i, lam, lam2, positive, tol):
                break
