"""A step of Adam for rows in the unit ball, in one pass over the rows."""

import numpy as np

from ..ball_step import DECAY, DECAY_SQUARES, GRADIENT_NOISE
from ._compile import OPTIONS, compiled


def ball_step(rows, gradient, mean, squares, n_steps, rate, positive):
    """Compiled implementation; the docstring of the reference is the contract."""
    dtype = rows.dtype.type
    arrays = (np.ascontiguousarray(a) for a in (rows, gradient, mean, squares))
    out = np.empty(rows.shape, rows.dtype), np.empty(rows.shape, rows.dtype)
    new_squares = np.empty(squares.shape, rows.dtype)
    biases = dtype(1 - DECAY**n_steps), dtype(1 - DECAY_SQUARES**n_steps)
    _step(*arrays, *biases, dtype(rate), bool(positive), *out, new_squares)
    return *out, new_squares


@compiled(**OPTIONS)
def _step(
    rows,
    gradient,
    mean,
    squares,
    bias,
    bias_squares,
    rate,
    positive,
    out,
    new_mean,
    new_squares,
):
    """Write the new rows and moments."""
    n, m = rows.shape
    number = rows.dtype.type
    zero, one, floor = number(0), number(1), number(0)
    decay, share = number(DECAY), number(1 - DECAY)
    decay_squares, share_squares = number(DECAY_SQUARES), number(1 - DECAY_SQUARES)
    for i in range(n):
        norm = zero
        for j in range(m):
            norm += gradient[i, j] * gradient[i, j]
        new_squares[i, 0] = decay_squares * squares[i, 0] + share_squares * norm
        floor += new_squares[i, 0]
    floor *= number(GRADIENT_NOISE**2) / number(n)
    for i in range(n):
        scale = bias * ((new_squares[i, 0] + floor) / bias_squares) ** number(0.5)
        length = rate / scale if scale > zero else rate
        norm = zero
        for j in range(m):
            moment = decay * mean[i, j] + share * gradient[i, j]
            entry = rows[i, j] - length * moment
            if positive and entry < zero:
                entry = zero
            new_mean[i, j], out[i, j] = moment, entry
            norm += entry * entry
        if not norm <= one:
            factor = one / norm ** number(0.5)
            for j in range(m):
                out[i, j] *= factor
