"""Optional attributes of priors, read by functions that have defaults.

`_protocol.Prior` lists these attributes. All other modules call these functions, so that custom
priors are treated like those of the package.
"""

from copy import copy
from functools import cache
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator

from .._array import to_numpy, unwrap_scalar
from ._scale import is_per_atom
from .elastic_net import ElasticNet
from .kl import KL
from .lp import Lp


def weight_of(prior, default=1.0):
    """The weight lam of a prior, the largest of an array; the default if it has none."""
    lam = getattr(prior, "lam", default)
    if is_per_atom(lam):
        return float(to_numpy(lam).max(initial=0.0))
    return float(lam) if isinstance(lam, Real) else default


def least_weight(prior):
    """The weight lam of a prior, the smallest above zero of an array; one if it has none."""
    lam = getattr(prior, "lam", 1.0)
    if is_per_atom(lam):
        lam = to_numpy(lam)
        return float(lam[lam > 0].min(initial=np.inf))
    return float(lam) if isinstance(lam, Real) else 1.0


def free_atoms(prior):
    """Indices of the atoms without penalty, where others have one: an array of NumPy integers."""
    lam = getattr(prior, "lam", None)
    if lam is None or not is_per_atom(lam) or not weight_of(prior):
        return np.zeros(0, np.int64)
    return (to_numpy(lam) == 0).nonzero()[0]


def ridge_of(prior):
    """The weight lam2 of the squared norm; None if the prior has none."""
    return getattr(prior, "lam2", None)


def is_unresolved(prior):
    """Whether lam is still "auto" or a multiple of lam_max."""
    return isinstance(getattr(prior, "lam", None), str)


def is_positive(prior):
    """Whether codes are nonnegative; by default False."""
    return bool(getattr(prior, "positive", False))


def is_convex(prior):
    """Whether the prior is convex; by default True."""
    return bool(getattr(prior, "convex", True))


def has_prox(prior):
    """Whether the prior has a proximal map."""
    return hasattr(prior, "prox")


def is_elastic_net(prior):
    """Whether the prior is an elastic net, defined by lam, lam2 and positive."""
    return isinstance(prior, ElasticNet)


def is_plain_elastic_net(prior):
    """Whether the formulas of an elastic net hold: a subclass may override them."""
    return type(prior) is ElasticNet


def elastic_net_weights(prior, like):
    """(lam, lam2, positive) of an elastic net, with an array lam converted to that of `like`."""
    return prior.weight(like), prior.lam2, prior.positive


def kl_weights(prior, like):
    """(lam, means, positive) of a KL prior; None for other priors and for subclasses."""
    return (prior.lam, prior.mean(like), prior.positive) if type(prior) is KL else None


def is_power(prior):
    """Whether the prior is an Lp prior."""
    return isinstance(prior, Lp)


def is_entropy(prior):
    """Whether the prior is a KL prior, as exponentiated gradient requires."""
    return isinstance(prior, KL)


def uniform_curvature(prior, code):
    """Second derivative of a prior if it is constant, else the lower bound zero."""
    value = unwrap_scalar(prior.curvature(code))  # an array is valid at these codes only
    return float(value) if isinstance(value, Real) else 0.0


def minimiser(prior, like):
    """Code (1, n_components) that minimises a prior; None if unknown."""
    return prior.code_at(like) if hasattr(prior, "code_at") else None


def settings_of(prior):
    """Hyper-parameters by name; by default none."""
    kind = type(prior)
    if getattr(kind, "get_params", None) is BaseEstimator.get_params:
        return {name: getattr(prior, name) for name in _parameter_names(kind)}
    return prior.get_params() if hasattr(prior, "get_params") else {}


@cache
def _parameter_names(kind):
    """Names of the parameters of a class; reading its signature takes longer than small codes."""
    return tuple(kind._get_param_names())


def check_components(prior, n_components):
    """Raise ValueError if hyper-parameters do not match the number of atoms."""
    if hasattr(prior, "check_components"):
        prior.check_components(n_components)


def scaled(prior, factor):
    """Copy of a prior with lam multiplied by a factor."""
    prior_copy = copy(prior)
    prior_copy.lam = prior.lam * factor
    return prior_copy
