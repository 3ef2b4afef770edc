"""The nonlinearities of the layers, with their gradients."""

from .._array import namespace


def soft(point, threshold, positive):
    """Soft thresholding, column by column: zero up to the threshold, or below it where w >= 0."""
    xp = namespace(point)
    zero = xp.zeros_like(point)
    if positive:
        return xp.maximum(point - threshold, zero)
    return xp.maximum(point - threshold, zero) + xp.minimum(point + threshold, zero)


def soft_back(code, toward):
    """Gradients of the point and of the threshold of each entry, for one of the code."""
    xp = namespace(code)
    toward_point = xp.where(code != 0, toward, xp.zeros_like(toward))
    return toward_point, -xp.sign(code) * toward_point


def double_tanh(point, offset, height, positive):
    """Height (tanh(point + offset) + tanh(point - offset)): flat near zero, bounded far away."""
    xp = namespace(point)
    right, left = xp.tanh(point - offset), xp.tanh(point + offset)
    code = height * (right + left)
    return (xp.maximum(code, xp.zeros_like(code)) if positive else code), (right, left)


def double_tanh_back(code, kept, height, positive, toward):
    """Gradients of the point, and of offset and height for each entry."""
    xp = namespace(code)
    right, left = kept
    if positive:
        toward = xp.where(code > 0, toward, xp.zeros_like(toward))
    falls = 1 - right * right, 1 - left * left
    inner = toward * height
    return inner * (falls[0] + falls[1]), inner * (falls[1] - falls[0]), toward * (right + left)


def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow."""
    xp = namespace(x)
    return 0.5 * (1 + xp.tanh(0.5 * x))
