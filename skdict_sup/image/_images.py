"""Checks of images."""

import numpy as np

from .._array import is_array


def check_image(image, name="image", finite=True):
    return image if is_array(image) else np.asarray(image)
