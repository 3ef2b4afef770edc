"""Quality of images."""

import numpy as np

from .._array import to_numpy
from ._extra import from_skimage


def mean_psnr(clean, images):
    """Mean peak signal-to-noise ratio, in dB, of images with white at one."""
    measure = from_skimage("metrics").peak_signal_noise_ratio
    pairs = zip(clean, images, strict=True)
    with np.errstate(divide="ignore"):  # a perfect image has infinitely many dB
        found = [measure(to_numpy(a), to_numpy(b), data_range=1.0) for a, b in pairs]
    return float(np.mean(found))
