"""Fused layers w+ = soft(s x A' + w M', theta), to which several architectures reduce."""

from .._array import device_of, namespace
from ._protocol import Architecture
from .factor import Factor, Factors


class Affine(Architecture):
    """Base of architectures whose layers threshold an affine map of signal and code.

    A fused layer has factors `signal` and `matrix`, a `threshold`, and a number `scale` of the
    first product if it is not one. One with a factor `synthesis` takes a step along the residual:
    w+ = soft(decay w + step (x - w D) A', theta).
    """

    def forward(self, weights, state, inputs):
        """The next code, from fused weights."""
        code, positive = state[0], inputs.problem.prior.positive
        if "synthesis" in weights:
            X, signal = inputs.X, weights["signal"]
            residual = weights["synthesis"].layer(X, code, weights["zeros"], step=-1.0)
            numbers = weights["decay"], weights["step"]
            return (signal.layer(code, residual, weights["threshold"], positive, *numbers),)
        fixed, scale = inputs.project(weights["signal"]), weights.get("scale", 1.0)
        return (weights["matrix"].layer(fixed, code, weights["threshold"], positive, scale),)


def fused_steps(signals, steps, problem):
    """Fused layers w+ = soft(decay w + step (x - w D) A', threshold).

    `signals` has A of each layer, and `steps` its numbers step, decay and threshold. Two products
    with few features take less time than one with all pairs of atoms.
    """
    dictionary, factors = problem.dictionary, Factors()
    xp, (p, m) = namespace(dictionary), dictionary.shape
    ones, is_short, common, layers = xp.ones_like(dictionary[:, 0]), 2 * m < p, {}, []
    if is_short:
        common |= {"synthesis": Factor.of(dictionary.T), "zeros": xp.zeros_like(dictionary[0, :])}
    else:
        identity = xp.eye(p, dtype=dictionary.dtype, device=device_of(dictionary))
        products = {id(A): A @ dictionary.T for A in signals}
    for A, (step, decay, threshold) in zip(signals, steps, strict=True):
        layer = common | {"signal": factors(A), "threshold": threshold * ones}
        if is_short:
            layer |= {"step": float(step[0]), "decay": float(decay[0])}
        else:
            matrix = decay * identity - step * products[id(A)]
            layer |= {"scale": float(step[0]), "matrix": Factor.of(matrix)}
        layers.append(layer)
    return layers
