"""Small images for tests."""

import numpy as np


def picture(shape=(24, 30), seed=0):
    """Smooth surfaces with edges between them, in [0, 1]: (height, width[, channels])."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]] / 8.0
    channels = []
    for _ in range(shape[2] if len(shape) == 3 else 1):
        a, b, c, d = rng.normal(size=4)
        smooth = np.sin(a * x + b * y + c) / 4
        channels.append(0.5 + smooth + 0.2 * np.sign(np.cos(d * x - a * y)))
    image = np.clip(np.stack(channels, axis=2), 0.0, 1.0)
    return image if len(shape) == 3 else image[:, :, 0]


def as_bytes(image):
    """The grey levels of an image, in 0..255."""
    return np.rint(255 * image).astype(np.uint8)
