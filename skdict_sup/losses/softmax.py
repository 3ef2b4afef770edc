"""Multinomial logistic loss, -<y, log softmax(s)>, for one-hot targets or distributions."""

from dataclasses import dataclass

from .._array import namespace


@dataclass(frozen=True)
class Softmax:
    """Cross-entropy of the softmax of the scores."""

    margins = False  # targets are one-hot rows, not signs
    linear_in_target = True

    def value(self, scores, target):
        """Loss of each sample: (n_samples,)."""
        xp = namespace(scores)
        scores = scores - xp.max(scores, axis=1, keepdims=True)
        log_sum = xp.log(xp.sum(xp.exp(scores), axis=1))
        return log_sum * xp.sum(target, axis=1) - xp.sum(target * scores, axis=1)

    def gradient(self, scores, target):
        """Gradient of the loss in the scores: like scores."""
        return self.probabilities(scores) * namespace(scores).sum(target, axis=1)[:, None] - target

    def probabilities(self, scores):
        """Softmax of the scores."""
        xp = namespace(scores)
        weights = xp.exp(scores - xp.max(scores, axis=1, keepdims=True))
        return weights / xp.sum(weights, axis=1, keepdims=True)
