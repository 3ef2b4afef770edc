"""Figure of the demo of photographs: the whole, a detail, and atoms."""

import io

import numpy as np
from scipy import ndimage

from ..image._pillow import load_pillow

_DETAIL = 0.22  # height of the detail over that of the photograph
_COLUMNS = 32  # atoms in a row
N_ATOMS = 2 * _COLUMNS
_N_LEVELS = 64  # gray levels in the file, which keep it small


def draw_photographs(path, panels, atoms, atoms_title):
    """Write photographs of one size with titles, a magnified detail of each, and atoms.

    `panels` are pairs of a title and an image, the last of which is the clean one; `atoms` are
    arrays of atoms (n_atoms, height, width), which are drawn below each other.
    """
    from matplotlib.figure import Figure

    n, aspect = len(panels), panels[0][1].shape[0] / panels[0][1].shape[1]
    width = 13.0
    strip = _strip(atoms)
    heights = [width / n * aspect, width / n * aspect, width * strip.shape[0] / strip.shape[1]]
    figure = Figure(figsize=(width, sum(heights) + 0.8), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.0, hspace=0.01)
    grid = figure.add_gridspec(3, n, height_ratios=heights)
    top, left, bottom, right = box = _detail(panels[-1][1])
    for i, (title, image) in enumerate(panels):
        axes = _image(figure.add_subplot(grid[0, i]), image, "antialiased")
        axes.set_title(title, fontsize=11)
        sides = [left, right, right, left, left], [top, top, bottom, bottom, top]
        axes.plot(*sides, color="white", linewidth=2.5)
        axes.plot(*sides, color="black", linewidth=1)
        _image(figure.add_subplot(grid[1, i]), image[box[0] : box[2], box[1] : box[3]], "nearest")
    axes = _image(figure.add_subplot(grid[2, :]), strip, "nearest")
    axes.set_title(atoms_title, fontsize=11)
    _save_gray(figure, path)


def _image(axes, image, interpolation):
    axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation=interpolation)
    axes.set_axis_off()
    return axes


def _detail(image):
    """Box (top, left, bottom, right) of the part with the strongest edges."""
    size = [max(1, round(_DETAIL * n)) for n in image.shape]
    edges = np.hypot(*np.gradient(np.asarray(image, np.float64)))
    # the mean of a box, at its first pixel
    mean = ndimage.uniform_filter(edges, size, origin=[-(k // 2) for k in size])
    places = mean[: image.shape[0] - size[0] + 1, : image.shape[1] - size[1] + 1]
    top, left = np.unravel_index(np.argmax(places), places.shape)
    return int(top), int(left), int(top) + size[0], int(left) + size[1]


def _strip(atoms):
    """Atoms in one picture, white between them: rows of each array by turns."""
    parts = [_tiles(part) for part in atoms]
    gaps = [1] * (len(parts) - 1) + [4 if len(parts) > 1 else 2]
    lines = []
    for start in range(0, len(atoms[0]), _COLUMNS):
        for part, gap in zip(parts, gaps, strict=True):
            line = np.concatenate([*part[start : start + _COLUMNS]], axis=1)
            lines.append(np.pad(line, ((0, gap), (0, 0)), constant_values=1.0))
    width = max(line.shape[1] for line in lines)
    filled = [
        np.pad(line, ((0, 0), (0, width - line.shape[1])), constant_values=1.0) for line in lines
    ]
    return np.concatenate(filled)[: -gaps[-1]]


def _tiles(atoms):
    """Atoms scaled to [0, 1] with zero in the middle, each with white on its right."""
    top = np.abs(atoms).max(axis=(1, 2), keepdims=True)
    scaled = (atoms / np.where(top > 0, top, 1.0) + 1) / 2
    return np.pad(scaled, ((0, 0), (0, 0), (0, 2)), constant_values=1.0)


def _save_gray(figure, path):
    """Write a figure without colours as a small PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, dpi=100, format="png")
    buffer.seek(0)
    with load_pillow().open(buffer) as picture:
        levels = picture.convert("L").quantize(_N_LEVELS)
        levels.save(path, format="PNG", optimize=True)
