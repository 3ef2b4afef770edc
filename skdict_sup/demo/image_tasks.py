"""Tasks of the demo of photographs: degradations, baselines and settings, in one table."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage

from ..image.degradations import add_noise, blur, enlarge, floyd_steinberg, reduce

_WIDTHS = np.arange(0.4, 4.01, 0.1)  # candidates for the width of a Gaussian filter, in pixels
_NOISE = 25 / 255
_BLUR, _BLUR_NOISE = 1.6, 2 / 255
_PADDING = 16  # pixels mirrored at the edges for a filter that takes images as periodic


@dataclass(frozen=True)
class Settings:
    """Settings of the dictionaries, chosen on other photographs than those that are restored.

    `linked_lam` is the lam of the unsupervised dictionaries.
    """

    lam: float
    linked_lam: float
    lam2: float = 0.1
    fit_linear: bool = True
    n_components: int = 256
    patch_size: int = 10
    stride: int = 2
    n_patches: int = 40_000
    epochs: int = 4

    def quick(self):
        """Settings that take a few seconds."""
        return replace(self, n_components=64, n_patches=4000, epochs=2)


@dataclass(frozen=True)
class GaussianFilter:
    """Gaussian filter of the width with the least squared error on training photographs."""

    sigma: float | None = None

    @property
    def name(self):
        """Name in the table."""
        return f"Gaussian filter, sigma {self.sigma:.1f}"

    def fitted(self, degraded, clean):
        """The filter with its width."""
        errors = [
            sum(
                np.sum((_filtered(x, sigma) - y) ** 2)
                for x, y in zip(degraded, clean, strict=True)
            )
            for sigma in _WIDTHS
        ]
        return GaussianFilter(float(_WIDTHS[np.argmin(errors)].round(1)))

    def restored(self, image):
        """The filtered photograph."""
        return _filtered(image, self.sigma)

    def numbers(self):
        """What `fitted` has found, by name."""
        return {"sigma": self.sigma}

    def stored(self, numbers):
        """The filter of such numbers."""
        return GaussianFilter(float(numbers["sigma"]))


def _filtered(image, sigma):
    return ndimage.gaussian_filter(image, sigma, mode="reflect")


@dataclass(frozen=True)
class Wiener:
    """Wiener filter whose noise and smoothness are estimated from the image itself."""

    name = "unsupervised Wiener filter"

    def fitted(self, degraded, clean):
        """The filter, which has nothing to learn."""
        return self

    def restored(self, image):
        """The deblurred photograph."""
        from ..image._extra import from_skimage

        side = np.zeros((31, 31))
        side[15, 15] = 1.0
        kernel = ndimage.gaussian_filter(side, _BLUR, mode="constant")
        padded = np.pad(image, _PADDING, mode="reflect").astype(np.float64)
        found, _ = from_skimage("restoration").unsupervised_wiener(padded, kernel, rng=0)
        inner = found[_PADDING:-_PADDING, _PADDING:-_PADDING]
        return np.clip(inner, 0.0, 1.0).astype(image.dtype)

    def numbers(self):
        """What `fitted` has found, by name: nothing."""
        return {}

    def stored(self, numbers):
        """The filter."""
        return self


@dataclass(frozen=True)
class Task:
    """A degradation, and how photographs are restored from it.

    `degrade(clean, rng)` gives a degraded photograph of the same size. `prepared` makes an input
    from a file that is already degraded. The sides of clean photographs are cropped to multiples
    of `multiple`. Without a baseline, the degraded photograph itself is one.
    """

    input_name: str
    degrade: Callable[[Any, Any], Any]
    settings: Settings
    baseline: Any = None
    prepared: Callable[[Any], Any] = lambda image: image
    multiple: int = 1


def _twice(image):
    return enlarge(image, factor=2)


TASKS = {
    "halftone": Task(
        "halftone by error diffusion",
        floyd_steinberg,
        Settings(lam=0.6, linked_lam=0.15, fit_linear=False),
        GaussianFilter(),
        prepared=np.round,  # levels of a file that was not stored in black and white
    ),
    "denoise": Task(
        "noise of sigma 25/255",
        lambda image, rng: add_noise(image, rng, sigma=_NOISE),
        Settings(lam=0.3, linked_lam=0.15, fit_linear=False),
        GaussianFilter(),
    ),
    "zoom": Task(
        "bicubic enlargement by 2",
        lambda image, rng: _twice(reduce(image, factor=2)),
        Settings(lam=0.02, linked_lam=0.01, lam2=0.01),
        prepared=_twice,
        multiple=2,
    ),
    "deblur": Task(
        "blur of sigma 1.6, noise of 2/255",
        lambda image, rng: add_noise(blur(image, sigma=_BLUR), rng, sigma=_BLUR_NOISE),
        Settings(lam=0.03, linked_lam=0.01),
        Wiener(),
    ),
}
DEFAULT_TASK = "halftone"
