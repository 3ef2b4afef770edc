"""Poisson loss, exp(s) - y s, for counts and other nonnegative targets."""

from dataclasses import dataclass

import numpy as np

from .._array import namespace


@dataclass(frozen=True)
class Poisson:
    """Negative log-likelihood of counts with mean exp(s), up to a constant in the scores."""

    def check_target(self, target):
        """Raise ValueError if a target is negative."""
        if (target < 0).any():
            raise ValueError(
                f"y must be at least zero for loss='poisson', got {np.min(target):g}; use "
                "loss='square' for numbers of both signs."
            )

    def value(self, scores, target):
        """Loss of each sample: (n_samples,)."""
        xp = namespace(scores)
        return xp.sum(xp.exp(scores) - target * scores, axis=1)

    def gradient(self, scores, target):
        """Gradient of the loss in the scores: like scores."""
        return namespace(scores).exp(scores) - target

    def inverse_link(self, scores):
        """Means of the targets, exp(scores)."""
        return namespace(scores).exp(scores)
