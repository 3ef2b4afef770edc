r"""The softmax loss with small features lumped together, a cheap approximation for first codes.

The sum of exponentials over the n features that are not among the largest is replaced by its
second-order cumulant expansion, with the mean m and the covariance C of their columns:

.. math:: \log \sum_i e^{(w D)_i} \approx \log n + \langle w, m \rangle + \tfrac12 w C w^\top .
"""

import math
from dataclasses import dataclass

from .._array import namespace
from ._hessian import LumpedHessian, Shared

_TOL = 0.1  # tolerance of systems: the next step corrects the error


@dataclass(frozen=True)
class LumpedSoftmax:
    """Relative entropy of the signal to the softmax, with an approximate normaliser."""

    quadratic = False

    def evaluate(self, data, code, atoms):
        """Slope and loss of each code."""
        xp = namespace(code)
        log_sum, hessian = self._moments(code, atoms.lump)
        loss = data.offset - xp.sum(code * data.corr, axis=-1) + log_sum
        return data.corr - hessian.mean, loss

    def hessian(self, data, code, slope, loss, atoms):
        """Hessian of the loss at codes."""
        return self._moments(code, atoms.lump)[1]

    def _moments(self, code, lump):
        """Logarithms of the sums of exponentials, and the first two moments of the columns."""
        xp = namespace(code)
        spread = lump.spread(code)
        rest_mean = lump.mean + spread
        others = math.log(lump.n_others) + xp.sum(code * (lump.mean + 0.5 * spread), axis=-1)
        scores = lump.scores(code)
        top = xp.maximum(xp.max(scores, axis=1), others)
        probs, rest = xp.exp(scores - top[:, None]), xp.exp(others - top)[:, None]
        total = xp.sum(probs, axis=1, keepdims=True) + rest
        probs, rest = probs / total, rest / total
        mean = lump.sums(probs) + rest * rest_mean
        log_sum = top + xp.log(total)[:, 0]
        return log_sum, LumpedHessian(probs, mean, rest, rest_mean, Shared(lump, _TOL))
