"""Layers w+ = soft(s x A' + w M, theta): the form in which several architectures run."""

from .._array import device_of, namespace
from ..kernels import thresholded_product
from ._protocol import Architecture


class Affine(Architecture):
    """Base of architectures whose layers are affine maps of signal and code, then a threshold."""

    def advance(self, weights, state, seen):
        """The next code."""
        fixed = seen.times(weights["signal"])
        if "scale" in weights:
            fixed = weights["scale"] * fixed
        positive = seen.problem.prior.positive
        matrix, threshold = weights["matrix"], weights["threshold"]
        return (thresholded_product(fixed, state[0], matrix, threshold, positive),)


def step_along(signal, step, moved, keep, threshold):
    """Form of w+ = soft(keep w + step (x A' - w B), threshold), for numbers `step` and so on.

    `signal` is A, and `moved` is B.
    """
    xp = namespace(moved)
    identity = xp.eye(moved.shape[0], dtype=moved.dtype, device=device_of(moved))
    return {
        "signal": signal,
        "scale": step,
        "matrix": keep * identity - step * moved,
        "threshold": threshold * xp.ones_like(moved[0, :]),
    }
