"""Training costs of encoders, as functions of the codes after a layer."""

from dataclasses import dataclass
from typing import Any

from .._array import namespace, take_rows
from .network import objective


@dataclass(frozen=True, eq=False)
class Objective:
    """The sparse-coding objective, which needs no exact codes.

    References
    ----------
    J. Zhou et al., "SC2Net: sparse LSTMs for sparse coding", 2018, equation 8.
    """

    def value(self, code, inputs, rows):
        """Objective of each signal."""
        xp = namespace(code)
        return objective(code, inputs) + 0.5 * xp.vecdot(inputs.X, inputs.X, axis=-1)

    def gradient(self, code, inputs, rows):
        """Subgradient of the objective in the code; the l1 norm contributes zero at zero."""
        prior = inputs.problem.prior
        smooth = code @ inputs.problem.gram - inputs.corr + prior.lam2 * code
        return smooth + prior.weight(code) * namespace(code).sign(code)


@dataclass(frozen=True, eq=False)
class Distance:
    """Half the squared distance to exact codes.

    References
    ----------
    K. Gregor, Y. LeCun, "Learning fast approximations of sparse coding", 2010, equation 2.
    """

    codes: Any

    def value(self, code, inputs, rows):
        """Half the squared distance of each signal."""
        error = code - take_rows(self.codes, rows)
        return 0.5 * namespace(code).sum(error * error, axis=1)

    def gradient(self, code, inputs, rows):
        """Gradient in the code: the difference to the exact code."""
        return code - take_rows(self.codes, rows)
