"""The Lp prior: a power of the magnitude of the code."""

from dataclasses import dataclass
from typing import Any

from sklearn.base import BaseEstimator

from .._array import namespace
from .._entropy import max_exponent, smallest_resolved
from .._stored import Stored
from .._typing import Array
from .._validation import check_scalar
from ._halves import SignHalves
from ._zero_threshold import HasZeroThreshold


@dataclass(frozen=True)
class LpGradients:
    """Gradients for the hyper-parameters of `Lp`, summed over the batch."""

    lam: Any
    exponent: Any


class Lp(Stored, HasZeroThreshold, SignHalves, BaseEstimator):
    r"""Prior on the codes that is a power of the magnitude of their entries.

    .. math:: \varphi(w) = \lambda \sum_j |w_j|^q

    For exponents q above one, the prior is smooth and convex, and codes are exact. For exponents
    below one it is neither smooth nor convex, and codes are computed by a local method, reweighted
    l1: it starts from the l1 codes of the same weight, repeatedly minimises a tangent of the
    prior, and ends at a stationary point, whose duality gap is NaN. For q = 1, use
    :class:`~skdict_sup.ElasticNet`.

    Parameters
    ----------
    lam : float or "auto", default="auto"
        Positive weight, in squared units of the signals divided by the units of codes to the power
        q. "auto" follows the scale of the signals: it is resolved, in ``fit`` or in the call, to
        :math:`0.2\, c^{2 - q}`, with c the median over the signals of the largest
        :math:`|\langle d_j, x \rangle|`.
    exponent : float, default=1.5
        The exponent q, in (0, 2], not equal to one.

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

    def check(self) -> None:
        """Raise ValueError or TypeError for an invalid hyper-parameter."""
        if not (isinstance(self.lam, str) and self.lam == "auto"):
            check_scalar(self.lam, "lam", low=0.0, strict=True, also="or 'auto'")
        check_scalar(self.exponent, "exponent", low=0.0, high=2.0, strict=True)
        if self.exponent == 1:
            raise ValueError("exponent must not be 1: use ElasticNet(lam), the l1 norm.")

    @property
    def convex(self) -> bool:
        """Whether the exponent is above one."""
        return self.exponent > 1

    def automatic(self, scale: Array) -> dict[str, float]:
        """Values for "auto", for signals whose typical lam_max is `scale`."""
        return {"lam": 0.2 * scale ** (2 - self.exponent)}

    def _power(self, code, exponent):
        """Compute |w|^exponent with the sign of w; zero at w = 0, also for negative exponents."""
        xp = namespace(code)
        magnitude = xp.abs(code)
        is_nonzero = magnitude > 0
        power = xp.where(is_nonzero, magnitude, xp.ones_like(code)) ** exponent
        return xp.where(is_nonzero, xp.sign(code) * power, xp.zeros_like(code))

    def value(self, code: Array) -> Array:
        """Value of the prior at each code: (n_samples,)."""
        xp = namespace(code)
        return self.lam * xp.sum(xp.abs(code) ** self.exponent, axis=-1)

    def gradient(self, code: Array) -> Array:
        """Derivative phi'(w), entry by entry; zero at zero, also for exponents below one."""
        return self.lam * self.exponent * self._power(code, self.exponent - 1)

    def code_at(self, slope: Array) -> Array:
        """The w with phi'(w) = slope, entry by entry, for exponents above one."""
        xp = namespace(slope)
        limit = max_exponent(slope)
        return xp.sign(slope) * xp.exp(xp.clip(self._log_code_at(slope), -limit, limit))

    def _log_code_at(self, slope):
        """Logarithm of |w| with phi'(w) = slope; zero for a slope of zero."""
        xp = namespace(slope)
        power = xp.abs(slope) / (self.lam * self.exponent)  # |w|^(q - 1)
        return xp.log(xp.where(power > 0, power, xp.ones_like(power))) / (self.exponent - 1)

    def mobility(self, code: Array) -> Array:
        """Inverse curvature 1 / phi''(w), entry by entry."""
        xp = namespace(code)
        # an entry of zero gets a positive value, so that it can leave zero
        least = xp.full_like(code, smallest_resolved(code))
        return xp.maximum(xp.abs(code), least) ** (2 - self.exponent) / self._curvature_at_one

    @property
    def _curvature_at_one(self):
        """Second derivative at w = 1."""
        return self.lam * self.exponent * (self.exponent - 1)

    def reach(self, mobility: Array) -> Array:
        """Largest abs(w) at which phi''(w) is at least 1 / mobility."""
        xp = namespace(mobility)
        if self.exponent == 2:
            everywhere = mobility * self._curvature_at_one >= 1
            return xp.where(everywhere, xp.full_like(mobility, xp.inf), xp.zeros_like(mobility))
        return (mobility * self._curvature_at_one) ** (1 / (2 - self.exponent))

    def stationarity(self, code: Array, slope: Array) -> Array:
        """Distance of slope to phi'(w), entry by entry."""
        xp = namespace(code)
        zero = xp.zeros_like(code)
        if self.exponent < 1:  # the prior has a cusp at zero, which is always a stationary point
            return xp.where(code == 0, zero, xp.abs(slope - self.gradient(code)))
        distance = xp.abs(slope - self.gradient(code))
        if self.exponent == 2:
            return distance
        least = xp.full_like(code, self.zero_threshold(code))
        distance_at_zero = xp.maximum(xp.abs(slope) - self.gradient(least), zero)
        return xp.where(xp.abs(code) > least, distance, distance_at_zero)

    def dual_scale(self, code: Array, slope: Array) -> Array:
        """One: every slope is dual feasible."""
        return namespace(code).ones_like(code[:, 0])

    def fenchel_gap(self, code: Array, slope: Array, scale: Array) -> Array:
        """Gap phi(w) + phi*(slope) - <w, slope>: (n_samples,); NaN for exponents below one."""
        xp = namespace(code)
        if self.exponent < 1:
            return xp.full_like(code[:, 0], xp.nan)
        minimiser = self.code_at(slope)
        gap = xp.abs(code) ** self.exponent - xp.abs(minimiser) ** self.exponent
        gap = self.lam * gap - slope * (code - minimiser)
        overflows = self._log_code_at(slope) > max_exponent(slope)
        gap = xp.where(overflows, xp.full_like(gap, xp.inf), gap)
        return xp.sum(xp.maximum(gap, xp.zeros_like(gap)), axis=-1)

    def lam_max(self, corr: Array) -> Array:
        """Infinity, except for zero signals: no finite lam gives a zero code."""
        xp = namespace(corr)
        top = xp.max(xp.abs(corr), axis=-1)
        return xp.where(top > 0, xp.full_like(top, xp.inf), xp.zeros_like(top))

    def support(self, code: Array) -> Array:
        """Mask of the entries that count as nonzero; all entries if the prior is quadratic."""
        xp = namespace(code)
        if self.exponent == 2:
            return xp.ones_like(code, dtype=xp.bool)
        return xp.abs(code) > smallest_resolved(code)

    def curvature(self, code: Array) -> Any:
        """Second derivative on the support, entry by entry."""
        if self.exponent < 1:
            raise ValueError(
                f"exponent must be above 1 for gradients through the codes, got {self.exponent}: "
                "below 1, codes are computed by a local method."
            )
        xp = namespace(code)
        mobility = self.mobility(code)
        return 1.0 / xp.where(self.support(code), mobility, xp.ones_like(mobility))

    def pull_back(self, code: Array, adjoint: Array) -> Any:
        """Gradients for lam and the exponent: -<adjoint, d phi'(w)>."""
        xp = namespace(code)
        power = self._power(code, self.exponent - 1)
        magnitude = xp.abs(code)
        log = xp.log(xp.where(magnitude > 0, magnitude, xp.ones_like(magnitude)))
        return LpGradients(
            lam=-self.exponent * xp.sum(adjoint * power),
            exponent=-self.lam * xp.sum(adjoint * power * (1 + self.exponent * log)),
        )
