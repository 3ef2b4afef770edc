"""What encoders are trained for, as a function of the codes after a layer."""

from dataclasses import dataclass
from typing import Any

from .._array import namespace, take_rows
from .network import objective


@dataclass(frozen=True, eq=False)
class Objective:
    """The sparse-coding objective itself: no codes have to be known.

    References
    ----------
    J. Zhou et al., "SC2Net: sparse LSTMs for sparse coding", 2018, equation 8.
    """

    def value(self, code, seen, rows):
        """Objective of each signal."""
        xp = namespace(code)
        return objective(code, seen) + 0.5 * xp.vecdot(seen.X, seen.X, axis=-1)

    def gradient(self, code, seen, rows):
        """A subgradient in the code: zero from the l1 norm where an entry is zero."""
        prior = seen.problem.prior
        smooth = code @ seen.problem.gram - seen.corr + prior.lam2 * code
        return smooth + prior.lam * namespace(code).sign(code)


@dataclass(frozen=True, eq=False)
class Distance:
    """Half the squared distance to known codes.

    References
    ----------
    K. Gregor, Y. LeCun, "Learning fast approximations of sparse coding", 2010, equation 2.
    """

    codes: Any

    def value(self, code, seen, rows):
        """Half the squared distance for each signal."""
        error = code - take_rows(self.codes, rows)
        return 0.5 * namespace(code).sum(error * error, axis=1)

    def gradient(self, code, seen, rows):
        """The difference."""
        return code - take_rows(self.codes, rows)
