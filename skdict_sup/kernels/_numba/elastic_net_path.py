"""Exact elastic-net codes for several weights, one signal after another along its path."""

import numpy as np

from .._weights import split_weights
from ._gram import by_weights, shared_gram, weighted_gram
from .elastic_net_codes import codes_in_order


def elastic_net_path(
    gram, corr, lams, lam2, positive, weights=None, dictionary=None, entry_weight=None
):
    """Compiled implementation; the docstring of the reference is the contract."""
    scale = 1.0
    if weights is not None:
        scale, weights = split_weights(weights)
    if entry_weight is None:
        work, order = shared_gram(gram), np.arange(corr.shape[0])
        entry_weight = np.zeros((0, 0), corr.dtype)
    else:
        work, order = weighted_gram(dictionary), by_weights(entry_weight)
        entry_weight = np.ascontiguousarray(entry_weight)
    lams = [float(lam) * scale for lam in lams]
    settings = corr, lams, weights, lam2, positive, None, None
    return codes_in_order(work, entry_weight, order, *settings)
