"""Figure of the main job: atoms before and after supervision."""

import numpy as np


def draw_atoms(path, atoms, image_shape, most=50):
    """Write a picture of two dictionaries side by side; vectors are drawn as rows of pixels."""
    from matplotlib.figure import Figure  # at first use: the comparison itself needs no plots

    before, after = (dictionary[:most] for dictionary in atoms)
    columns = 10
    figure = Figure(figsize=(11, 0.52 * -(-len(before) // columns) + 0.5), layout="constrained")
    for axes, dictionary, title in zip(
        figure.subplots(1, 2),
        (before, after),
        ("learned without labels", "learned with labels"),
        strict=True,
    ):
        axes.imshow(_mosaic(dictionary, image_shape, columns), cmap="gray", vmin=-1, vmax=1)
        axes.set_title(title, fontsize=12, pad=8)
        axes.set_axis_off()
    figure.savefig(path, dpi=110)


def _mosaic(dictionary, image_shape, columns):
    """Atoms as tiles of one picture, each scaled to its largest entry, white between them."""
    shape = image_shape or (1, dictionary.shape[1])
    tiles = dictionary.reshape(-1, *shape)
    top = np.abs(tiles).max(axis=(1, 2), keepdims=True)
    tiles = np.pad(
        tiles / np.where(top > 0, top, 1), ((0, 0), (1, 1), (1, 1)), constant_values=1.0
    )
    missing = -len(tiles) % columns
    tiles = np.concatenate([tiles, np.ones((missing, *tiles.shape[1:]), tiles.dtype)])
    rows = tiles.reshape(-1, columns, *tiles.shape[1:])
    return rows.transpose(0, 2, 1, 3).reshape(-1, columns * tiles.shape[2])
