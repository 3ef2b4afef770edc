"""Schedules of learning rates and of the weight mu over a training."""

import math
from dataclasses import dataclass
from typing import Any

_WARM_STEPS = 200  # steps of the linear warm-up of `Cosine`, at most
_STREAM_DECAY_STEPS = 30  # steps after which `Stream` has decayed by the square root of two


@dataclass(frozen=True)
class Cosine:
    """Linear warm-up, then half a cosine down to zero over a number of steps.

    `learning_rate` is the length of a step of an atom, in units of its norm, and
    `head_learning_rate` the size of a step of the head on scaled codes.
    """

    learning_rate: float
    head_learning_rate: float
    n_steps: int

    def learning_rates(self, n_done):
        """Learning rates of atoms and head after `n_done` steps."""
        warm_up = min(1.0, (n_done + 1) / min(_WARM_STEPS, max(1, self.n_steps // 5)))
        decay = 0.5 * (1 + math.cos(math.pi * min(1.0, n_done / self.n_steps)))
        return self.learning_rate * warm_up * decay, self.head_learning_rate * warm_up * decay


@dataclass(frozen=True)
class Stream:
    """Decay like one over the square root of the steps, for a stream of unknown length."""

    learning_rate: float
    head_learning_rate: float

    def learning_rates(self, n_done):
        """Learning rates of atoms and head after `n_done` steps."""
        decay = (1 + n_done / _STREAM_DECAY_STEPS) ** -0.5
        return self.learning_rate * decay, self.head_learning_rate * decay


@dataclass(frozen=True)
class InverseTime:
    """Constant over a tenth of the steps, then decay like 1 / t; the same rate for the head.

    References
    ----------
    J. Mairal, F. Bach, J. Ponce, "Task-driven dictionary learning", 2012, section 5.2.
    """

    learning_rate: float
    n_steps: int

    def learning_rates(self, n_done):
        """Learning rates of atoms and head after `n_done` steps."""
        learning_rate = self.learning_rate * min(1.0, 0.1 * self.n_steps / (n_done + 1))
        return learning_rate, learning_rate


@dataclass(frozen=True)
class MuSchedule:
    """Weight mu over the epochs: a number, one for each equal part, or a function of progress."""

    mu: Any

    def at(self, epoch, n_epochs):
        """Value of mu in an epoch; epochs are counted from zero."""
        progress = min(1.0, epoch / max(1, n_epochs))
        mu: Any = self.mu
        if callable(mu):
            value: Any = mu(progress)
            return float(value)
        if isinstance(self.mu, int | float):
            return float(self.mu)
        return float(self.mu[min(int(progress * len(self.mu)), len(self.mu) - 1)])
