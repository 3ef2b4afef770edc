"""How step sizes and weights change over a training."""

import math
from dataclasses import dataclass
from typing import Any

_WARM_STEPS = 200  # over which the step sizes of `Cosine` rise
_STREAM_STEPS = 30  # after which those of `Stream` have fallen to seven tenths


@dataclass(frozen=True)
class Cosine:
    """Step sizes over a number of steps: a linear rise, then half a cosine down to zero.

    `rate` is the length of an atom's step, in units of its norm; `head_rate` the size of a step of
    the head on scaled codes.
    """

    rate: float
    head_rate: float
    n_steps: int

    def rates(self, done):
        """Step sizes after `done` steps."""
        rise = min(1.0, (done + 1) / min(_WARM_STEPS, max(1, self.n_steps // 5)))
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, done / self.n_steps)))
        return self.rate * rise * fall, self.head_rate * rise * fall


@dataclass(frozen=True)
class Stream:
    """Step sizes for a stream without end: they fall like the root of the steps."""

    rate: float
    head_rate: float

    def rates(self, done):
        """Step sizes after `done` steps."""
        fall = (1 + done / _STREAM_STEPS) ** -0.5
        return self.rate * fall, self.head_rate * fall


@dataclass(frozen=True)
class InverseTime:
    """One step size for all: constant over a tenth of the steps, then like 1 / t.

    References
    ----------
    J. Mairal, F. Bach, J. Ponce, "Task-driven dictionary learning", 2012, section 5.2.
    """

    rate: float
    n_steps: int

    def rates(self, done):
        """Step sizes after `done` steps."""
        rate = self.rate * min(1.0, 0.1 * self.n_steps / (done + 1))
        return rate, rate


@dataclass(frozen=True)
class Mix:
    """Weight mu over the epochs: a number, one for each equal part, or a function of progress."""

    mu: Any

    def at(self, epoch, n_epochs):
        """Value of mu in an epoch, counted from zero."""
        progress = min(1.0, epoch / max(1, n_epochs))
        mu: Any = self.mu
        if callable(mu):
            value: Any = mu(progress)
            return float(value)
        if isinstance(self.mu, int | float):
            return float(self.mu)
        return float(self.mu[min(int(progress * len(self.mu)), len(self.mu) - 1)])
