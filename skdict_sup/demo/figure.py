"""Figure of the demo: atoms before and after supervised learning, and how one signal is read."""

import textwrap

from .methods import MOST_SHOWN

_COLUMNS = 10
_MOST_ATOMS = 50
_INCHES = 0.5  # width of an atom
_COLOURS = {"cmap": "RdBu_r"}


def caption(found, data):
    """Text below the figure."""
    n_atoms = len(found.atoms[0])
    which = f"{_MOST_ATOMS} of {n_atoms}" if n_atoms > _MOST_ATOMS else f"The {n_atoms}"
    text = (
        f"{which} atoms of a dictionary for {data.name}, learned without labels (left) and with "
        "labels (right), and the test errors of a linear classifier of the sparse codes. Red is "
        "above zero, blue below."
    )
    if data.image_shape is None:
        return text
    return f"{text} Last row: a test image, and the atoms that add most to the score of its class."


def draw_atoms(path, found, data):
    """Write an image of the dictionaries; vectors are drawn as rows of pixels."""
    from matplotlib.figure import Figure  # optional: the comparison does not need it

    shape = data.image_shape or (1, found.atoms[0].shape[1])
    n_rows = -(-min(len(found.atoms[0]), _MOST_ATOMS) // _COLUMNS)
    has_example = data.image_shape is not None
    heights = [_INCHES * n_rows + 0.4, 1.3] if has_example else [_INCHES * n_rows + 0.4]
    figure = Figure(figsize=(11, sum(heights) + 0.8), layout="constrained")
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_dictionaries(parts[0], found, shape)
    if has_example:
        _draw_example(parts[1], found.example, shape)
    figure.get_layout_engine().set(h_pad=0.1)  # or else titles are cut off
    figure.supxlabel(textwrap.fill(caption(found, data), 125), fontsize=10)
    figure.savefig(path, dpi=110, format="png")


def _draw_dictionaries(figure, found, shape):
    """Draw both dictionaries, each with the error of a linear classifier on its codes."""
    from ..plotting import DictionaryDisplay

    _, unsupervised, supervised = found.rows
    for axes, atoms, how, row in zip(
        figure.subplots(1, 2),
        found.atoms,
        ("without labels", "with labels"),
        (unsupervised, supervised),
        strict=True,
    ):
        DictionaryDisplay(atoms[:_MOST_ATOMS], shape).plot(axes, columns=_COLUMNS, **_COLOURS)
        title = f"learned {how}: {100 * row.error:.2f} % errors"
        axes.set_title(title, fontsize=12, pad=6)


def _draw_example(figure, example, shape):
    """Draw a signal, and the atoms that add most to the score of its class."""
    from ..plotting import DictionaryDisplay

    pictures = [example.signal, *example.atoms]
    titles = ["a test image", *(f"{share:+.2f}" for share in example.shares)]
    places = figure.subplots(1, MOST_SHOWN + 1)
    for axes in places[len(pictures) :]:
        axes.set_axis_off()
    for axes, picture, title in zip(places, pictures, titles, strict=False):
        DictionaryDisplay(picture[None, :], shape).plot(axes, **_COLOURS)
        axes.set_title(title, fontsize=10, pad=3)
