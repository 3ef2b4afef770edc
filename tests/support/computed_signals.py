"""A kind of signals that the package does not have: its rows are computed from their numbers."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from skdict_sup._signals import Signals


@dataclass(frozen=True, eq=False)
class Computed(Signals):
    """Signals that a function of their numbers makes when a batch is asked for."""

    make: Callable
    numbers: np.ndarray
    n_features: int
    like = np.zeros(0)

    @property
    def shape(self):
        return len(self.numbers), self.n_features

    def rows(self, rows):
        return replace(self, numbers=self.numbers[rows])

    def dense(self):
        return self.make(self.numbers)
