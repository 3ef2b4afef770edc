"""Square loss, 1/2 ||s - y||^2."""

from dataclasses import dataclass

from .._array import namespace


@dataclass(frozen=True)
class Square:
    """Half the squared distance of scores and targets."""

    standardised = True  # targets have mean zero and unit variance, and scores are scaled back

    def value(self, scores, target):
        """Loss of each sample."""
        gap = scores - target
        return 0.5 * namespace(scores).sum(gap * gap, axis=1)

    def gradient(self, scores, target):
        """Gradient in the scores."""
        return scores - target
