"""What a supervised loss has to know; the whole of what is asked of a custom loss."""

from typing import Any, Protocol

import numpy as np


class Loss(Protocol):
    """Loss between scores (n_samples, n_outputs) and targets of the same shape.

    Convex, bounded below and differentiable in the scores, written for any array namespace. What
    it may have besides: `margins`, true where targets of classes are signs and not one-hot rows;
    `standardised`, true where targets of a regression should have mean zero and unit variance;
    `inverse_link(scores)`, what a regression predicts, without it the scores;
    `probabilities(scores)`, those of the classes; and `check_target(target)`, which raises for
    targets of a regression that are out of range.
    """

    def value(self, scores: Any, target: Any) -> Any:
        """Loss of each sample: (n_samples,)."""

    def gradient(self, scores: Any, target: Any) -> Any:
        """Gradient in the scores, like scores."""


def check_loss(loss):
    """Return an object that has what is asked of a loss."""
    missing = [name for name in ("value", "gradient") if not callable(getattr(loss, name, None))]
    if missing:
        raise TypeError(
            f"loss must be a name or an object with the methods value(scores, target) and "
            f"gradient(scores, target), got {loss!r} without {' and '.join(missing)}."
        )
    return loss


def class_table(loss, n_classes):
    """Targets of the classes for a loss: one-hot rows, or signs for a loss of margins."""
    table = np.eye(n_classes)
    if not getattr(loss, "margins", False):
        return table
    return 2 * table[:, 1:] - 1 if n_classes == 2 else 2 * table - 1
