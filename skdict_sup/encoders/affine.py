"""Fused layers w+ = soft(s x A' + w M, theta), to which several architectures reduce."""

from .._array import device_of, namespace
from ..kernels import thresholded_product
from ._protocol import Architecture


class Affine(Architecture):
    """Base of architectures whose layers threshold an affine map of signal and code."""

    def forward(self, weights, state, inputs):
        """The next code, from fused weights."""
        signal_term = inputs.project(weights["signal"])
        if "scale" in weights:
            signal_term = weights["scale"] * signal_term
        positive = inputs.problem.prior.positive
        matrix, threshold = weights["matrix"], weights["threshold"]
        return (thresholded_product(signal_term, state[0], matrix, threshold, positive),)


def fused_step(signal, step, product, decay, threshold):
    """Fused weights of w+ = soft(decay w + step (x A' - w B), threshold).

    `signal` is A and `product` is B; `step`, `decay` and `threshold` are numbers.
    """
    xp = namespace(product)
    identity = xp.eye(product.shape[0], dtype=product.dtype, device=device_of(product))
    return {
        "signal": signal,
        "scale": step,
        "matrix": decay * identity - step * product,
        "threshold": threshold * xp.ones_like(product[0, :]),
    }
