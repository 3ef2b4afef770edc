"""RandomAffine: rotations, scales, shears and translations of images."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._array import astype_like, device_of, namespace
from .._typing import Array
from .._validation import check_scalar
from ._resampling import interpolated
from ._settings import Augmentation, check_batch, check_fill, check_image_shape, check_pair


@dataclass(frozen=True, init=False)
class RandomAffine(Augmentation):
    r"""Turn, scale, shear and shift each image at random, about its centre.

    The pixel at q, (row, column), of a changed image is that of the image at

    .. math:: M (q - c - t) + c, \quad
              M^{-1} = s \begin{pmatrix} \cos\theta & -\sin\theta \\ \sin\theta & \cos\theta
              \end{pmatrix} \begin{pmatrix} 1 & 0 \\ \tan\eta & 1 \end{pmatrix},

    with the centre c and bilinear interpolation; the numbers s, theta, eta and t are uniform in
    their ranges.

    Parameters
    ----------
    image_shape : tuple of int
        (height, width) or (height, width, n_channels) of the images that are the rows of X,
        channels last.
    degrees : float, default=10.0
        Largest angle of a rotation theta in either direction, in degrees.
    translate : float or tuple of two, default=1.0
        Largest translation t in either direction, in pixels; two numbers are for rows and columns.
    scale : float or tuple of two, default=0.1
        Range (smallest, largest) of the factor s of all lengths; a number a below 1 stands for
        (1 - a, 1 + a).
    shear : float, default=0.0
        Largest angle eta of a shear along the rows in either direction, in degrees, below 90.
    fill : float or "edge", default=0.0
        Value of the pixels around the image, in the units of X; NaN marks them as missing, for
        estimators with `allow_nan=True`. "edge" repeats the nearest pixel of the image.

    Raises
    ------
    ValueError, TypeError
        If a setting is out of range; in a call, if the number of features is not that of
        `image_shape`.

    See Also
    --------
    RandomShift : Translations alone, by whole pixels too.

    Notes
    -----
    A call takes X of shape (n_samples, n_features), float32 or float64, in any array library, and
    a NumPy generator, and returns an array of the same kind.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup.augment import RandomAffine
    >>> turn = RandomAffine((8, 8), degrees=20, translate=0.5, scale=(0.9, 1.2))
    >>> X = np.random.default_rng(0).random((5, 64))
    >>> turn(X, np.random.default_rng(0)).shape
    (5, 64)
    """

    image_shape: tuple[int, int, int]
    degrees: float
    translate: tuple[float, float]
    scale: tuple[float, float]
    shear: float
    fill: Any

    def __init__(
        self,
        image_shape: tuple[int, ...],
        *,
        degrees: float = 10.0,
        translate: float | tuple[float, float] = 1.0,
        scale: float | tuple[float, float] = 0.1,
        shear: float = 0.0,
        fill: float | str = 0.0,
    ):
        self._set(
            image_shape=check_image_shape(image_shape),
            degrees=check_scalar(degrees, "degrees", low=0.0),
            translate=check_pair(translate, "translate"),
            scale=_check_scale(scale),
            shear=check_scalar(shear, "shear", low=0.0),
            fill=check_fill(fill),
        )
        if self.shear >= 90:
            raise ValueError(f"shear must be below 90 degrees, got {self.shear!r}.")

    def __call__(self, X: Array, rng: np.random.Generator) -> Array:
        """Changed images.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Images.
        rng : numpy.random.Generator
            Source of the changes.

        Returns
        -------
        array of shape (n_samples, n_features)
            The changed images, in the library and dtype of X.
        """
        X = check_batch(X, self.image_shape)
        matrix, offset = self._draw(X.shape[0], rng)
        return _transformed(X, self.image_shape, matrix, offset, self.fill)

    def _draw(self, n, rng):
        """Maps from coordinates of changed images to those of images.

        They are matrices (n, 2, 2) and offsets (n, 2).
        """
        down, right = self.translate
        low = np.array([-self.degrees, self.scale[0], -self.shear, -down, -right])
        high = np.array([self.degrees, self.scale[1], self.shear, down, right])
        angle, scale, shear, *translation = rng.uniform(low, high, (n, 5)).T
        angle, slope = np.deg2rad(angle), np.tan(np.deg2rad(shear))
        cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
        first = cosine, sine
        second = -slope * cosine - sine, -slope * sine + cosine
        matrix = np.stack([np.stack(first, axis=-1), np.stack(second, axis=-1)], axis=1)
        centre = (np.array(self.image_shape[:2]) - 1) / 2
        moved = centre + np.stack(translation, axis=-1)
        return matrix, centre - (matrix @ moved[:, :, None])[:, :, 0]


def _transformed(X, image_shape, matrix, offset, fill):
    """Images whose pixel at q is that of the image at matrix @ q + offset."""
    xp, (height, width, _), device = namespace(X), image_shape, device_of(X)
    n = X.shape[0]
    rows = xp.reshape(xp.arange(height, dtype=X.dtype, device=device), (1, height, 1))
    columns = xp.reshape(xp.arange(width, dtype=X.dtype, device=device), (1, 1, width))

    def coordinate(axis):
        along_rows, along_columns, start = (
            xp.reshape(astype_like(part, X), (n, 1, 1))
            for part in (matrix[:, axis, 0], matrix[:, axis, 1], offset[:, axis])
        )
        return along_rows * rows + along_columns * columns + start

    return interpolated(X, image_shape, coordinate(0), coordinate(1), fill)


def _check_scale(scale):
    """Return the smallest and the largest factor."""
    if not isinstance(scale, tuple | list):
        width = check_scalar(scale, "scale", low=0.0)
        scale = (1 - width, 1 + width)
    bounds = tuple(check_scalar(factor, "scale") for factor in scale)
    if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1]:
        raise ValueError(
            "scale must be (smallest, largest) with 0 < smallest <= largest, or a number below 1, "
            f"got {scale!r}."
        )
    return bounds
