"""RandomShift: translations of images."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from .._array import astype_like, device_of, namespace
from .._typing import Array
from ._resampling import interpolated, pixels_at
from ._settings import Augmentation, check_batch, check_fill, check_image_shape, check_pair


@dataclass(frozen=True, init=False)
class RandomShift(Augmentation):
    r"""Shift each image by random numbers of pixels.

    .. math:: \tilde x_{i, r, c} = x_{i, r - s_i, c - t_i}, \quad
              s_i, t_i \sim \mathcal{U}\{-p, \dots, p\} \text{ or } \mathcal{U}[-p, p]

    Parameters
    ----------
    image_shape : tuple of int
        (height, width) or (height, width, n_channels) of the images that are the rows of X,
        channels last. Signals in one dimension are images of height 1.
    pixels : int, float or tuple of two, default=1
        Largest shift, in pixels; two numbers are for rows and columns, (down, right). Integers
        draw whole numbers of pixels, each with the same probability. If one is a float, such as
        0.5 or 1.0, shifts are real numbers, with bilinear interpolation.
    fill : float or "edge", default=0.0
        Value of the pixels that are shifted in, in the units of X; NaN marks them as missing, for
        estimators with `allow_nan=True`. "edge" repeats the nearest pixel of the image.

    Raises
    ------
    ValueError, TypeError
        If a setting is out of range; in a call, if the number of features is not that of
        `image_shape`.

    See Also
    --------
    RandomAffine : Rotations, scales and shears too.

    Notes
    -----
    A call takes X of shape (n_samples, n_features), float32 or float64, in any array library, and
    a NumPy generator, and returns an array of the same kind.

    References
    ----------
    J. Mairal, F. Bach, J. Ponce, "Task-driven dictionary learning", IEEE TPAMI 2012: digits
    shifted by one pixel.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup.augment import RandomShift
    >>> shift = RandomShift((1, 4), pixels=(0, 1))
    >>> shift(np.array([[1.0, 2.0, 3.0, 4.0]] * 3), np.random.default_rng(1))
    array([[1., 2., 3., 4.],
           [1., 2., 3., 4.],
           [0., 1., 2., 3.]])
    """

    image_shape: tuple[int, int, int]
    pixels: tuple[float, float]
    fill: Any

    def __init__(
        self,
        image_shape: tuple[int, ...],
        pixels: float | tuple[float, float] = 1,
        fill: float | str = 0.0,
    ):
        self._set(
            image_shape=check_image_shape(image_shape),
            pixels=check_pair(pixels, "pixels"),
            fill=check_fill(fill),
        )

    def __call__(self, X: Array, rng: np.random.Generator) -> Array:
        """Shifted images.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Images.
        rng : numpy.random.Generator
            Source of the shifts.

        Returns
        -------
        array of shape (n_samples, n_features)
            The shifted images, in the library and dtype of X.
        """
        X = check_batch(X, self.image_shape)
        xp, (n, _), device = namespace(X), X.shape, device_of(X)
        is_whole = all(isinstance(one, Integral) for one in self.pixels)
        limits = np.array(self.pixels)
        draw = (
            rng.integers(-limits, limits + 1, (n, 2))
            if is_whole
            else rng.uniform(-limits, limits, (n, 2))
        )
        shifts = astype_like(draw, X)
        if is_whole:
            shifts = xp.astype(shifts, xp.int64)
        height, width, _ = self.image_shape
        rows, columns = (
            xp.arange(side, dtype=shifts.dtype, device=device) for side in (height, width)
        )
        coordinates = (
            xp.reshape(rows, (1, height, 1)) - xp.reshape(shifts[:, 0], (n, 1, 1)),
            xp.reshape(columns, (1, 1, width)) - xp.reshape(shifts[:, 1], (n, 1, 1)),
        )
        resampled = pixels_at if is_whole else interpolated
        return resampled(X, self.image_shape, *coordinates, self.fill)
