"""Codes below given ones, in extended precision: whoever finds one refutes a bound.

Nothing here need be exact, for what is found is judged by its objective alone.
"""

import numpy as np
from extended import LEAST, e, extended

from skdict_sup import KL, ElasticNet, Lp

LENGTHS = 1.0, 0.5, 0.1, 1e-2, 1e-4


def improved(terms, code, rounds=5):
    """Point at codes of which none is above the one given."""
    toward = _toward_kinked if isinstance(terms.prior, ElasticNet) else _toward_smooth
    best = terms.at(code)
    for _ in range(rounds):
        trials = [best, *map(terms.at, toward(best))]
        values = np.stack([trial.objective for trial in trials])
        lowest = np.where(np.isnan(values), np.inf, values).argmin(axis=0)
        if not lowest.any():
            break
        best = terms.at(np.stack([t.code for t in trials])[lowest, np.arange(len(lowest))])
    return best


def solved(H, b):
    """Solutions of positive semidefinite systems; entries that depend on earlier ones are zero."""
    diagonal = np.diagonal(H, axis1=1, axis2=2)
    scale = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1)), 0)
    H, b = H * scale[:, :, None] * scale[:, None, :], b * scale
    x = np.zeros_like(b)
    pivots = []
    for j in range(b.shape[1]):
        pivot = H[:, j, j]
        pivot = np.where(pivot > 8 * len(H[0]) * e, pivot, np.inf)
        factor = H[:, :, j] / pivot[:, None]
        factor[:, j] = 0
        H = H - factor[:, :, None] * H[:, j, None, :]
        b = b - factor * b[:, j, None]
        pivots.append(pivot)
    x = b / np.stack(pivots, axis=1)
    return x * scale


def _toward_kinked(point):
    """Minimisers of the quadratic model of the loss with the elastic net, and points before."""
    prior, start, H = point.terms.prior, point.code, point.hessian
    lam, lam2 = extended(prior.lam), np.longdouble(prior.lam2)
    code, slope = start.copy(), point.slope.copy()
    for n_sweeps in (4, 2, 2):
        for _ in range(n_sweeps):
            _sweep(H, code, slope, prior)
        move = _along_face(H, code, slope, lam, lam2)
        if prior.positive or np.any(lam > 0):
            _stop_at_zero(code, move)
        code += move
        slope -= (H @ move[:, :, None])[:, :, 0]
    _sweep(H, code, slope, prior)
    yield code
    if not point.terms.is_linear:
        for length in LENGTHS[1:]:
            yield start + length * (code - start)


def _sweep(H, code, slope, prior):
    """One round of coordinate descent, in place."""
    lam = np.broadcast_to(extended(prior.lam), code.shape)
    for j in range(code.shape[1]):
        diagonal = H[:, j, j]
        bend = diagonal + np.longdouble(prior.lam2)
        pull = slope[:, j] + diagonal * code[:, j]
        size = np.maximum((pull if prior.positive else np.abs(pull)) - lam[:, j], 0)
        moved = np.sign(pull) * size / np.where(bend > 0, bend, 1)
        change = np.where(bend > 0, moved, code[:, j]) - code[:, j]
        slope -= change[:, None] * H[:, j]
        code[:, j] += change


def _along_face(H, code, slope, lam, lam2):
    """Newton's step among the entries that are not zero."""
    seen = code != 0
    within = seen[:, :, None] & seen[:, None, :]
    H = np.where(within, H, 0) + np.eye(code.shape[1]) * np.where(seen, lam2, 1)[:, None, :]
    return solved(H, np.where(seen, slope - lam2 * code - lam * np.sign(code), 0))


def _stop_at_zero(code, move):
    """Shorten moves to where the first entry vanishes, in place."""
    crosses = (code + move) * np.sign(code) < 0
    ratio = np.where(crosses, -code / np.where(crosses, move, 1), 1)
    length = ratio.min(axis=1, keepdims=True)
    first = crosses & (ratio == length)
    move *= length
    move[first] = -code[first]


def _toward_smooth(point):
    """Points along Newton's direction: straight, along the curve of phi', and the nearer ones."""
    w, rate, excess = point.code, point.rate, point.slope - point.rate
    bend = _bend(point.terms.prior, w)
    H = point.hessian + np.eye(w.shape[1]) * bend[:, None, :]
    move = solved(H, excess)
    for length in LENGTHS:
        straight = w + length * move
        curved = _code_at(point.terms.prior, rate + length * bend * move)
        if getattr(point.terms.prior, "positive", False):
            straight = np.where(straight > 0, straight, curved)
        yield straight
        yield curved
        yield np.where(np.abs(curved) < np.abs(straight), curved, straight)


def _bend(prior, w):
    """phi''(w), finite at zero."""
    lam, size = np.longdouble(prior.lam), np.maximum(np.abs(w), LEAST)
    if isinstance(prior, Lp):
        q = np.longdouble(prior.exponent)
        return lam * q * (q - 1) * size ** (q - 2)
    return lam / (size if prior.positive else np.hypot(w, 2 * np.asarray(prior.p, w.dtype)))


def _code_at(prior, rate):
    """The w with phi'(w) = rate, as far as floats go."""
    if isinstance(prior, KL):
        p, share = np.asarray(prior.p, rate.dtype), np.clip(rate / prior.lam, -700, 700)
        return p * np.exp(share) if prior.positive else 2 * p * np.sinh(share)
    q = np.longdouble(prior.exponent)
    return np.sign(rate) * (np.abs(rate) / (prior.lam * q)) ** (1 / (q - 1))
