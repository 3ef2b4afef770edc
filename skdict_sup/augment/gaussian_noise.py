"""GaussianNoise: noise relative to the norm of each signal."""

from dataclasses import dataclass

import numpy as np

from .._array import astype_like, namespace
from .._typing import Array
from .._validation import check_matrix, check_scalar
from ._settings import Augmentation


@dataclass(frozen=True, init=False)
class GaussianNoise(Augmentation):
    r"""Add Gaussian noise whose norm is a given fraction of that of the signal.

    .. math:: \tilde x_i = x_i + \rho \, \frac{\|x_i\|_2}{\sqrt m} \, \epsilon_i, \quad
              \epsilon_i \sim \mathcal{N}(0, I_m),
              \quad \mathbb{E} \|\tilde x_i - x_i\|_2^2 = \rho^2 \|x_i\|_2^2

    Rotations of the features, such as those of a principal component analysis, do not change the
    distribution of the noise.

    Parameters
    ----------
    relative : float, default=0.3
        Root mean square of the norm of the noise, rho, as a fraction of the norm of the signal.

    Raises
    ------
    ValueError, TypeError
        If `relative` is not a number >= 0.

    Notes
    -----
    A call takes X of shape (n_samples, n_features), float32 or float64, in any array library, and
    a NumPy generator, and returns an array of the same kind. Missing entries (NaN) stay missing,
    and the norm is that of the others.

    References
    ----------
    C. M. Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural
    Computation 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup.augment import GaussianNoise
    >>> X = np.ones((2, 10_000))
    >>> noise = GaussianNoise(0.3)(X, np.random.default_rng(0)) - X
    >>> (np.linalg.norm(noise, axis=1) / np.linalg.norm(X, axis=1)).round(2)
    array([0.3, 0.3])
    """

    relative: float

    def __init__(self, relative: float = 0.3):
        self._set(relative=check_scalar(relative, "relative", low=0.0))

    def __call__(self, X: Array, rng: np.random.Generator) -> Array:
        """Signals with noise.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals.
        rng : numpy.random.Generator
            Source of the noise.

        Returns
        -------
        array of shape (n_samples, n_features)
            Signals with noise, in the library and dtype of X.
        """
        X = check_matrix(X, "X", finite=False)
        xp = namespace(X)
        noise = astype_like(rng.standard_normal(tuple(X.shape)), X)
        observed = ~xp.isnan(X)
        size = xp.where(observed, xp.abs(X), xp.zeros_like(X))
        peak = xp.max(size, axis=1, keepdims=True)
        peak = xp.where(peak > 0, peak, xp.ones_like(peak))
        square = xp.sum((size / peak) ** 2, axis=1, keepdims=True)  # it does not overflow
        count = xp.sum(xp.astype(observed, X.dtype), axis=1, keepdims=True)
        rms = peak * xp.sqrt(square / xp.clip(count, 1, None))
        return X + self.relative * rms * noise
