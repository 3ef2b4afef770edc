"""Letters and digits of many writers, made from the fonts of Matplotlib without a network.

A writer has a font, a slant, proportions, a stroke width, and a bent form of each character; each
image is turned, sheared, scaled, shifted and bent anew, and the outline of its strokes is rough.
"""

import string
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates

LETTERS, DIGITS = string.ascii_lowercase, string.digits
SIDE, BOX = 28, 20  # pixels of an image, and of the box that the ink fills, as in MNIST
TRAIN_FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *("cmr10", "cmb10", "cmti10", "cmmi10"),
)
TEST_FONTS = ("STIXGeneral", "STIXGeneralItalic", "STIXGeneralBol", "cmss10", "cmtt10")
_SIZE = 96  # pixels of an em from which glyphs are taken
_GRID, _REACH = 72, 1.8  # points of the grid of a glyph, whose box reaches from -1 to 1
_PART = 2000  # images that are made at once


@dataclass(frozen=True)
class Hand:
    """How far writers differ, and the images of one writer: standard deviations.

    Turns and slants are in radians, lengths in pixels, scales logarithms.
    """

    slant: float = 0.2
    aspect: float = 0.15
    width: float = 0.5
    bend: float = 0.7  # how far the form of a letter differs between writers
    turn: float = 0.08
    shear: float = 0.08
    scale: float = 0.08
    shift: float = 0.5
    wobble: float = 0.5  # how far images of one writer differ
    rough: float = 0.5  # how uneven the outlines of strokes are


def _glyph(character, font):
    """Signed distance to the outline, positive inside, in pixels of an image, on a grid."""
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{font}.ttf")
    image = Image.new("L", (3 * _SIZE, 3 * _SIZE))
    drawn = ImageDraw.Draw(image)
    face = ImageFont.truetype(path, _SIZE)
    drawn.text((_SIZE, 2 * _SIZE), character, fill=255, font=face, anchor="ls")
    ink = np.asarray(image) > 127
    if not ink.any():
        raise ValueError(f"the font {font} has no character {character!r}.")
    ends = [(np.flatnonzero(ink.any(axis=a))[[0, -1]]) for a in (1, 0)]
    centre, half = [e.mean() for e in ends], max(1 + np.ptp(e) for e in ends) / 2
    pixel = 2 * half / BOX  # pixels of the glyph in one of the image
    distance = (distance_transform_edt(ink) - distance_transform_edt(~ink)) / pixel
    grid = np.linspace(-_REACH, _REACH, _GRID)
    places = np.meshgrid(*(c + half * grid for c in centre), indexing="ij")
    return map_coordinates(distance, places, order=1, mode="nearest").astype(np.float32)


def _fields(rng, shape, smoothness, size):
    """Smooth random images, of a given standard deviation, over the last two axes."""
    sigma = [0.0] * (len(shape) - 2) + [smoothness] * 2
    found = gaussian_filter(rng.standard_normal(shape, np.float32), sigma, mode="reflect")
    return size / found.std() * found


def _affine(rng, n, slant, aspect, scale, turn):
    """Matrices from places in an image to those in a glyph, (n, 2, 2)."""
    angle, slope = turn * rng.standard_normal(n), slant * rng.standard_normal(n)
    stretch = np.exp(aspect * rng.standard_normal(n))
    factor = np.exp(scale * rng.standard_normal(n))
    cos, sin, one, zero = np.cos(angle), np.sin(angle), np.ones(n), np.zeros(n)
    turned = np.stack([cos, -sin, sin, cos], axis=1).reshape(n, 2, 2)
    sheared = np.stack([one, zero, slope, one], axis=1).reshape(n, 2, 2)
    stretched = np.stack([one, zero, zero, stretch], axis=1).reshape(n, 2, 2)
    return factor[:, None, None] * turned @ sheared @ stretched


def written(characters, fonts, n_writers, n, seed, hand=None):
    """Images (n, 28, 28) in [0, 1], the number of each in `characters`, and its writer.

    Writers take turns with the fonts, and characters are as frequent as can be.
    """
    hand = Hand() if hand is None else hand
    rng = np.random.default_rng(seed)
    glyphs = np.stack([[_glyph(character, font) for character in characters] for font in fonts])
    shape = n_writers, len(characters), 2, SIDE, SIDE
    bends = _fields(rng, shape, 6.0, hand.bend)
    styles = _affine(rng, n_writers, hand.slant, hand.aspect, 0.0, 0.0)
    widths = hand.width * rng.standard_normal(n_writers)
    y = rng.permutation(np.arange(n) % len(characters))
    writers = rng.integers(n_writers, size=n)
    images = np.empty((n, SIDE, SIDE), np.float32)
    for start in range(0, n, _PART):
        rows = slice(start, start + _PART)
        label, writer = y[rows], writers[rows]
        n_rows = len(label)
        own = _affine(rng, n_rows, hand.shear, 0.0, hand.scale, hand.turn)
        shift = 2 * hand.shift / BOX * rng.standard_normal((n_rows, 2, 1, 1))
        pixels = 2 / BOX * (np.arange(SIDE) - (SIDE - 1) / 2)
        places = np.stack(np.meshgrid(pixels, pixels, indexing="ij"))
        places = np.einsum("nij,jkl->nikl", styles[writer] @ own, places) + shift
        bent = bends[writer, label] + _fields(rng, (n_rows, 2, SIDE, SIDE), 4.0, hand.wobble)
        places = ((places + 2 / BOX * bent) / _REACH + 1) * (_GRID - 1) / 2
        glyph = glyphs[writer % len(fonts), label]
        which = np.broadcast_to(np.arange(n_rows)[:, None, None], (n_rows, SIDE, SIDE))
        coordinates = np.stack([which, places[:, 0], places[:, 1]])
        distance = map_coordinates(glyph, coordinates, order=1, mode="nearest")
        rough = _fields(rng, (n_rows, SIDE, SIDE), 1.0, hand.rough)
        width = widths[writer][:, None, None]
        images[rows] = np.clip(0.5 + distance + width + rough, 0, 1)
    return images, y, writers
