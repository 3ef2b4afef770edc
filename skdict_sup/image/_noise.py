"""Estimation of noise."""

from .._array import to_numpy
from ._extra import from_skimage


def estimated_sigma(image):
    """Standard deviation of Gaussian noise in an image (height, width, n_channels)."""
    estimate = from_skimage("restoration").estimate_sigma
    return float(estimate(to_numpy(image), average_sigmas=True, channel_axis=-1))
