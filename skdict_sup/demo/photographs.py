"""Photographs of the demo: gray images from scikit-learn or from files."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..image._pillow import load_pillow
from ._running import DataError

_LUMA = np.array([0.299, 0.587, 0.114])  # weights of red, green and blue in ITU-R 601
_MOST_PIXELS = 50_000_000
_QUICK_SIDES = (160, 200)  # height and width of the middle part that --quick takes


@dataclass(frozen=True, eq=False)
class Photograph:
    """A gray photograph (height, width), floats in [0, 1]."""

    name: str
    pixels: Any
    was_colour: bool = False  # in the file

    @property
    def size(self):
        """Width and height in words."""
        height, width = self.pixels.shape
        return f"{width} x {height}"

    def describe(self):
        """Name and size, and whether colours were dropped."""
        return f"{self.name} ({self.size}{', made gray' if self.was_colour else ''})"

    def quick(self):
        """The middle part."""
        starts = [
            max(0, (n - k) // 2) for n, k in zip(self.pixels.shape, _QUICK_SIDES, strict=True)
        ]
        parts = [slice(a, a + k) for a, k in zip(starts, _QUICK_SIDES, strict=True)]
        return replace(self, pixels=self.pixels[tuple(parts)])

    def cropped(self, multiple):
        """The photograph with sides that are multiples of a number."""
        height, width = (n - n % multiple for n in self.pixels.shape)
        return replace(self, pixels=self.pixels[:height, :width])


def bundled(name):
    """A photograph of scikit-learn, "china.jpg" or "flower.jpg"."""
    from sklearn.datasets import load_sample_image

    return Photograph(name, _gray(load_sample_image(name)))


def read_photograph(path):
    """A photograph from any file that Pillow reads; raise DataError if it is none."""
    pillow = load_pillow()
    from PIL import ImageOps

    try:
        if path.exists() and not path.is_file():
            raise ValueError("not a regular file")  # reading a pipe would block
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow says about odd files and large ones
            with pillow.open(path) as picture:
                if picture.width * picture.height > _MOST_PIXELS:
                    raise DataError(
                        f"{path}: has {picture.width} x {picture.height} pixels, more than the "
                        f"limit of {_MOST_PIXELS // 10**6} million"
                    )
                pixels, was_colour = _levels(ImageOps.exif_transpose(picture))
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except Exception as error:  # damaged files raise anything, from OSError to struct.error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: not an image that Pillow reads ({reason})") from None
    return Photograph(path.name, pixels, was_colour)


def _levels(picture):
    """Gray levels of a Pillow image in [0, 1], and whether it has colours."""
    if picture.mode.startswith("I"):  # gray, of 16 bits
        return _in_range(np.asarray(picture, np.float64) / 65535), False
    if picture.mode == "F":
        return _in_range(np.asarray(picture, np.float64)), False
    if picture.mode in ("1", "L"):
        return (np.asarray(picture.convert("L")) / 255).astype(np.float32), False
    colours = np.asarray(picture.convert("RGB"))
    return _gray(colours), bool((colours != colours[:, :, :1]).any())


def _in_range(levels):
    if not (levels >= 0).all() or not (levels <= 1).all():  # false for NaN
        raise ValueError(
            f"gray levels must be within 0 and white, got {levels.min():.4g} to "
            f"{levels.max():.4g} times white"
        )
    return levels.astype(np.float32)


def _gray(colours):
    """Luma (height, width) of red, green and blue in 0..255."""
    return (colours @ (_LUMA / 255)).clip(0, 1).astype(np.float32)


def write_gray(path, image):
    """Write a gray image in [0, 1] as a PNG of 8 bits."""
    levels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    load_pillow().fromarray(levels).save(path, format="PNG", optimize=True)
