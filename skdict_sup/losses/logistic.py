"""Logistic loss, log(1 + exp(-y s)), for targets of -1 and 1; outputs add up."""

from dataclasses import dataclass

from .._array import namespace


@dataclass(frozen=True)
class Logistic:
    """One logistic model for each output: binary, or one against the rest."""

    margins = True  # targets are signs, one column for each class (one alone for two classes)

    def value(self, scores, target):
        """Loss of each sample."""
        xp = namespace(scores)
        margin = target * scores
        # log(1 + exp(-m)) without overflow on either side
        tail = xp.log1p(xp.exp(-xp.abs(margin)))
        return xp.sum(xp.maximum(-margin, xp.zeros_like(margin)) + tail, axis=1)

    def gradient(self, scores, target):
        """Gradient in the scores."""
        return -target * _sigmoid(-target * scores)

    def probabilities(self, scores):
        """Class probabilities: the sigmoid, normalised over outputs where there are several."""
        xp = namespace(scores)
        positive = _sigmoid(scores)
        if scores.shape[1] == 1:
            return xp.concat([_sigmoid(-scores), positive], axis=1)
        total = xp.sum(positive, axis=1, keepdims=True)
        return positive / xp.where(total > 0, total, xp.ones_like(total))


def _sigmoid(t):
    xp = namespace(t)
    tail = xp.exp(-xp.abs(t))
    return xp.where(t >= 0, 1 / (1 + tail), tail / (1 + tail))
