"""Means of patches, which dictionaries need not represent."""

from .._array import namespace


def without_levels(patches, n_pixels, n_targets):
    """Patches less the means of their channels, and these means (n_patches, n_targets).

    Features are the channels of `n_pixels` pixels. The first `n_targets` channels have means of
    their own, which are subtracted from those that follow too.
    """
    xp = namespace(patches)
    pixels = xp.reshape(patches, (patches.shape[0], n_pixels, -1))
    levels = xp.mean(pixels[:, :, :n_targets], axis=1)
    centered = pixels - at_pixels(levels, pixels.shape[2] // n_targets)[:, None, :]
    return xp.reshape(centered, patches.shape), levels


def at_pixels(levels, n_pixels):
    """Levels of the channels (n_patches, n_channels), at each of the pixels of a patch."""
    return namespace(levels).tile(levels, (1, n_pixels))
