"""Exponentials of scores, their sums, and means of columns of a dictionary under the softmax."""

from .._array import exp_in_place, namespace, on_host
from .._threads import slices

_BLOCK_ROWS = 64  # signals whose exponentials stay in the second-level cache


def exp_scores(scores):
    """Exponentials relative to the largest score, their sum, and the logarithm of all sums.

    The scores are overwritten in host memory.
    """
    xp = namespace(scores)
    top = xp.max(scores, axis=1, keepdims=True)
    scores -= top
    found = exp_in_place(scores)
    total = xp.sum(found, axis=1, keepdims=True)
    return found, total, (top + xp.log(total))[:, 0]


def softmax(scores):
    """Softmax of each row, and the logarithm of its denominator; the scores are overwritten."""
    found, total, log_sum = exp_scores(scores)
    found /= total
    return found, log_sum


def softmax_moments(code, atoms):
    """Means of the columns of the dictionary under softmax(w D), and logarithms of denominators.

    Codes and atoms have one dtype.
    """
    xp, n = namespace(code), code.shape[0]
    n_rows = _BLOCK_ROWS if on_host(code) else max(n, 1)
    parts = [_block(code[rows, :], atoms) for rows in slices(max(n, 1), n_rows)]
    if len(parts) == 1:
        return parts[0]
    means, log_sums = zip(*parts, strict=True)
    return xp.concat(means, axis=0), xp.concat(log_sums, axis=0)


def _block(code, atoms):
    found, total, log_sum = exp_scores(atoms.scores(code))
    return atoms.own_correlations(found) / total, log_sum


def loss_of(data, code, log_sum):
    """Loss of each code, given the logarithm of the denominator of its softmax."""
    xp = namespace(code)
    loss = data.offset - xp.sum(code * data.corr, axis=-1) + log_sum
    return xp.maximum(loss, xp.zeros_like(loss))
