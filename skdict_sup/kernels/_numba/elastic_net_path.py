"""Exact elastic-net codes for several weights, one signal after another along its path."""

from .._weights import split_weights
from ._gram import prepare_gram
from .elastic_net_codes import codes_in_order


def elastic_net_path(
    gram, corr, lams, lam2, positive, weights=None, dictionary=None, entry_weight=None
):
    """Compiled implementation; the docstring of the reference is the contract."""
    scale = 1.0
    if weights is not None:
        scale, weights = split_weights(weights)
    work, order, entry_weight = prepare_gram(gram, corr, dictionary, entry_weight)
    lams = [float(lam) * scale for lam in lams]
    settings = corr, lams, weights, lam2, positive, None, None
    return codes_in_order(work, entry_weight, order, *settings)
