"""Cache of networks in inference mode, which are rebuilt when their weights change."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from .._array import is_numpy
from ..encoders import network

# keyed by estimator, not an attribute of it: networks are neither stored nor compared
_CACHE = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class _CacheEntry:
    """A network, with copies of the arrays and settings that it was built from."""

    arrays: list
    settings: tuple
    encoder: network.Encoder

    def matches(self, arrays, settings):
        """Whether a network built from these arrays and settings would be the same."""
        pairs = zip(self.arrays, arrays, strict=False)
        same_settings = len(self.arrays) == len(arrays) and self.settings == settings
        return same_settings and all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


def cached_encoder(estimator, architecture, layers, problem, safeguard):
    """Network in inference mode, from the cache unless its arrays or settings have changed.

    Only networks of NumPy arrays are cached: comparing arrays on a device is slower than building.
    """
    arrays = [problem.dictionary, *(a for layer in layers for a in layer.values())]
    if not is_numpy(*arrays):
        return network.Encoder(architecture, layers, problem, safeguard)
    settings = architecture, safeguard, problem.prior.get_params()
    entry = _CACHE.get(estimator)
    if entry is None or not entry.matches(arrays, settings):
        encoder = network.Encoder(architecture, layers, problem, safeguard)
        entry = _CacheEntry([array.copy() for array in arrays], settings, encoder)
        _CACHE[estimator] = entry
    return entry.encoder
