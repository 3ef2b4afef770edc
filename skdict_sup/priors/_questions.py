"""Optional attributes of priors, each as a function with a default for priors that lack it.

`_protocol.Prior` lists them. All other modules call these functions, so that custom priors and
priors of the package are treated alike.
"""

from copy import copy
from numbers import Real

from .._array import unboxed
from .elastic_net import ElasticNet
from .kl import KL
from .lp import Lp


def weight_of(prior, default=1.0):
    """The number lam of a prior; a default for custom priors that have none, or one per atom."""
    lam = getattr(prior, "lam", default)
    return float(lam) if isinstance(lam, Real) else default


def ridge_of(prior):
    """The weight lam2 of the squared norm; None for priors that have none."""
    return getattr(prior, "lam2", None)


def is_unresolved(prior):
    """Whether lam still has to be computed from signals."""
    return isinstance(getattr(prior, "lam", None), str)


def is_positive(prior):
    """Whether codes are at or above zero; False for priors that do not say."""
    return bool(getattr(prior, "positive", False))


def is_convex(prior):
    """Whether the prior is convex; True for priors that do not say."""
    return bool(getattr(prior, "convex", True))


def has_prox(prior):
    """Whether the prior has a proximal map."""
    return hasattr(prior, "prox")


def is_elastic_net(prior):
    """Whether codes depend on nothing but lam, lam2 and positive."""
    return isinstance(prior, ElasticNet)


def elastic_net_weights(prior):
    """(lam, lam2, positive) of a prior whose formulas are those of the elastic net, or None.

    A subclass may state others.
    """
    return (prior.lam, prior.lam2, prior.positive) if type(prior) is ElasticNet else None


def kl_weights(prior, like):
    """(lam, means, positive) of a prior whose formulas are those of KL, or None."""
    return (prior.lam, prior.mean(like), prior.positive) if type(prior) is KL else None


def is_power(prior):
    """Whether the prior is a power of the magnitudes."""
    return isinstance(prior, Lp)


def is_entropy(prior):
    """Whether the prior is a relative entropy, as exponentiated gradients require."""
    return isinstance(prior, KL)


def uniform_curvature(prior, code):
    """Second derivative of a prior where it is constant, else zero as a lower bound."""
    value = unboxed(prior.curvature(code))  # an array holds at these codes, not everywhere
    return float(value) if isinstance(value, Real) else 0.0


def minimiser(prior, like):
    """Code (1, n_components) that minimises a prior; None for priors that do not say."""
    return prior.code_at(like) if hasattr(prior, "code_at") else None


def settings_of(prior):
    """Hyper-parameters by name; none for priors that do not say."""
    return prior.get_params() if hasattr(prior, "get_params") else {}


def check_components(prior, n_components):
    """Raise if hyper-parameters do not fit the number of atoms."""
    if hasattr(prior, "check_components"):
        prior.check_components(n_components)


def scaled(prior, factor):
    """The prior with its weight lam times a factor."""
    changed = copy(prior)
    changed.lam = prior.lam * factor
    return changed
