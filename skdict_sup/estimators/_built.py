"""Cache of networks in inference mode, which are rebuilt when their weights change."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from .._array import astype_like, is_numpy
from .._atoms import Atoms
from ..encoders import astype_layers, network
from ..problem import Problem
from ..reconstruction import as_reconstruction

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


def cached_encoder(estimator, layers, like):
    """Network in inference mode for signals like an array, built where anything has changed.

    Only networks of NumPy arrays are cached: comparing arrays on a device is slower than building.
    Arrays are compared before they are converted, and those that layers share once.
    """
    architecture, safeguard = estimator._architecture, estimator.safeguard
    arrays = {id(a): a for layer in layers for a in layer.values()}
    numbers = {key: number for number, key in enumerate(arrays)}
    places = [[(name, numbers[id(a)]) for name, a in layer.items()] for layer in layers]
    found = [estimator.components_, *arrays.values()]
    if not is_numpy(like, *found):
        return _built(estimator, layers, like)
    settings = architecture, safeguard, estimator.prior_.get_params(), like.dtype, places
    entry = _CACHE.get(estimator)
    if entry is None or not entry.matches(found, settings):
        copies = [array.copy() for array in found]
        entry = _CacheEntry(copies, settings, _built(estimator, layers, like))
        _CACHE[estimator] = entry
    return entry.encoder


def _built(estimator, layers, like):
    """Network in inference mode, of arrays converted to those of the signals."""
    dictionary = astype_like(estimator.components_, like)
    reconstruction = as_reconstruction(estimator.transfer)
    problem = Problem(reconstruction, estimator.prior_, Atoms(dictionary))
    layers = astype_layers(layers, dictionary)
    return network.Encoder(estimator._architecture, layers, problem, estimator.safeguard)
