"""The magnitude below which entries of codes count as zero, for priors without exact zeros."""

from copy import copy

from .._entropy import smallest_resolved
from .._typing import Array


class Resolving:
    """Prior whose codes count as zero below a magnitude, that of their own or a coarser dtype."""

    _least = 0.0

    def resolved_from(self, code: Array) -> float:
        """Magnitude from which on entries of a code count."""
        return max(self._least, smallest_resolved(code))


def coarser(prior, like):
    """The prior for codes that are returned in the dtype of an array, which may be coarser."""
    if not isinstance(prior, Resolving):
        return prior
    coarse = copy(prior)
    coarse._least = smallest_resolved(like)
    return coarse
