"""Weights of the l1 norm for each atom, as compiled kernels follow paths with them."""

from math import frexp

from .._array import namespace


def split_weights(lam):
    """A power of two and weights of at most one, whose products are exactly lam.

    The path of the codes goes down to the first, a number, at bounds of it times the weights.
    """
    largest = float(namespace(lam).max(lam)) if lam.shape[0] else 0.0
    scale = 2.0 ** min(frexp(largest)[1], 1023)
    return scale, lam / scale
