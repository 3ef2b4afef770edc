"""The KL prior: the unnormalised Kullback-Leibler divergence of a code from its prior mean."""

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._array import astype_like, namespace
from .._entropy import RelativeEntropy, TwoSided
from .._stored import Stored
from .._typing import Array
from .._validation import check_scalar
from ._scale import check_per_atom, check_weight
from ._zero_threshold import HasZeroThreshold


@dataclass(frozen=True)
class KLGradients:
    """Gradients for the hyper-parameters of `KL`, summed over the batch."""

    lam: Any
    p: Any


class KL(Stored, HasZeroThreshold, RelativeEntropy, BaseEstimator):
    r"""Kullback-Leibler prior on the codes: a smooth prior that makes many entries small.

    .. math:: \varphi(w) = \lambda \sum_j \left( w_j \log\frac{w_j}{p_j} - w_j + p_j \right)
              \quad \text{on } w \ge 0,

        \varphi(w) = \lambda \sum_j \left( w_j \operatorname{arcsinh}\frac{w_j}{2 p_j}
              - \sqrt{w_j^2 + 4 p_j^2} + 2 p_j \right) \quad \text{on all } w.

    The second form is the first one for the dictionary [D, -D], as a function of the difference of
    the two halves of its code. With small p, codes are about as sparse as with an l1 norm of
    weight :math:`\lambda \log(|w|/p)`, but smooth in the signal and in the dictionary; with large
    p, they are similar to those with a squared l2 norm.

    Parameters
    ----------
    lam : float, "auto" or "a*lam_max", default="auto"
        Positive weight, in the units of the signals (times the norm of an atom). "auto" follows
        the scale of the signals: it is resolved once, in ``fit`` or in the call, to 0.02 times the
        median over the signals of their lam_max, the largest :math:`|\langle d_j, x \rangle|`;
        "0.1*lam_max" is a tenth of that median, and so on.
    p : float, array of shape (n_components,) or "auto", default="auto"
        Positive prior mean of the code, in the units of codes. If codes are nonnegative, it is the
        code of a signal that is orthogonal to all atoms. "auto" is resolved to 0.002 times the
        same median; to 0.1 with the softmax transfer, where codes are directions of
        log-probabilities, whatever the scale of the correlations.
    positive : bool, default=False
        Whether codes are restricted to nonnegative values, with the first form of the prior.

    References
    ----------
    D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, equation 4 and appendix B.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup import KL, encode
    >>> prior = KL(lam=0.1, p=0.01)
    >>> encode(np.array([[1.0, 0.0]]), np.eye(2), prior=prior).code.round(3)
    array([[0.592, 0.   ]])
    """

    smooth = True

    def __init__(
        self, lam: float | str = "auto", p: float | str | Array = "auto", positive: bool = False
    ):
        self.lam: Any = lam
        self.p: Any = p
        self.positive = positive

    def check(self) -> None:
        """Raise ValueError or TypeError for an invalid hyper-parameter."""
        check_weight(self.lam, "lam", strict=True)
        if isinstance(self.p, Real | str):
            if not (isinstance(self.p, str) and self.p == "auto"):
                check_scalar(self.p, "p", low=0.0, strict=True, also="or an array or 'auto'")
        else:
            check_per_atom(self.p, "p", strict=True)
        if not isinstance(self.positive, bool):
            raise TypeError(f"positive must be True or False, got {self.positive!r}.")

    def check_components(self, n_components: int) -> None:
        """Raise ValueError unless p is a number or has one entry per atom."""
        if np.ndim(self.p) and np.shape(self.p)[0] != n_components:
            raise ValueError(
                f"p must have one entry per atom: got {np.shape(self.p)[0]} for a dictionary of "
                f"{n_components} atoms."
            )

    def automatic(self, scale: Array) -> dict[str, float]:
        """Values for "auto", for signals whose typical lam_max is `scale`."""
        return {"lam": 0.02 * scale, "p": 0.002 * scale}

    def mean(self, like: Array) -> Array:
        """Prior mean p as an array that broadcasts with a code."""
        return astype_like(self.p, like) if np.ndim(self.p) else astype_like([self.p], like)

    def halves(self, code: Array) -> tuple[Array, Array]:
        """Nonnegative (plus, minus) with w = plus - minus: the code over [D, -D]."""
        xp = namespace(code)
        large, small = TwoSided.halves(code, self.mean(code))
        return xp.where(code > 0, large, small), xp.where(code > 0, small, large)

    def half_slope(self, code: Array) -> Array:
        """Derivative of plus in w; the derivative of minus is one less."""
        return 0.5 + 0.5 * code / TwoSided.mobility(code, self.mean(code))

    def dual_scale(self, code: Array, slope: Array) -> Array:
        """One: every slope is dual feasible."""
        return namespace(code).ones_like(code[:, 0])

    def lam_max(self, corr: Array) -> Array:
        """Infinity, except for zero signals: no finite lam gives a zero code."""
        xp = namespace(corr)
        top = xp.max(xp.abs(corr), axis=-1)
        zero = xp.zeros_like(top)
        infinite = xp.full_like(top, xp.inf)
        return infinite if self.positive else xp.where(top > 0, infinite, zero)

    def pull_back(self, code: Array, adjoint: Array) -> Any:
        """Gradients for lam and p: -<adjoint, d phi'(w)>."""
        xp = namespace(code)
        mean = self.mean(code)
        grad_p = -self.lam * xp.sum(adjoint * self._form.gradient_in_p(code, mean), axis=0)
        return KLGradients(
            lam=-xp.sum(adjoint * self._form.gradient(code, mean)),
            p=grad_p if np.ndim(self.p) else xp.sum(grad_p),
        )
