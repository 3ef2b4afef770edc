"""Masks of the observed pixels of images."""

from typing import Any

import numpy as np

from .._array import is_array, namespace, to_numpy
from .._validation import check_plain
from ._collections import refuse_other_scales
from ._images import mask_like


def read_masks(masks, images, name, are_required=False):
    """Boolean NumPy masks (height, width), True where a pixel is observed, one for each image.

    `images` are `Images`, and `masks`, a parameter with a name, is in the same container. Without
    masks, missing pixels are NaN; integers then are whole images, unless masks are required.
    """
    if masks is None:
        if are_required and any(form.is_integer for form in images.forms):
            raise ValueError(
                f"{name} must be given for images of integers, which have no NaN for missing "
                "pixels."
            )
        found = [~np.isnan(to_numpy(image)).any(axis=2) for image in images.arrays]
    else:
        n_images = len(images.arrays)
        if images.container != "image" and getattr(masks, "ndim", 3) == 2:
            raise ValueError(
                f"{name} must have one mask for each of {n_images} images, got a single one; if "
                f"it is that of all, pass [mask] * {n_images}."
            )
        parts: Any = [masks] if images.container == "image" else list(masks)
        if len(parts) != n_images:
            raise ValueError(
                f"{name} must have one mask for each image, got {len(parts)} for {n_images} images"
                " (an array of three dimensions is a single image if its last one has length 1, 3 "
                "or 4, that of channels)."
            )
        pairs = zip(parts, images.arrays, strict=True)
        found = [_checked(part, image, name) for part, image in pairs]
    for i, (mask, image) in enumerate(zip(found, images.arrays, strict=True)):
        if not mask.any():
            raise ValueError(f"{name} must be True for at least one pixel, got none in image {i}.")
        values = to_numpy(image)[mask]
        if not np.isfinite(values).all():
            raise ValueError(
                f"X must be finite where pixels are observed, got NaN or infinity in image {i}; "
                f"{name} must be False, or without it pixels NaN, where they are missing."
            )
        refuse_other_scales(values, "X" if images.container == "image" else f"X[{i}]")
    return found


def _checked(mask, image, name):
    """Boolean mask of an image, as a NumPy array."""
    check_plain(mask, name)
    mask = to_numpy(mask) if is_array(mask) else np.asarray(mask)
    if mask.dtype != np.bool_:
        raise TypeError(
            f"{name} must be boolean, True where a pixel is observed, got dtype {mask.dtype}; use "
            f"{name} > {name}.max() / 2 for images that are black where pixels are missing."
        )
    if mask.shape != tuple(image.shape[:2]):
        has_channels = mask.ndim == 3 and mask.shape[:2] == tuple(image.shape[:2])
        cure = f"; a mask is that of all channels, such as {name}[..., 0]" if has_channels else ""
        raise ValueError(
            f"{name} must have the height and width of its image, {tuple(image.shape[:2])}, got "
            f"shape {mask.shape}{cure}."
        )
    return mask


def without_missing(image, mask):
    """Image with zeros in place of missing pixels."""
    xp = namespace(image)
    return xp.where(mask_like(mask[:, :, None], image), image, xp.zeros_like(image))
