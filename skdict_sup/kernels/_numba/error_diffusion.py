"""Halftones by error diffusion, pixel by pixel, with the errors of two rows in memory."""

import numpy as np

from ._compile import OPTIONS, compiled

# one decision changes all later ones: sums must not be reordered or fused with products
_EXACT = {**OPTIONS, "fastmath": False}


def error_diffusion(image):
    """Compiled implementation; the docstring of the reference is the contract."""
    image = np.ascontiguousarray(image)
    _, width, channels = image.shape
    out = np.empty_like(image)
    # errors of the row above and of this one, with zeros beyond both edges
    errors = np.zeros((2, channels, width + 2), image.dtype)
    _diffuse(image, errors, out)
    return out


@compiled(**_EXACT)
def _diffuse(image, errors, out):
    """Write the halftone to out."""
    height, width, channels = image.shape
    dtype = image.dtype.type
    zero, half, one, three, five = dtype(0), dtype(0.5), dtype(1), dtype(3), dtype(5)
    sixteenth, seven_sixteenths = dtype(0.0625), dtype(0.4375)
    for i in range(height):
        here = i % 2
        above = 1 - here
        for c in range(channels):
            west = zero
            for j in range(width):
                north = errors[above, c, j] + five * errors[above, c, j + 1]
                north = north + three * errors[above, c, j + 2]
                value = image[i, j, c] + north * sixteenth + seven_sixteenths * west
                white = one if value >= half else zero
                west = value - white
                out[i, j, c] = white
                errors[here, c, j + 1] = west
