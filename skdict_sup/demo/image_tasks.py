"""Tasks of the demo of photographs: degradations, baselines and methods, in one table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from ..image._extra import from_skimage
from ..image._noise import estimated_sigma
from ..image.degradations import (
    add_noise,
    blur,
    enlarge,
    floyd_steinberg,
    random_mask,
    reduce,
)
from .image_inpainting import Inpainting
from .image_methods import LinkedDictionaries

_WIDTHS = np.arange(0.4, 4.01, 0.1)  # candidates for the width of a Gaussian filter, in pixels
_NOISE = 25 / 255
_SIMILAR = 1.3  # factor of the level within which a model is good
_GREY, _MOST_GREY = 0.25, 0.02  # level, and share of the pixels of a halftone with others
_BLUR, _BLUR_NOISE = 1.6, 2 / 255
_MISSING = 0.5  # fraction of the pixels
_PADDING = 16  # pixels mirrored at the edges for a filter that takes images as periodic


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
        """The filter of such numbers; raise ValueError if it is far from all candidates."""
        sigma = float(numbers["sigma"])
        if not 0.0 < sigma < 2 * _WIDTHS[-1]:
            raise ValueError(f"no such filter: sigma {sigma}")
        return GaussianFilter(sigma)


def _filtered(image, sigma):
    return ndimage.gaussian_filter(image, sigma, mode="reflect")


class NothingToLearn:
    """Baseline without anything to learn."""

    def fitted(self, degraded, clean):
        """The baseline itself."""
        return self

    def numbers(self):
        """What `fitted` has found, by name: nothing."""
        return {}

    def stored(self, numbers):
        """The baseline itself."""
        return self


class Wiener(NothingToLearn):
    """Wiener filter whose noise and smoothness are estimated from the image itself."""

    name = "unsupervised Wiener filter"

    def restored(self, image):
        """The deblurred photograph."""
        side = np.zeros((31, 31))
        side[15, 15] = 1.0
        kernel = ndimage.gaussian_filter(side, _BLUR, mode="constant")
        padded = np.pad(image, _PADDING, mode="reflect").astype(np.float64)
        found, _ = from_skimage("restoration").unsupervised_wiener(padded, kernel, rng=0)
        inner = found[_PADDING:-_PADDING, _PADDING:-_PADDING]
        return np.clip(inner, 0.0, 1.0).astype(image.dtype)


class Biharmonic(NothingToLearn):
    """The smoothest surface through the observed pixels."""

    name = "biharmonic surface"

    def restored(self, image):
        """The photograph with its missing pixels filled in."""
        fill = from_skimage("restoration").inpaint_biharmonic
        missing = np.isnan(image)
        return fill(np.where(missing, 0.0, image), missing).astype(image.dtype)


def _same(image):
    return image


def _no_remarks(image):
    return []


def _remarks_on_levels(image):
    """A line if a photograph is no halftone."""
    grey = float((np.abs(image - np.round(image)) > _GREY).mean())
    if grey < _MOST_GREY:
        return []
    return [f"{100 * grey:.0f} % of the pixels are grey, and are rounded: this is no halftone"]


def _remarks_on_noise(image):
    """A line if the noise of a photograph is not of the level of the task."""
    level, usual = 255 * estimated_sigma(image[:, :, None]), 255 * _NOISE
    if usual / _SIMILAR <= level <= usual * _SIMILAR:
        return []
    return [
        f"the noise is about {level:.0f}/255, the model is for {usual:.0f}/255: "
        "skdict_sup.image.DictionaryDenoiser adapts to the level"
    ]


@dataclass(frozen=True)
class Task:
    """A degradation, and how photographs are restored from it.

    `degrade(clean, rng)` gives a degraded photograph of the same size, with NaN for missing
    pixels, and `shown` what one sees of it. `prepared` makes an input from a file that is already
    degraded, on which there may be `remarks`, and which has a mask if `has_mask`. The sides of
    clean photographs are cropped to multiples of `multiple`. Without a baseline, the degraded
    photograph itself is one.
    """

    input_name: str
    degrade: Callable[[Any, Any], Any]
    method: Any
    baseline: Any = None
    prepared: Callable[[Any], Any] = _same
    shown: Callable[[Any], Any] = _same
    remarks: Callable[[Any], list] = _no_remarks
    has_mask: bool = False
    multiple: int = 1


def _twice(image):
    return enlarge(image, factor=2)


TASKS = {
    "halftone": Task(
        "halftone by error diffusion",
        floyd_steinberg,
        LinkedDictionaries(lam=0.6, linked_lam=0.15, fit_linear=False),
        GaussianFilter(),
        prepared=np.round,  # levels of a file that was not stored in black and white
        remarks=_remarks_on_levels,
    ),
    "denoise": Task(
        "noise of sigma 25/255",
        lambda image, rng: add_noise(image, rng, sigma=_NOISE),
        LinkedDictionaries(lam=0.3, linked_lam=0.15, fit_linear=False),
        GaussianFilter(),
        remarks=_remarks_on_noise,
    ),
    "zoom": Task(
        "bicubic enlargement by 2",
        lambda image, rng: _twice(reduce(image, factor=2)),
        LinkedDictionaries(lam=0.02, linked_lam=0.01, lam2=0.01),
        prepared=_twice,
        multiple=2,
    ),
    "deblur": Task(
        "blur of sigma 1.6, noise of 2/255",
        lambda image, rng: add_noise(blur(image, sigma=_BLUR), rng, sigma=_BLUR_NOISE),
        LinkedDictionaries(lam=0.03, linked_lam=0.01),
        Wiener(),
    ),
    "inpaint": Task(
        "half of the pixels missing",
        lambda image, rng: with_missing(image, random_mask(image, rng, missing=_MISSING)),
        Inpainting(),
        Biharmonic(),
        shown=np.nan_to_num,
        has_mask=True,
    ),
}
DEFAULT_TASK = "halftone"


def with_missing(image, mask):
    """A photograph with NaN where a mask is false."""
    return np.where(mask, image, image.dtype.type(np.nan))
