"""Pixels of a batch of images at other coordinates."""

import itertools

from .._array import device_of, namespace


def pixels_at(X, image_shape, rows, columns, fill):
    """Pixels at whole coordinates, as (n_samples, n_features).

    The coordinates (int64) are broadcast to (n_samples, height, width).
    """
    found = _gather(X, image_shape, rows, columns, fill)
    return namespace(X).reshape(found, X.shape)


def interpolated(X, image_shape, rows, columns, fill):
    """Pixels at real coordinates, by bilinear interpolation of the image and what is around it.

    The coordinates, of the dtype of X, are broadcast to (n_samples, height, width). Pixels with
    the weight zero are left out, so that a missing one (NaN) does not spread further than it has
    to.
    """
    xp = namespace(X)
    first_row, first_column = xp.floor(rows), xp.floor(columns)
    fractions = rows - first_row, columns - first_column
    first_row, first_column = (xp.astype(one, xp.int64) for one in (first_row, first_column))
    total = xp.zeros_like(X)
    for down, right in itertools.product((0, 1), repeat=2):
        weight = _share(fractions[0], down) * _share(fractions[1], right)
        pixels = _gather(X, image_shape, first_row + down, first_column + right, fill)
        weight = xp.broadcast_to(weight[..., None], pixels.shape)
        part = xp.where(weight > 0, weight * pixels, xp.zeros_like(pixels))
        total = total + xp.reshape(part, X.shape)
    return total


def _share(fraction, is_second):
    return fraction if is_second else 1 - fraction


def _gather(X, image_shape, rows, columns, fill):
    """Pixels at whole coordinates: (n_samples, height, width, n_channels)."""
    xp, device = namespace(X), device_of(X)
    (height, width, n_channels), n = image_shape, X.shape[0]
    sample = xp.reshape(xp.arange(n, dtype=xp.int64, device=device), (n, 1, 1))
    row, column = xp.clip(rows, 0, height - 1), xp.clip(columns, 0, width - 1)
    index = xp.reshape((sample * height + row) * width + column, (-1,))
    pixels = xp.take(xp.reshape(X, (n * height * width, n_channels)), index, axis=0)
    pixels = xp.reshape(pixels, (n, height, width, n_channels))
    if isinstance(fill, str):
        return pixels
    inside = ((row == rows) & (column == columns))[..., None]
    around = xp.full((1, 1, 1, 1), fill, dtype=X.dtype, device=device)
    return xp.where(inside, pixels, around)
