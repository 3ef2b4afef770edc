"""Logistic loss, log(1 + exp(-y s)), for targets -1 and 1, summed over outputs."""

from dataclasses import dataclass

from .._array import namespace


@dataclass(frozen=True)
class Logistic:
    """Logistic loss of each output: binary, or one class against the rest."""

    margins = True  # targets are signs: one column per class, or one column for two classes

    def value(self, scores, target):
        """Loss of each sample: (n_samples,)."""
        xp = namespace(scores)
        margin = target * scores
        # log(1 + exp(-m)) without overflow for either sign of m
        log_term = xp.log1p(xp.exp(-xp.abs(margin)))
        return xp.sum(xp.maximum(-margin, xp.zeros_like(margin)) + log_term, axis=1)

    def gradient(self, scores, target):
        """Gradient of the loss in the scores: like scores."""
        return -target * _sigmoid(-target * scores)

    def probabilities(self, scores):
        """Class probabilities: sigmoids, normalised if there are several outputs."""
        xp = namespace(scores)
        positive = _sigmoid(scores)
        if scores.shape[1] == 1:
            return xp.concat([_sigmoid(-scores), positive], axis=1)
        total = xp.sum(positive, axis=1, keepdims=True)
        return positive / xp.where(total > 0, total, xp.ones_like(total))


def _sigmoid(t):
    xp = namespace(t)
    exp_t = xp.exp(-xp.abs(t))
    return xp.where(t >= 0, 1 / (1 + exp_t), exp_t / (1 + exp_t))
