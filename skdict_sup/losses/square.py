"""Square loss, 1/2 ||s - y||^2."""

from dataclasses import dataclass

from .._array import namespace


@dataclass(frozen=True)
class Square:
    """Half the squared distance between scores and targets."""

    standardised = (
        True  # targets are scaled to mean zero and unit variance, predictions are scaled back
    )

    def value(self, scores, target):
        """Loss of each sample: (n_samples,)."""
        error = scores - target
        return 0.5 * namespace(scores).sum(error * error, axis=1)

    def gradient(self, scores, target):
        """Gradient of the loss in the scores: like scores."""
        return scores - target
