"""The KL prior: unnormalised Kullback-Leibler divergence of the code from its prior mean."""

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._array import astype_like, namespace, to_numpy
from .._entropy import OneSided, TwoSided, floor
from .._stored import Stored
from .._typing import Array
from .._validation import check_scalar
from ._resolving import Resolving
from ._scale import check_weight


@dataclass(frozen=True)
class KLGradients:
    """Gradients for the hyper-parameters of `KL`, summed over the batch; p is shaped as in it."""

    lam: Any
    p: Any


class KL(Stored, Resolving, BaseEstimator):
    r"""Kullback-Leibler prior on the codes: a smooth one, with many entries near zero.

    .. math:: \varphi(w) = \lambda \sum_j w_j \log\frac{w_j}{p_j} - w_j + p_j
              \quad \text{on } w \ge 0,

        \varphi(w) = \lambda \sum_j w_j \operatorname{arcsinh}\frac{w_j}{2 p_j}
              - \sqrt{w_j^2 + 4 p_j^2} + 2 p_j \quad \text{on all } w.

    The second is the first on the dictionary [D, -D], written in the difference of the two halves
    of its code. Small p makes codes as sparse as an l1 norm of weight
    :math:`\lambda \log(|w|/p)` would, but smooth in the signal and in the dictionary; large p
    brings them near those of a squared l2 norm.

    Parameters
    ----------
    lam : float, "auto" or "a*lam_max", default="auto"
        Weight, above zero, in the units of the signals (times the norm of an atom). "auto" is free
        of scale: it is resolved once, at fit or in the call, to 0.02 times the median over the
        signals of the largest :math:`|\langle d_j, x \rangle|`, their lam_max; "0.1*lam_max" is
        a tenth of that median, and so on.
    p : float, array of shape (n_components,) or "auto", default="auto"
        Prior mean of the code, above zero, in the units of codes: on w >= 0 the code of a signal
        that no atom matches. "auto" is resolved to 0.002 times the same median.
    positive : bool, default=False
        Whether codes are restricted to nonnegative values: the first form instead of the second.

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

    def check(self):
        """Raise unless every hyper-parameter is in its range."""
        check_weight(self.lam, "lam", strict=True)
        if isinstance(self.p, Real | str):
            if not (isinstance(self.p, str) and self.p == "auto"):
                check_scalar(self.p, "p", low=0.0, strict=True, also="or an array or 'auto'")
        else:
            self._check_means()
        if not isinstance(self.positive, bool):
            raise TypeError(f"positive must be True or False, got {self.positive!r}.")

    def _check_means(self):
        means = to_numpy(self.p)  # on a device as well
        if means.dtype.kind not in "fiu" or means.ndim != 1:
            raise TypeError(
                f"p must be a number above zero, 'auto', or a one-dimensional array of numbers, "
                f"got {self.p!r}."
            )
        if not (np.isfinite(means) & (means > 0)).all():
            raise ValueError(
                f"p must be finite and above zero, got entries from {means.min():g} to "
                f"{means.max():g}."
            )

    def check_components(self, n_components):
        """Raise unless p has one entry for each atom, or one for all."""
        if np.ndim(self.p) and np.shape(self.p)[0] != n_components:
            raise ValueError(
                f"p must have one entry per atom: got {np.shape(self.p)[0]} for a dictionary of "
                f"{n_components} atoms."
            )

    def automatic(self, scale):
        """Values of what is "auto", for signals whose largest correlation is typically `scale`."""
        return {"lam": 0.02 * scale, "p": 0.002 * scale}

    @property
    def _form(self):
        return OneSided if self.positive else TwoSided

    def mean(self, code):
        """P as an array that goes with a code."""
        return astype_like(self.p, code) if np.ndim(self.p) else astype_like([self.p], code)

    def value(self, code):
        """Value of the prior at each code, (n_samples,)."""
        return self.lam * namespace(code).sum(self._form.value(code, self.mean(code)), axis=-1)

    def gradient(self, code):
        """Derivative phi'(w), entry by entry; at zero that of the least float."""
        return self.lam * self._form.rate(code, self.mean(code))

    def code_at(self, slope):
        """The w with phi'(w) = slope, entry by entry."""
        return self._form.code(slope / self.lam, self.mean(slope))

    def mobility(self, code):
        """1 / phi''(w), entry by entry."""
        return self._form.mobility(code, self.mean(code)) / self.lam

    def reach(self, mobility):
        """Largest magnitude of w up to which phi'' is at least 1 / mobility."""
        return self._form.reach(self.lam * mobility, self.mean(mobility))

    def halves(self, code):
        """Nonnegative (plus, minus) with w = plus - minus: the code over [D, -D]."""
        xp = namespace(code)
        large, small = TwoSided.halves(code, self.mean(code))
        return xp.where(code > 0, large, small), xp.where(code > 0, small, large)

    def half_slope(self, code):
        """Derivative of plus in w; that of minus is one less."""
        return 0.5 + 0.5 * code / TwoSided.mobility(code, self.mean(code))

    def stationarity(self, code, slope):
        """Distance of slope to phi'(w), entry by entry; any low slope will do at a zero."""
        xp = namespace(code)
        if not self.positive:
            return xp.abs(slope - self.gradient(code))
        least = xp.full_like(code, self.resolved_from(code))
        off = slope - self.gradient(xp.maximum(code, least))
        return xp.where(code <= least, xp.maximum(off, xp.zeros_like(off)), xp.abs(off))

    def dual_scale(self, code, slope):
        """One: every slope is dual feasible."""
        return namespace(code).ones_like(code[:, 0])

    def fenchel_gap(self, code, slope, scale):
        """Gap phi(w) + phi*(slope) - <w, slope>, summed over terms >= 0: (n_samples,)."""
        off = (slope - self.gradient(code)) / self.lam
        return self.lam * namespace(code).sum(self._form.gap(code, self.mean(code), off), axis=-1)

    def lam_max(self, corr):
        """Infinity, but for signals of zero: no finite lam makes a code zero."""
        xp = namespace(corr)
        top = xp.max(xp.abs(corr), axis=-1)
        zero = xp.zeros_like(top)
        never = xp.full_like(top, xp.inf)
        return never if self.positive else xp.where(top > 0, never, zero)

    def support(self, code):
        """Every entry that floats resolve."""
        xp = namespace(code)
        return code > floor(code) if self.positive else xp.ones_like(code, dtype=xp.bool)

    def curvature(self, code):
        """Second derivative on the support, entry by entry."""
        xp = namespace(code)
        mobility = self.mobility(code)
        return 1.0 / xp.where(self.support(code), mobility, xp.ones_like(mobility))

    def pull_back(self, code, adjoint):
        """Gradients for lam and p: -<adjoint, d phi'(w)>."""
        xp = namespace(code)
        mean = self.mean(code)
        toward_p = -self.lam * xp.sum(adjoint * self._form.rate_of_p(code, mean), axis=0)
        return KLGradients(
            lam=-xp.sum(adjoint * self._form.rate(code, mean)),
            p=toward_p if np.ndim(self.p) else xp.sum(toward_p),
        )
