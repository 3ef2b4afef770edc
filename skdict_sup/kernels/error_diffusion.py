"""Kernel: halftones by error diffusion."""

from .._array import device_of, namespace
from ._dispatch import kernel


@kernel
def error_diffusion(image):
    r"""Halftone of an image by the error diffusion of Floyd and Steinberg.

    Pixels are visited row by row from the top, each from the left. A pixel is white, 1, where
    :math:`v_{ij} \ge 1/2`, and otherwise black, 0. Its error :math:`e_{ij}`, v minus the output,
    goes to four neighbours that are still to come:

    .. math::

        v_{ij} = x_{ij} + \tfrac{1}{16} \big( e_{i-1,j-1} + 5 e_{i-1,j} + 3 e_{i-1,j+1} \big)
                 + \tfrac{7}{16} e_{i,j-1} .

    Errors that would leave the image are dropped. Channels are independent. All versions compute v
    by the operations of this formula, from left to right, so that they agree bit for bit.

    Parameters
    ----------
    image : array (height, width, channels)
        Finite values in [0, 1], of at least one pixel.

    Returns
    -------
    array (height, width, channels)
        Zeros and ones, of the dtype of the image.

    References
    ----------
    R. Floyd, L. Steinberg, "An adaptive algorithm for spatial greyscale", 1976.
    """
    # The pixels with the same j + 2 i, a wave, depend on the three waves before theirs alone.
    xp = namespace(image)
    pixels, inside = _to_waves(image), _to_waves(xp.ones_like(image)) > 0
    zero = xp.zeros_like(pixels[:, 0, :])
    one, edge = zero + 1, xp.zeros_like(zero[:1, :])
    before, before_2, before_3 = zero, zero, zero  # errors of the last waves, a row for each i
    waves = []
    for t in range(pixels.shape[1]):
        north_west, north, north_east = (
            xp.concat([edge, errors[:-1, :]], axis=0) for errors in (before_3, before_2, before)
        )
        value = pixels[:, t, :] + (north_west + 5 * north + 3 * north_east) * 0.0625
        value = value + 0.4375 * before
        white = xp.where(value >= 0.5, one, zero)
        error = xp.where(inside[:, t, :], value - white, zero)
        before, before_2, before_3 = error, before, before_2
        waves.append(white)
    return _from_waves(xp.stack(waves, axis=1), image.shape[1])


def _to_waves(image):
    """Shift row i by 2 i pixels to the right, with zeros around: (height, n_waves, channels)."""
    xp, (height, width, channels) = namespace(image), image.shape
    n_waves = width + 2 * (height - 1)
    # rows are made 2 pixels longer than they are read below, so that each begins 2 pixels later
    around = (height, 2 * height, channels)
    zeros = xp.zeros(around, dtype=image.dtype, device=device_of(image))
    longer = xp.reshape(xp.concat([image, zeros], axis=1), (-1, channels))
    return xp.reshape(longer[: height * n_waves, :], (height, n_waves, channels))


def _from_waves(waves, width):
    """Inverse of `_to_waves`: the rows shifted back, without what was around them."""
    xp, (height, n_waves, channels) = namespace(waves), waves.shape
    zeros = xp.zeros((2 * height, channels), dtype=waves.dtype, device=device_of(waves))
    longer = xp.concat([xp.reshape(waves, (-1, channels)), zeros], axis=0)
    return xp.reshape(longer, (height, n_waves + 2, channels))[:, :width, :]
