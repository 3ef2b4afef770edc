"""Exact elastic-net codes of signals whose entries have weights, one signal after another."""

import numpy as np

from ._gram import by_weights, weighted_gram
from .elastic_net_codes import codes_for_one_weight


def weighted_elastic_net_codes(
    dictionary, entry_weight, corr, lam, lam2, positive, init=None, max_iter=None
):
    """Compiled implementation; the docstring of the reference is the contract."""
    gram, order = weighted_gram(dictionary), by_weights(entry_weight)
    entry_weight = np.ascontiguousarray(entry_weight)
    settings = lam, lam2, positive, init, max_iter
    return codes_for_one_weight(gram, entry_weight, order, corr, *settings)
