"""Priors on the codes.

A prior defines phi, its optimality condition and its derivatives, independently of signals and
solvers. `_protocol.Prior` lists what a custom prior must define; `as_prior` checks a prior, or
creates it from a name.
"""

from numbers import Real

import numpy as np

from .._array import unwrap_scalar
from ._curvature import curvature_of
from ._optional import (
    check_components,
    elastic_net_weights,
    free_atoms,
    has_prox,
    is_convex,
    is_elastic_net,
    is_entropy,
    is_plain_elastic_net,
    is_positive,
    is_power,
    is_unresolved,
    kl_weights,
    least_weight,
    minimiser,
    ridge_of,
    scaled,
    settings_of,
    uniform_curvature,
    weight_of,
)
from ._protocol import Prior, ProximalPrior, SmoothPrior
from ._scale import is_per_atom, resolve_weights
from ._zero_threshold import for_output_dtype
from .elastic_net import ElasticNet
from .kl import KL
from .lp import Lp

__all__ = [
    "KL",
    "TO_DIFFERENTIATE",
    "ElasticNet",
    "Lp",
    "Prior",
    "ProximalPrior",
    "SmoothPrior",
    "as_prior",
    "check_components",
    "check_methods",
    "curvature_of",
    "elastic_net_weights",
    "for_output_dtype",
    "free_atoms",
    "has_prox",
    "is_convex",
    "is_elastic_net",
    "is_entropy",
    "is_per_atom",
    "is_plain_elastic_net",
    "is_positive",
    "is_power",
    "is_unresolved",
    "kl_weights",
    "least_weight",
    "minimiser",
    "resolve_weights",
    "ridge_of",
    "scaled",
    "settings_of",
    "uniform_curvature",
    "weight_of",
]

_DEFAULTS = {"elastic_net": ElasticNet, "kl": KL}
_PACKAGE_PRIORS = ElasticNet, KL, Lp
_TO_CODE = "check", "value", "stationarity", "dual_scale", "fenchel_gap", "curvature"
_TO_CODE_SMOOTHLY = "gradient", "code_at", "mobility", "reach"
TO_DIFFERENTIATE = "support", "curvature", "pull_back"


def as_prior(prior):
    """Check a prior, or create the prior of a given name with its default settings."""
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
    if not isinstance(getattr(prior, "smooth", None), bool):
        raise TypeError(
            f"prior must have an attribute smooth that is True or False, got {prior!r} of type "
            f"{type(prior).__name__}; skdict_sup.priors.Prior lists what a prior must define."
        )
    if type(prior) not in _PACKAGE_PRIORS:
        needed = _TO_CODE + (_TO_CODE_SMOOTHLY if prior.smooth else ())
        check_methods(prior, needed, "to be coded")
    prior = _with(prior, unwrap_scalar)
    prior.check()
    return _with(prior, _float) if isinstance(prior, _PACKAGE_PRIORS) else prior


def check_methods(prior, names, purpose):
    """Raise TypeError unless a prior has the methods that a purpose needs."""
    missing = [name for name in names if not callable(getattr(prior, name, None))]
    if missing:
        raise TypeError(
            f"prior must define {', '.join(missing)} {purpose}, got {prior!r} of type "
            f"{type(prior).__name__} without; skdict_sup.priors.Prior and SmoothPrior describe "
            "what each method computes."
        )


def _with(prior, change):
    """Apply a function to the settings; return the same prior if none changes."""
    settings = settings_of(prior)
    changed = {name: change(value) for name, value in settings.items()}
    is_unchanged = all(changed[name] is value for name, value in settings.items())
    return prior if is_unchanged else type(prior)(**changed)


def _float(value):
    """Convert integers to floats, as compiled kernels require; float32 arrays stay float32."""
    if isinstance(value, list | tuple | np.ndarray):
        return np.asarray(value, np.result_type(np.asarray(value), np.float32))
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else value
