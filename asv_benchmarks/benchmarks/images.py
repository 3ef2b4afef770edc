"""Restored images: patches of 512 x 512 pixels, and how memory grows with the image."""

import numpy as np

from skdict_sup.image import DictionaryDenoiser, average_patches, extract_patches

SIGMA = 25 / 255


def photograph(size, dtype="float32"):
    """A smooth surface with edges, and noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / 40.0
    clean = 0.5 + 0.2 * np.sin(x + 0.3 * y) + 0.2 * np.sign(np.cos(0.7 * x - y))
    return (clean + SIGMA * rng.normal(size=clean.shape)).astype(dtype)


class Denoise:
    """`DictionaryDenoiser.transform` with 256 atoms of 8 x 8 pixels, for all patches."""

    params = (["float32", "float64"], [1, 2])
    param_names = ("dtype", "threads")
    side = 512

    def setup(self, dtype, threads):
        self.image = photograph(self.side, dtype)
        self.model = DictionaryDenoiser(256, sigma=SIGMA, n_jobs=threads, random_state=0)
        self.model.set_params(max_iter=1, n_patches=5000).fit(self.image)

    def time_transform(self, dtype, threads):
        self.model.transform(self.image)

    def peakmem_transform(self, dtype, threads):
        self.model.transform(self.image)


class Patches:
    """Extraction of all patches of an image, and their average."""

    side = 512

    def setup(self):
        self.image = photograph(self.side)
        self.patches = np.asarray(extract_patches(self.image, 8))

    def time_extract(self):
        np.asarray(extract_patches(self.image, 8))

    def time_average(self):
        average_patches(self.patches, self.image.shape, 8)
