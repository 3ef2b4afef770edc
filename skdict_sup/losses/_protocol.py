"""Protocol of supervised losses: implement it to add a custom loss."""

from typing import Any, Protocol

import numpy as np


class Loss(Protocol):
    """Loss between scores (n_samples, n_outputs) and targets of the same shape.

    It is convex, bounded below and differentiable in the scores, and written for any array
    namespace. Optional attributes are

    - `margins`: whether class targets are signs instead of one-hot rows;
    - `standardised`: whether regression targets are scaled to mean zero and unit variance;
    - `inverse_link(scores)`: predictions of a regression, by default the scores;
    - `probabilities(scores)`: class probabilities;
    - `check_target(target)`: raises ValueError for regression targets out of range;
    - `linear_in_target`: whether the loss is a linear function of its target, as cross-entropy is;
      label smoothing then evaluates it once, in place of once for each class.
    """

    def value(self, scores: Any, target: Any) -> Any:
        """Loss of each sample: (n_samples,)."""

    def gradient(self, scores: Any, target: Any) -> Any:
        """Gradient of the loss in the scores: like scores."""


def check_loss(loss):
    """Return loss if it has the required methods, else raise TypeError."""
    missing = [name for name in ("value", "gradient") if not callable(getattr(loss, name, None))]
    if missing:
        raise TypeError(
            f"loss must be a name or an object with the methods value(scores, target) and "
            f"gradient(scores, target), got {loss!r} without {' and '.join(missing)}."
        )
    return loss


def check_loss_shapes(loss, target):
    """Raise ValueError unless value and gradient have their shapes for a few targets."""
    scores, n = 0 * target, target.shape[0]
    expected = {
        "value": ("(n_samples,)", (n,)),
        "gradient": ("(n_samples, n_outputs)", tuple(target.shape)),
    }
    for name, (words, shape) in expected.items():
        found = tuple(getattr(getattr(loss, name)(scores, target), "shape", ()))
        if found != shape:
            raise ValueError(
                f"loss.{name} must return shape {words}, got {found} for scores of shape "
                f"{tuple(target.shape)}, expected {shape}."
            )


def class_table(loss, n_classes):
    """Targets of the classes, one row each: one-hot, or signs for a margin-based loss."""
    table = np.eye(n_classes)
    if not getattr(loss, "margins", False):
        return table
    return 2 * table[:, 1:] - 1 if n_classes == 2 else 2 * table - 1
