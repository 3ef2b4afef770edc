"""What Pillow does: bicubic interpolation."""

import numpy as np

from ._images import channelwise, like_image, to_host

__all__ = ["load_pillow", "resized"]

_MOST = 1e37  # interpolation exceeds the range of the image by less than a factor of ten


def load_pillow():
    """The module `PIL.Image`, imported at first use."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Bicubic resizing and image files need Pillow; install it with "
            'pip install "skdict-sup[image]".'
        ) from error
    return Image


def resized(image, height, width):
    """Bicubic interpolation of an image at another size, with antialiasing if it is smaller."""
    pillow = load_pillow()

    values = to_host(image)
    if np.abs(values).max() > _MOST:
        raise ValueError(
            f"image must have magnitudes up to {_MOST:g}, because Pillow computes in single "
            f"precision, got {np.abs(values).max():g}; divide it by the value of white."
        )

    def resize(channel):
        picture = pillow.fromarray(channel.astype(np.float32))  # their mode is "F"
        picture = picture.resize((int(width), int(height)), pillow.Resampling.BICUBIC)
        return np.array(picture, dtype=np.float64)

    return like_image(channelwise(resize, values), image)
