"""The size below which entries of codes count as zero, for priors whose codes may vanish."""

from copy import copy

from .._entropy import floor


class Resolving:
    """Prior of which codes below some size count as zero: that of their floats, or of coarser."""

    _least = 0.0

    def resolved_from(self, code):
        """Size from which on entries of a code count."""
        return max(self._least, floor(code))


def coarser(prior, like):
    """A prior for codes that users get in the floats of an array, which may be coarser."""
    if not isinstance(prior, Resolving):
        return prior
    found = copy(prior)
    found._least = floor(like)
    return found
