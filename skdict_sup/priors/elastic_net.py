"""The elastic-net prior: <lam, |w|> + lam2/2 ||w||^2, optionally on w >= 0."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._array import astype_like, namespace
from .._stored import Stored
from .._typing import Array
from .._validation import check_scalar
from ._halves import SignHalves
from ._scale import check_weight, is_per_atom


@dataclass(frozen=True)
class ElasticNetGradients:
    """Gradients for the hyper-parameters of `ElasticNet`, summed over the batch.

    The one for lam is an array with an entry for each atom if lam is.
    """

    lam: Any
    lam2: Any


class ElasticNet(Stored, SignHalves, BaseEstimator):
    r"""Elastic-net prior on the codes.

    .. math:: \varphi(w) = \lambda \|w\|_1 + \tfrac{\lambda_2}{2} \|w\|_2^2
              \quad \text{or} \quad
              \varphi(w) = \sum_j \lambda_j |w_j| + \tfrac{\lambda_2}{2} \|w\|_2^2,
              \quad \text{optionally with } w \ge 0

    There is no 1/n and no l1 ratio: with ``lam2=0`` and signals as rows of X,
    ``lam`` is n_features times the alpha of scikit-learn's ``Lasso``.

    Parameters
    ----------
    lam : float, "auto", "a*lam_max" or array of shape (n_components,), default="auto"
        Weight of the l1 norm, in the units of the signals (times the norm of an atom):
        the code of x is zero if lam is at least ``max_j |<d_j, x>|``. "auto" follows the scale of
        the signals: it is resolved once, in ``fit`` or in the call, to 0.2 times the median of
        :func:`~skdict_sup.lam_max` over the signals; "0.1*lam_max" is a tenth of that median, and
        so on. An array has a weight for each atom. Atoms of weight zero, such as a constant or
        known regressors, are used without penalty: their entries are not sparse (but lam2, the
        weight of all entries, shrinks them).
    lam2 : float, default=0.0
        Weight of the squared l2 norm, in the units of the squared norm of an atom,
        independent of the scale of the signals. If it is positive, the code is unique and
        Lipschitz in the signal and in the dictionary.
    positive : bool, default=False
        Whether codes are restricted to nonnegative values.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding" (task-driven dictionary learning),
    section "Formulation with expected cost".

    Examples
    --------
    >>> from skdict_sup import ElasticNet
    >>> ElasticNet(lam=0.1, lam2=1e-3).get_params()
    {'lam': 0.1, 'lam2': 0.001, 'positive': False}

    A mean is subtracted from each signal by a constant atom without penalty:

    >>> import numpy as np
    >>> from skdict_sup import encode
    >>> D = np.array([[1.0, 1.0], [1.0, -1.0]])
    >>> encode(np.array([[3.0, 2.0]]), D, prior=ElasticNet(lam=np.array([0.0, 0.6]))).code
    array([[2.5, 0.2]])
    """

    smooth = False

    def __init__(
        self, lam: float | str | Array = "auto", lam2: float = 0.0, positive: bool = False
    ):
        self.lam: Any = lam
        self.lam2 = lam2
        self.positive = positive

    def check(self) -> None:
        """Raise ValueError or TypeError for an invalid hyper-parameter."""
        check_weight(self.lam, "lam", per_atom=True)
        check_scalar(self.lam2, "lam2", low=0.0)
        if not isinstance(self.positive, bool):
            raise TypeError(f"positive must be True or False, got {self.positive!r}.")

    def check_components(self, n_components: int) -> None:
        """Raise ValueError unless lam is a number or has one entry per atom."""
        if is_per_atom(self.lam) and np.shape(self.lam)[0] != n_components:
            raise ValueError(
                f"lam must have one entry per atom: got {np.shape(self.lam)[0]} for a dictionary "
                f"of {n_components} atoms."
            )

    def weight(self, like: Array) -> Any:
        """The number lam, or an array (n_components,) of the library and dtype of `like`."""
        return astype_like(self.lam, like) if is_per_atom(self.lam) else self.lam

    def automatic(self, scale: Array) -> dict[str, float]:
        """Values for "auto", for signals whose typical lam_max is `scale`."""
        return {"lam": 0.2 * scale}  # about ten nonzeros for images and digits

    def value(self, code: Array) -> Array:
        """Value of the prior at each code: (n_samples,)."""
        xp = namespace(code)
        return self._l1(code) + 0.5 * self.lam2 * xp.sum(code * code, axis=-1)

    def _l1(self, code):
        """Weighted l1 norm: (n_samples,)."""
        xp, lam = namespace(code), self.weight(code)
        if is_per_atom(self.lam):
            return xp.sum(lam * xp.abs(code), axis=-1)
        return lam * xp.sum(xp.abs(code), axis=-1)

    def stationarity(self, code: Array, slope: Array) -> Array:
        """Distance of slope to the subdifferential at code, entry by entry."""
        xp = namespace(code)
        sign, lam = xp.sign(code), self.weight(code)
        on_support = xp.abs(slope - self.lam2 * code - lam * sign)
        # at zero the subdifferential is [-lam, lam], or (-inf, lam] under w >= 0
        magnitude = slope if self.positive else xp.abs(slope)
        off_support = xp.maximum(magnitude - lam, xp.zeros_like(magnitude))
        return xp.where(sign != 0, on_support, off_support)

    def dual_scale(self, code: Array, slope: Array) -> Array:
        """Largest s in [0, 1] for which s times the augmented residual is dual feasible."""
        xp, lam = namespace(code), self.weight(code)
        correlation = slope - self.lam2 * code
        magnitude = correlation if self.positive else xp.abs(correlation)
        is_infeasible, one = magnitude > lam, xp.ones_like(magnitude)
        scale = xp.where(is_infeasible, lam / xp.where(is_infeasible, magnitude, one), one)
        return xp.min(scale, axis=-1)

    def zero_excess(self, slope: Array) -> Array:
        """Largest excess of a slope over its bound lam, at most zero for a zero code."""
        xp = namespace(slope)
        magnitude = slope if self.positive else xp.abs(slope)
        return xp.max(magnitude - self.weight(slope), axis=-1)

    def fenchel_gap(self, code: Array, slope: Array, scale: Array) -> Array:
        """Duality gap of the prior, a sum of nonnegative terms: (n_samples,).

        The ridge is treated as rows appended to the signals (Zou and Hastie 2005, lemma 1), so
        that the same formula holds for lam2 = 0 and lam2 > 0.
        """
        xp = namespace(code)
        cross = xp.sum(code * (slope - self.lam2 * code), axis=-1)
        ridge = 0.5 * self.lam2 * (1.0 - scale) ** 2 * xp.sum(code * code, axis=-1)
        return self._l1(code) - scale * cross + ridge

    def prox(self, point: Array, step: float) -> Array:
        """Proximal map of step * phi: soft-thresholding, then scaling."""
        xp = namespace(point)
        shrunk = xp.abs(point) - step * self.weight(point)
        magnitude = xp.maximum(shrunk, xp.zeros_like(shrunk)) / (1 + step * self.lam2)
        sign = xp.astype(point > 0, point.dtype) if self.positive else xp.sign(point)
        return sign * magnitude

    def lam_max(self, corr: Array) -> Array:
        """Smallest lam with a zero code, for signals with correlations corr: (n_samples,).

        If lam is an array, this is the smallest factor of it with a zero code.
        """
        xp = namespace(corr)
        magnitude = corr if self.positive else xp.abs(corr)
        if is_per_atom(self.lam):
            lam, zero = self.weight(corr) + xp.zeros_like(corr), xp.zeros_like(corr)
            ratio = magnitude / xp.where(lam > 0, lam, zero + 1)
            free = xp.where(magnitude > 0, zero + xp.inf, zero)
            magnitude = xp.where(lam > 0, ratio, free)
        top = xp.max(magnitude, axis=-1)
        return xp.maximum(top, xp.zeros_like(top))

    def support(self, code: Array) -> Array:
        """Mask of the nonzero entries, and of the signed ones without penalty."""
        if is_per_atom(self.lam) and not self.positive:
            return (code != 0) | (self.weight(code) == 0)
        return code != 0

    def curvature(self, code: Array) -> Any:
        """Second derivative on the support: lam2."""
        return self.lam2

    def pull_back(self, code: Array, adjoint: Array) -> Any:
        """Gradients for lam and lam2: -<adjoint, sign(w)> and -<adjoint, w>."""
        xp = namespace(code)
        axis = 0 if is_per_atom(self.lam) else None
        grad_lam = -xp.sum(adjoint * xp.sign(code), axis=axis)
        return ElasticNetGradients(lam=grad_lam, lam2=-xp.sum(adjoint * code))
