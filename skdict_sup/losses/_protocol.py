"""What a supervised loss has to know; the whole of what is asked of one's own."""

from typing import Any, Protocol


class Loss(Protocol):
    """Loss between scores (n_samples, n_outputs) and targets of the same shape.

    Convex and differentiable in the scores, written for any array namespace.
    """

    def value(self, scores: Any, target: Any) -> Any:
        """Loss of each sample: (n_samples,)."""

    def gradient(self, scores: Any, target: Any) -> Any:
        """Gradient in the scores, like scores."""
