"""Poisson loss, exp(s) - y s, for targets that are counts or other numbers of at least zero."""

from dataclasses import dataclass

import numpy as np

from .._array import namespace


@dataclass(frozen=True)
class Poisson:
    """Negative log-likelihood of counts whose mean is exp(s), but for what no score changes."""

    def check_target(self, target):
        """Raise unless every target is at least zero."""
        if (target < 0).any():
            raise ValueError(
                f"y must be at least zero for loss='poisson', got {np.min(target):g}; use "
                "loss='square' for numbers of both signs."
            )

    def value(self, scores, target):
        """Loss of each sample."""
        xp = namespace(scores)
        return xp.sum(xp.exp(scores) - target * scores, axis=1)

    def gradient(self, scores, target):
        """Gradient in the scores."""
        return namespace(scores).exp(scores) - target

    def inverse_link(self, scores):
        """Mean of the targets: exp of the scores."""
        return namespace(scores).exp(scores)
