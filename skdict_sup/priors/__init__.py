"""Priors on the codes.

A prior states phi, its optimality condition and its derivatives, and sees neither the signals
nor a solver. `_protocol.Prior` lists what one's own prior must define; `as_prior` turns what a
user passes (a name or an object) into a checked prior.
"""

import numpy as np

from ._protocol import Prior
from ._scale import resolved
from .elastic_net import ElasticNet
from .kl import KL
from .lp import Lp

__all__ = ["KL", "ElasticNet", "Lp", "Prior", "as_prior", "resolved"]

_DEFAULTS = {"elastic_net": ElasticNet, "kl": KL}


def as_prior(prior):
    """Checked prior object for a prior or the name of one with its default settings."""
    if isinstance(prior, str):
        if prior not in _DEFAULTS:
            raise ValueError(
                f"prior must be one of {sorted(_DEFAULTS)} or a prior object, got {prior!r}."
            )
        prior = _DEFAULTS[prior]()
    if isinstance(prior, type) or not hasattr(prior, "stationarity"):
        raise TypeError(
            f"prior must be one of {sorted(_DEFAULTS)} or an object like ElasticNet(lam=0.1), "
            f"got {prior!r} of type {type(prior).__name__}."
        )
    prior.check()
    return _plain(prior)


def _plain(prior):
    """Prior whose numbers are Python's own: a NumPy float64 would widen float32 arrays."""
    settings = prior.get_params() if hasattr(prior, "get_params") else {}
    if not any(isinstance(value, np.generic) for value in settings.values()):
        return prior
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in settings.items()}
    return type(prior)(**plain)
