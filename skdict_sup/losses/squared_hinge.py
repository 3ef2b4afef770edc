"""Squared hinge loss, 1/2 max(0, 1 - y s)^2, for targets -1 and 1, summed over outputs."""

from dataclasses import dataclass

from .._array import namespace


@dataclass(frozen=True)
class SquaredHinge:
    """Squared hinge loss of each output: binary, or one class against the rest."""

    margins = True  # targets are signs: one column per class, or one column for two classes

    def value(self, scores, target):
        """Loss of each sample: (n_samples,)."""
        violation = self._violation(scores, target)
        return 0.5 * namespace(scores).sum(violation * violation, axis=1)

    def gradient(self, scores, target):
        """Gradient of the loss in the scores: like scores."""
        return -target * self._violation(scores, target)

    def _violation(self, scores, target):
        """Margin violations, max(0, 1 - y s)."""
        xp = namespace(scores)
        violation = 1 - target * scores
        return xp.maximum(violation, xp.zeros_like(violation))
