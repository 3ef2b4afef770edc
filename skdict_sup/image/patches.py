"""Extraction of overlapping patches of images, and images from them."""

from numbers import Integral
from typing import Any

import numpy as np

from .._array import astype_like, is_array, namespace
from .._signals import as_signals
from .._typing import Array
from .._validation import check_matrix, check_scalar
from ._average import averaged
from ._grid import PatchGrid
from ._images import check_image
from ._patch_signals import Patches


def extract_patches(
    image: Array, patch_size: int | tuple[int, int], stride: int | tuple[int, int] = 1
) -> Patches:
    """Overlapping patches of an image as rows, without copying them.

    Parameters
    ----------
    image : array of shape (height, width) or (height, width, n_channels)
        Image, in any array library; float32 and float64 are kept, uint8 becomes float32, in the
        units of the image; a boolean array, such as a mask, stays one.
    patch_size : int or tuple of two int
        Height and width of the patches, in pixels; a number is for both.
    stride : int or tuple of two int, default=1
        Distances between the first lines and the first columns of neighbouring patches, in pixels.
        Patches at the far edges follow, so that they cover all pixels.

    Returns
    -------
    Patches
        Signals of shape (n_patches, patch_height * patch_width * n_channels) for all functions
        and estimators of this package. With a stride of one they are the patches of
        `sklearn.feature_extraction.image.extract_patches_2d`, in the same order. `numpy.asarray`
        makes an array of them; slices are `Patches` too.

    Raises
    ------
    ValueError
        If a patch is larger than the image, or a stride larger than a patch.

    See Also
    --------
    average_patches : The image of which each pixel is the mean of the patches that cover it.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup.image import average_patches, extract_patches
    >>> image = np.arange(12.0).reshape(3, 4)
    >>> patches = extract_patches(image, 2)
    >>> patches.shape
    (6, 4)
    >>> patches[0]
    array([0., 1., 4., 5.])
    >>> bool(np.allclose(average_patches(patches, (3, 4), 2), image))
    True
    """
    image = as_channels(_check_image_or_mask(image))
    grid = make_grid(image.shape, patch_size, stride)
    return patches_of(image, grid)


def average_patches(
    patches: Any,
    image_shape: tuple[int, ...],
    patch_size: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    *,
    window: Any = None,
) -> Array:
    """Image of which each pixel is the mean of the patches that cover it.

    Parameters
    ----------
    patches : array or Patches of shape (n_patches, n_features)
        Patches in the order of :func:`extract_patches`, float32 or float64, in any array library.
    image_shape : tuple of two or three int
        (height, width) or (height, width, n_channels).
    patch_size, stride : int or tuple of two int
        As for :func:`extract_patches`.
    window : array of shape (patch_height, patch_width) or None, default=None
        Weights above zero of the pixels of a patch in the means; None gives equal weights.

    Returns
    -------
    array of shape image_shape
        The image, in the library and dtype of the patches. The patches of an image give the image
        back, up to rounding.

    Raises
    ------
    ValueError
        If the number or the size of the patches is not that of the image, or if a weight is not
        above zero.

    See Also
    --------
    extract_patches : The patches of an image.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup.image import average_patches
    >>> average_patches(np.array([[1.0, 1.0], [3.0, 3.0]]), (1, 3), (1, 2))
    array([[1., 2., 3.]])
    """
    grid = make_grid(_check_shape(image_shape), patch_size, stride)
    if not isinstance(patches, Patches):
        patches = check_matrix(patches, "patches", finite=False)
    if tuple(patches.shape) != grid.shape:
        raise ValueError(
            f"patches must have shape {grid.shape}, for patches of {_words(grid.patch_size)} "
            f"every {_words(grid.stride)} pixels of an image of shape {tuple(image_shape)}, got "
            f"shape {tuple(patches.shape)}."
        )
    like = patches.like if isinstance(patches, Patches) else patches
    signals = as_signals(patches)
    image = averaged(grid, signals.batch, like, _check_window(window, grid, like))
    return namespace(like).reshape(image, tuple(image_shape))


def _refuse_several(image):
    """Raise for a list of images."""
    if isinstance(image, list | tuple) and image and getattr(image[0], "ndim", 0) > 1:
        raise TypeError(
            f"image must be one image, got a {type(image).__name__} of {len(image)}; call "
            "extract_patches for each."
        )


def _check_image_or_mask(image: Any):
    """Image of floats, or a boolean one of two or three dimensions."""
    _refuse_several(image)
    if is_array(image) and "bool" in str(image.dtype) and image.ndim in (2, 3):
        return image
    image = check_image(image, finite=False)
    xp = namespace(image)
    return xp.astype(image, xp.float32) if xp.isdtype(image.dtype, "integral") else image


def as_channels(image):
    """Image (height, width, n_channels)."""
    return image[:, :, None] if image.ndim == 2 else image


def patches_of(image, grid, selected=None):
    """`Patches` of an image (height, width, n_channels) at the places of a grid."""
    pixels = namespace(image).reshape(image, (-1, image.shape[2]))
    return Patches(pixels, grid, range(grid.shape[0]) if selected is None else selected)


def make_grid(shape, patch_size: Any, stride: Any = 1):
    """`PatchGrid` of an image (height, width, n_channels), from arguments of a user."""
    size, step = as_pair(patch_size, "patch_size"), as_pair(stride, "stride")
    if any(a > b for a, b in zip(size, shape[:2], strict=True)):
        raise ValueError(
            f"patch_size must be at most the size of the image, {_words(shape[:2])} pixels, got "
            f"{_words(size)}."
        )
    check_stride(step, size)
    return PatchGrid((int(shape[0]), int(shape[1])), int(shape[2]), size, step)


def as_pair(value, name) -> tuple[int, int]:
    """Two positive integers, from one or two."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        value = (value, value)
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name} must be an integer or two, (height, width), got {value!r}.")
    first, second = (int(check_scalar(v, name, low=1, integer=True)) for v in value)
    return first, second


def check_stride(stride, size, name="patch_size"):
    """Raise unless patches of a size, which has a name, cover an image."""
    if any(a > b for a, b in zip(stride, size, strict=True)):
        raise ValueError(
            f"stride must be at most {name}, {_words(size)} pixels, so that patches cover the "
            f"image, got {_words(stride)}."
        )


def _check_shape(shape):
    if not isinstance(shape, tuple | list) or len(shape) not in (2, 3):
        raise ValueError(
            f"image_shape must be (height, width) or (height, width, n_channels), got {shape!r}."
        )
    shape = tuple(int(check_scalar(v, "image_shape", low=1, integer=True)) for v in shape)
    return shape if len(shape) == 3 else (*shape, 1)


def _check_window(window, grid, like):
    """Weights of the pixels of a patch, like an array, or None."""
    if window is None:
        return None
    xp = namespace(like)
    window = astype_like(window if is_array(window) else np.asarray(window, float), like)
    if tuple(window.shape) != grid.patch_size:
        raise ValueError(
            f"window must have the size of a patch, {grid.patch_size}, got shape "
            f"{tuple(window.shape)}."
        )
    if not bool(xp.all(xp.isfinite(window) & (window > 0))):
        raise ValueError("window must be finite and above zero, got other numbers.")
    return window / xp.max(window)  # so that no sum overflows


def _words(size):
    return " x ".join(map(str, size))
