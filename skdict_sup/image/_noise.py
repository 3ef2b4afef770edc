"""Estimation of noise."""

import warnings

import numpy as np

from .._array import to_numpy
from ._extra import from_skimage


def estimated_sigma(image):
    """Standard deviation of Gaussian noise in an image (height, width, n_channels).

    It is the mean over channels that are not constant, and zero if all are.
    """
    estimate, found = from_skimage("restoration", needs="pywt").estimate_sigma, []
    for channel in np.moveaxis(to_numpy(image), 2, 0):
        if channel.min() < channel.max():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # narrow images, and details without noise
                found.append(float(estimate(channel)))
    found = [sigma for sigma in found if np.isfinite(sigma)]
    return float(np.mean(found)) if found else 0.0
