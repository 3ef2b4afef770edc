"""The Lp prior: a power of the magnitude of the code."""

from dataclasses import dataclass
from typing import Any

from sklearn.base import BaseEstimator

from .._array import namespace
from .._entropy import floor, top_rate
from .._stored import Stored
from .._validation import check_scalar
from ._halves import SignHalves
from ._resolving import Resolving


@dataclass(frozen=True)
class LpGradients:
    """Gradients for the hyper-parameters of `Lp`, summed over the batch."""

    lam: Any
    exponent: Any


class Lp(Stored, Resolving, SignHalves, BaseEstimator):
    r"""Prior on the codes that is a power of their magnitude.

    .. math:: \varphi(w) = \lambda \sum_j |w_j|^q

    For exponents q above one it is smooth and convex, and codes are exact. For exponents below one
    it is neither: codes are then those of a local method, reweighted l1, which starts at the l1
    norm of the same weight and minimises a tangent of the prior again and again; it ends at a
    stationary point, and its duality gap is not a number. For q = 1 see
    :class:`~skdict_sup.ElasticNet`.

    Parameters
    ----------
    lam : float or "auto", default="auto"
        Weight, above zero, in the units of the signals squared over those of codes to the power of
        q. "auto" is free of scale: with c the median over the signals of the largest
        :math:`|\langle d_j, x \rangle|`, it is resolved, at fit or in the call, to
        :math:`0.2\, c^{2 - q}`.
    exponent : float, default=1.5
        The power q, above zero, at most two, and not one.

    References
    ----------
    D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, section 3 and figure 1;
    E. Candes, M. Wakin, S. Boyd, "Enhancing sparsity by reweighted l1 minimization", 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup import Lp, encode
    >>> encode(np.array([[3.0, -1.0]]), np.eye(2), prior=Lp(lam=0.5, exponent=2.0)).code
    array([[ 1.5, -0.5]])
    """

    smooth = True

    def __init__(self, lam: float | str = "auto", exponent: float = 1.5):
        self.lam: Any = lam
        self.exponent = exponent

    def check(self):
        """Raise unless every hyper-parameter is in its range."""
        if not (isinstance(self.lam, str) and self.lam == "auto"):
            check_scalar(self.lam, "lam", low=0.0, strict=True, also="or 'auto'")
        check_scalar(self.exponent, "exponent", low=0.0, high=2.0, strict=True)
        if self.exponent == 1:
            raise ValueError("exponent must not be 1: use ElasticNet(lam), the l1 norm.")

    @property
    def convex(self):
        """Whether the exponent is above one."""
        return self.exponent > 1

    def automatic(self, scale):
        """Values of what is "auto", for signals whose largest correlation is typically `scale`."""
        return {"lam": 0.2 * scale ** (2 - self.exponent)}

    def _power(self, code, exponent):
        """|w|^exponent with the sign of w, and with zeros kept for negative exponents."""
        xp = namespace(code)
        size = xp.abs(code)
        seen = size > 0
        power = xp.where(seen, size, xp.ones_like(size)) ** exponent
        return xp.where(seen, xp.sign(code) * power, xp.zeros_like(code))

    def value(self, code):
        """Value of the prior at each code, (n_samples,)."""
        xp = namespace(code)
        return self.lam * xp.sum(xp.abs(code) ** self.exponent, axis=-1)

    def gradient(self, code):
        """Derivative phi'(w), entry by entry; zero at zero, for exponents below one too."""
        return self.lam * self.exponent * self._power(code, self.exponent - 1)

    def code_at(self, slope):
        """The w with phi'(w) = slope, entry by entry, for exponents above one."""
        xp = namespace(slope)
        top = top_rate(slope)
        size = xp.exp(xp.clip(self._log_at(slope), -top, top))
        return xp.sign(slope) * size

    def _log_at(self, slope):
        """Logarithm of |w| with phi'(w) = slope; zero for a slope of zero."""
        xp = namespace(slope)
        size = xp.abs(slope) / (self.lam * self.exponent)
        return xp.log(xp.where(size > 0, size, xp.ones_like(size))) / (self.exponent - 1)

    def mobility(self, code):
        """1 / phi''(w), entry by entry."""
        xp = namespace(code)
        size = xp.maximum(xp.abs(code), xp.full_like(code, floor(code)))  # a way out of zero
        return size ** (2 - self.exponent) / self._bend

    @property
    def _bend(self):
        return self.lam * self.exponent * (self.exponent - 1)

    def reach(self, mobility):
        """Largest magnitude of w up to which phi'' is at least 1 / mobility."""
        xp = namespace(mobility)
        if self.exponent == 2:
            never = xp.zeros_like(mobility)
            return xp.where(mobility * self._bend >= 1, xp.full_like(mobility, xp.inf), never)
        return (mobility * self._bend) ** (1 / (2 - self.exponent))

    def stationarity(self, code, slope):
        """Distance of slope to phi'(w), entry by entry."""
        xp = namespace(code)
        zero = xp.zeros_like(code)
        if self.exponent < 1:  # at zero the prior has a kink that no slope overcomes
            return xp.where(code == 0, zero, xp.abs(slope - self.gradient(code)))
        off = xp.abs(slope - self.gradient(code))
        if self.exponent == 2:
            return off
        least = xp.full_like(code, self.resolved_from(code))
        lost = xp.maximum(xp.abs(slope) - self.gradient(least), zero)
        return xp.where(xp.abs(code) > least, off, lost)

    def dual_scale(self, code, slope):
        """One: every slope is dual feasible."""
        return namespace(code).ones_like(code[:, 0])

    def fenchel_gap(self, code, slope, scale):
        """Gap phi(w) + phi*(slope) - <w, slope>: (n_samples,); NaN for exponents below one."""
        xp = namespace(code)
        if self.exponent < 1:
            return xp.full_like(code[:, 0], xp.nan)
        best = self.code_at(slope)
        gap = xp.abs(code) ** self.exponent - xp.abs(best) ** self.exponent
        gap = self.lam * gap - slope * (code - best)
        gap = xp.where(self._log_at(slope) > top_rate(slope), xp.full_like(gap, xp.inf), gap)
        return xp.sum(xp.maximum(gap, xp.zeros_like(gap)), axis=-1)

    def lam_max(self, corr):
        """Infinity, but for signals of zero: no finite lam makes a code zero."""
        xp = namespace(corr)
        top = xp.max(xp.abs(corr), axis=-1)
        return xp.where(top > 0, xp.full_like(top, xp.inf), xp.zeros_like(top))

    def support(self, code):
        """Every entry that floats resolve, or all where the prior is quadratic."""
        xp = namespace(code)
        if self.exponent == 2:
            return xp.ones_like(code, dtype=xp.bool)
        return xp.abs(code) > floor(code)

    def curvature(self, code):
        """Second derivative on the support, entry by entry."""
        if self.exponent < 1:
            raise ValueError(
                f"exponent must be above 1 for gradients through the codes, got {self.exponent}: "
                "below it codes are those of a local method."
            )
        xp = namespace(code)
        mobility = self.mobility(code)
        return 1.0 / xp.where(self.support(code), mobility, xp.ones_like(mobility))

    def pull_back(self, code, adjoint):
        """Gradients for lam and the exponent: -<adjoint, d phi'(w)>."""
        xp = namespace(code)
        power = self._power(code, self.exponent - 1)
        size = xp.abs(code)
        log = xp.log(xp.where(size > 0, size, xp.ones_like(size)))
        return LpGradients(
            lam=-self.exponent * xp.sum(adjoint * power),
            exponent=-self.lam * xp.sum(adjoint * power * (1 + self.exponent * log)),
        )
