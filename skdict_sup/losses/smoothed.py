"""Label smoothing: a loss of which a share goes to labels drawn at random."""

from dataclasses import dataclass
from typing import Any

from .._array import astype_like


@dataclass(frozen=True, eq=False)
class Smoothed:
    """(1 - share) times a loss, and share times its mean over all labels.

    `table` holds the targets of the labels, one row each. Scores stay finite even where classes
    can be told apart without error.

    References
    ----------
    C. Szegedy et al., "Rethinking the inception architecture for computer vision", 2016,
    section 7.
    """

    loss: Any
    share: float
    table: Any

    def value(self, scores, target):
        """Loss of each sample."""
        return self._mixed(self.loss.value, scores, target)

    def gradient(self, scores, target):
        """Gradient in the scores."""
        return self._mixed(self.loss.gradient, scores, target)

    def _mixed(self, function, scores, target):
        total, table = (1 - self.share) * function(scores, target), astype_like(self.table, scores)
        n_labels = table.shape[0]
        for label in range(n_labels):
            given = 0 * target + table[label, :][None, :]
            total = total + self.share / n_labels * function(scores, given)
        return total
