"""The magnitude up to which entries of codes count as zero, for priors without exact zeros."""

from copy import copy

from .._entropy import smallest_resolved
from .._typing import Array


class HasZeroThreshold:
    """Prior whose entries count as zero where their dtype, or a coarser one, loses precision."""

    _coarse_threshold = 0.0

    def zero_threshold(self, code: Array) -> float:
        """Magnitude up to which entries of a code count as zero."""
        return max(self._coarse_threshold, smallest_resolved(code))


def for_output_dtype(prior, like):
    """Copy of a prior for codes that are returned in the dtype of an array, maybe coarser."""
    if not isinstance(prior, HasZeroThreshold):
        return prior
    prior = copy(prior)
    prior._coarse_threshold = smallest_resolved(like)
    return prior
