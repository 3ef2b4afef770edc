"""Images from overlapping patches."""

from .._array import astype_like, device_of, namespace
from ..kernels import overlap_add


def averaged(grid, restored, like, window=None):
    """Image (height, width, n_channels) whose pixels are means of the patches that cover them.

    `restored(rows)` gives the patches (n_patches, n_features) of a slice of those of a grid, band
    by band; `like` is an array with their library, device and dtype. `window` are the weights of
    the pixels of a patch (height, width) in the means; None gives equal weights.
    """
    xp, (height, width), n_channels = namespace(like), grid.image_size, grid.n_channels
    kind = {"dtype": like.dtype, "device": device_of(like)}
    window = xp.ones(grid.patch_size, **kind) if window is None else astype_like(window, like)
    weights = xp.reshape(xp.repeat(xp.reshape(window, (-1,)), n_channels), (1, -1))
    columns = tuple(column * n_channels for column in grid.columns)
    total = xp.zeros((height, width * n_channels), **kind)
    for band in grid.bands():
        patches = restored(grid.rows(band)) * weights
        patches = xp.reshape(
            patches, (patches.shape[0], grid.patch_size[0], grid.patch_size[1] * n_channels)
        )
        first, last = grid.lines[band][0], grid.lines[band][-1]
        lines = tuple(line - first for line in grid.lines[band])
        n_lines = last + grid.patch_size[0] - first
        sums = overlap_add(patches, lines, columns, n_lines, total.shape[1])
        total[first : first + n_lines, :] += sums
    total = xp.reshape(total, (height, width, n_channels))
    return total / grid.coverage(window)[:, :, None]
