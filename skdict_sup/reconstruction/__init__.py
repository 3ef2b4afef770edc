"""Reconstruction terms: a transfer f with its matching loss, D_L(x || f(w D))."""

from ._protocol import Reconstruction
from .linear import Linear
from .softmax import Softmax

__all__ = ["Linear", "Reconstruction", "Softmax", "as_reconstruction"]

_TRANSFERS = {"linear": Linear, "softmax": Softmax}


def as_reconstruction(transfer) -> Reconstruction:
    """Reconstruction term for the name of a transfer."""
    if not isinstance(transfer, str) or transfer not in _TRANSFERS:
        raise ValueError(f"transfer must be one of {sorted(_TRANSFERS)}, got {transfer!r}.")
    return _TRANSFERS[transfer]()
