"""Images in, images out: one image, a stack of images, or a list of them."""

from dataclasses import dataclass

from .._array import check_same_device, is_array, namespace
from .._validation import check_plain
from ._images import check_image, white_of
from .patches import as_channels

_FAR = 16.0  # magnitude that no noise gives a float image with white at one
_CLEAN = -0.5, 1.5  # range of clean images, with what resizing and filters add at edges
_COLOURS = (1, 3, 4)  # numbers of channels by which one image is told from a stack of gray ones


@dataclass(frozen=True, eq=False)
class Images:
    """Images (height, width, n_channels) of floats with white at one, and how they came."""

    arrays: list
    forms: list
    container: str  # "image", "stack" or "list"

    def restored(self, results):
        """Results (height, width, n_channels), in the form and the units in which images came."""
        found = [form.restored(part) for form, part in zip(self.forms, results, strict=True)]
        if self.container == "image":
            return found[0]
        return namespace(found[0]).stack(found) if self.container == "stack" else found


class Form:
    """Number of dimensions, dtype and range of an image."""

    def __init__(self, image):
        self.ndim, self.dtype, self.white = image.ndim, image.dtype, white_of(image)
        self.is_integer = self.white != 1

    def floats(self, image):
        """The image (height, width, n_channels), floats with white at one."""
        image, xp = as_channels(image), namespace(image)
        return xp.astype(image, xp.float32) / self.white if self.is_integer else image

    def restored(self, image):
        """A result (height, width, n_channels), in the form of the image."""
        xp = namespace(image)
        if self.is_integer:
            image = xp.round(xp.clip(image, 0.0, 1.0) * self.white)
        image = xp.astype(image, self.dtype)  # a copy, even where nothing was restored
        return image[:, :, 0] if self.ndim == 2 else image


def read_images(images, name, *, finite=True):
    """Checked `Images`, from one image, a stack of them or a list."""
    check_plain(images, name)
    container, parts = _parts(images, name)
    if not parts:
        raise ValueError(f"{name} must have at least one image, got none.")
    names = [name if container == "image" else f"{name}[{i}]" for i in range(len(parts))]
    parts = [check_image(part, one, finite) for part, one in zip(parts, names, strict=True)]
    forms = [Form(part) for part in parts]
    arrays = [form.floats(part) for form, part in zip(forms, parts, strict=True)]
    if finite:
        for array, one in zip(arrays, names, strict=True):
            refuse_other_scales(array, one)
    check_same_device(**dict(zip(names, arrays, strict=True)))
    xp = namespace(arrays[0])
    if any(array.dtype == xp.float64 for array in arrays):
        arrays = [xp.astype(array, xp.float64, copy=False) for array in arrays]
    return Images(arrays, forms, container)


def refuse_other_scales(image, name):
    """Raise if the floats of an image are far outside of [0, 1]."""
    xp = namespace(image)
    largest = float(xp.max(xp.abs(image)))
    if largest > _FAR:
        raise ValueError(
            f"{name} must have white at one if it holds floats, got magnitudes up to "
            f"{largest:g}; divide by the value of white, such as 255."
        )


def _refuse_clipped(clean):
    """Raise if values of a clean image are far outside of the range that predictions have."""
    xp = namespace(clean)
    low, high = float(xp.min(clean)), float(xp.max(clean))
    if low < _CLEAN[0] or high > _CLEAN[1]:
        raise ValueError(
            f"y must have values in [0, 1] if it holds floats, to which predictions are clipped, "
            f"got {low:g} to {high:g}; scale X and y, as by (y + 1) / 2 from [-1, 1] or y / 255."
        )


def _parts(images, name):
    """Kind of a container, and the images in it."""
    if isinstance(images, list | tuple):
        return "list", list(images)
    if not is_array(images):
        raise TypeError(
            f"{name} must be an image, or a list or stack of images, got {type(images).__name__}."
        )
    if images.ndim == 2 or (images.ndim == 3 and images.shape[2] in _COLOURS):
        return "image", [images]
    if images.ndim in (3, 4):
        return "stack", [images[i, ...] for i in range(images.shape[0])]
    raise ValueError(
        f"{name} must be an image (height, width) or (height, width, 3), a stack of images with "
        f"their number first, or a list of images, got an array of shape {tuple(images.shape)}."
    )


def check_pairs(inputs, outputs):
    """Raise unless there is a clean image of the same shape for each degraded image."""
    if len(inputs) != len(outputs):
        raise ValueError(
            f"X and y must have one clean image for each degraded one, got {len(inputs)} images "
            f"in X and {len(outputs)} in y."
        )
    for i, (image, clean) in enumerate(zip(inputs, outputs, strict=True)):
        _refuse_clipped(clean)
        if image.shape != clean.shape:
            is_smaller = image.shape[0] < clean.shape[0] and image.shape[1] < clean.shape[1]
            cure = "; enlarge those of X first (skdict_sup.image.degradations.enlarge)"
            raise ValueError(
                f"X and y must have images of equal shapes, got {tuple(image.shape)} and "
                f"{tuple(clean.shape)} (height, width, channels) for image {i}"
                f"{cure if is_smaller else ''}."
            )
        if image.shape[2] != inputs[0].shape[2]:
            raise ValueError(
                f"X must have images with equal numbers of channels, got {image.shape[2]} in "
                f"image {i} and {inputs[0].shape[2]} in image 0."
            )


def check_images(images, size, n_channels=None):
    """Raise if an image of X is smaller than a patch, or has another number of channels."""
    for i, image in enumerate(images):
        if any(a < b for a, b in zip(image.shape[:2], size, strict=True)):
            first = image.shape[0] in _COLOURS and image.shape[2] not in _COLOURS
            hint = "; channels come last: move their axis, as by np.moveaxis(image, 0, -1)"
            raise ValueError(
                f"patch_size must be at most the size of each image, got {size} for image {i} of "
                f"X of {image.shape[0]} x {image.shape[1]} pixels{hint if first else ''}."
            )
        if n_channels is not None and image.shape[2] != n_channels:
            raise ValueError(
                f"X must have images of {n_channels} channel(s), got "
                f"{image.shape[2]} in image {i}."
            )
