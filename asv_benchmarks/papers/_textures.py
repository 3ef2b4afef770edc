"""Colour images of ten kinds of textures, made at random."""

import numpy as np
from scipy.ndimage import gaussian_filter

SIDE, NOISE, SPREAD = 32, 0.06, 0.2
KINDS = (
    *("stripes", "checks", "rings", "dots", "grid"),
    *("clouds", "grain", "spokes", "cells", "waves"),
)
PALETTE = np.random.default_rng(7).uniform(0.25, 0.75, (len(KINDS), 3))  # mean colours of kinds


def textures(n, seed):
    """Images (n, 32, 32, 3) of 8 bits, and the numbers of their kinds.

    Contrast, orientation, scale, place and the slope of the brightness are random for each image.
    So are colours, around a mean of each kind that a spread hides in part.
    """
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % len(KINDS))
    return np.stack([_image(kind, rng) for kind in y]), y


def _image(number, rng):
    field = _field(KINDS[number], rng)
    field = (field - field.min()) / max(np.ptp(field), 1e-9) - 0.5
    colour = PALETTE[number] + SPREAD * rng.normal(size=3)
    direction = rng.normal(size=3)
    contrast = rng.uniform(0.2, 0.6) * direction / np.linalg.norm(direction)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    slope = rng.normal(scale=0.1, size=2)
    image = colour + field[:, :, None] * contrast + (slope[0] * y + slope[1] * x)[:, :, None]
    image = image + NOISE * rng.normal(size=image.shape)
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)


def _field(kind, rng):
    """A texture (32, 32), on any scale."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    angle, period = rng.uniform(0, np.pi), rng.uniform(5, 9)
    along = np.cos(angle) * x + np.sin(angle) * y
    across = np.cos(angle) * y - np.sin(angle) * x
    phases = rng.uniform(0, 2 * np.pi, 2)
    waves = [
        np.sin(2 * np.pi * u / period + p) for u, p in zip((along, across), phases, strict=True)
    ]
    centre = rng.uniform(0, SIDE, 2)
    if kind == "stripes":
        return waves[0]
    if kind == "checks":
        return np.sign(waves[0] * waves[1])
    if kind == "grid":
        return np.maximum(*waves)
    if kind == "waves":
        return np.sin(2 * np.pi * (along + 2 * waves[1]) / period + phases[0])
    if kind == "rings":
        return np.sin(2 * np.pi * np.hypot(y - centre[0], x - centre[1]) / period)
    if kind == "spokes":
        turns = np.arctan2(y - centre[0], x - centre[1])
        return np.sin(rng.integers(5, 10) * turns + phases[0])
    if kind == "clouds":
        return gaussian_filter(rng.normal(size=(SIDE, SIDE)), period / 2.5, mode="wrap")
    if kind == "grain":
        noise = rng.normal(size=(SIDE, SIDE))
        return gaussian_filter(noise, period / 8) - gaussian_filter(noise, period / 5)
    places = rng.uniform(0, SIDE, (int(60 * (7 / period) ** 2), 2))
    distances = np.hypot(y[..., None] - places[:, 0], x[..., None] - places[:, 1])
    if kind == "dots":
        return (distances[..., ::3].min(axis=-1) < period / 4).astype(float)
    return rng.random(len(places))[distances[..., ::2].argmin(axis=-1)]  # cells
