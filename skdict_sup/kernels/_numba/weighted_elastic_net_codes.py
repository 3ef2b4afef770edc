"""Exact elastic-net codes of signals whose entries have weights, one signal after another."""

import numpy as np

from ._gram import weighted_gram
from .elastic_net_codes import codes_in_order


def weighted_elastic_net_codes(
    dictionary, entry_weight, corr, lam, lam2, positive, init=None, max_iter=None
):
    """Compiled implementation; the docstring of the reference is the contract."""
    gram, order = weighted_gram(dictionary), _by_weights(entry_weight)
    entry_weight = np.ascontiguousarray(entry_weight)
    weights = lam, lam2, positive
    return codes_in_order(gram, entry_weight, order, corr, *weights, init, max_iter)


def _by_weights(entry_weight):
    """Order of the signals in which those of equal weights are neighbours."""
    generic = np.cos(np.arange(1, entry_weight.shape[1] + 1, dtype=entry_weight.dtype))
    return np.argsort(entry_weight @ generic, kind="stable")
