"""Nonlinearities of the layers, with their vector-Jacobian products."""

from .._array import namespace


def soft_threshold(pre_activation, threshold, positive):
    """Soft thresholding with one threshold per column; one-sided if `positive`."""
    xp = namespace(pre_activation)
    zero = xp.zeros_like(pre_activation)
    if positive:
        return xp.maximum(pre_activation - threshold, zero)
    above = xp.maximum(pre_activation - threshold, zero)
    return above + xp.minimum(pre_activation + threshold, zero)


def soft_threshold_vjp(code, grad_code):
    """Gradients of pre-activation and threshold, entry by entry, from the gradient of the code."""
    xp = namespace(code)
    grad_pre_activation = xp.where(code != 0, grad_code, xp.zeros_like(grad_code))
    return grad_pre_activation, -xp.sign(code) * grad_pre_activation


def double_tanh(pre_activation, offset, height, positive):
    """Double tanh, height (tanh(z + offset) + tanh(z - offset)), and the two tanh.

    It is flat near zero and bounded; z is the pre-activation.
    """
    xp = namespace(pre_activation)
    right, left = xp.tanh(pre_activation - offset), xp.tanh(pre_activation + offset)
    code = height * (right + left)
    return (xp.maximum(code, xp.zeros_like(code)) if positive else code), (right, left)


def double_tanh_vjp(code, tanhs, height, positive, grad_code):
    """Gradients of pre-activation, offset and height, entry by entry."""
    xp = namespace(code)
    right, left = tanhs
    if positive:
        grad_code = xp.where(code > 0, grad_code, xp.zeros_like(grad_code))
    derivatives = 1 - right * right, 1 - left * left
    scaled = grad_code * height
    return (
        scaled * (derivatives[0] + derivatives[1]),
        scaled * (derivatives[1] - derivatives[0]),
        grad_code * (right + left),
    )


def sigmoid(x):
    """Logistic function 1 / (1 + exp(-x)), computed without overflow."""
    xp = namespace(x)
    return 0.5 * (1 + xp.tanh(0.5 * x))
