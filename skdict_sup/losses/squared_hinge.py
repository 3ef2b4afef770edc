"""Squared hinge loss, 1/2 max(0, 1 - y s)^2, for targets of -1 and 1; outputs add up."""

from dataclasses import dataclass

from .._array import namespace


@dataclass(frozen=True)
class SquaredHinge:
    """One large-margin model for each output: binary, or one against the rest."""

    margins = True  # targets are signs, one column for each class (one alone for two classes)

    def value(self, scores, target):
        """Loss of each sample."""
        short = self._short(scores, target)
        return 0.5 * namespace(scores).sum(short * short, axis=1)

    def gradient(self, scores, target):
        """Gradient in the scores."""
        return -target * self._short(scores, target)

    def _short(self, scores, target):
        """How far each margin falls short of one."""
        xp = namespace(scores)
        short = 1 - target * scores
        return xp.maximum(short, xp.zeros_like(short))
