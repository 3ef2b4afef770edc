"""Label smoothing: a mixture of a loss and its mean over all labels."""

from dataclasses import dataclass
from typing import Any

from .._array import astype_like, namespace


@dataclass(frozen=True, eq=False)
class Smoothed:
    """(1 - smoothing) times a loss plus smoothing times its mean over all labels.

    `table` holds the targets of the labels, one row each. Scores stay finite even if the classes
    are separable.

    References
    ----------
    C. Szegedy et al., "Rethinking the inception architecture for computer vision", 2016,
    section 7.
    """

    loss: Any
    smoothing: float
    table: Any

    def value(self, scores, target):
        """Loss of each sample: (n_samples,)."""
        return self._mixed(self.loss.value, scores, target)

    def gradient(self, scores, target):
        """Gradient of the loss in the scores: like scores."""
        return self._mixed(self.loss.gradient, scores, target)

    def _mixed(self, function, scores, target):
        table = astype_like(self.table, scores)
        n_labels = table.shape[0]
        if getattr(self.loss, "linear_in_target", False):
            mean = namespace(table).sum(table, axis=0)[None, :] / n_labels
            return function(scores, (1 - self.smoothing) * target + self.smoothing * mean)
        total = (1 - self.smoothing) * function(scores, target)
        for label in range(n_labels):
            label_target = 0 * target + table[label, :][None, :]
            total = total + self.smoothing / n_labels * function(scores, label_target)
        return total
