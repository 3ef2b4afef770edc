"""Figure of the demo: atoms before and after supervised learning."""


def draw_atoms(path, atoms, image_shape, max_atoms=50):
    """Write an image of two dictionaries side by side; vectors are drawn as rows of pixels."""
    from matplotlib.figure import Figure  # optional: the comparison does not need it

    from ..plotting import DictionaryDisplay

    before, after = (dictionary[:max_atoms] for dictionary in atoms)
    columns = 10
    figure = Figure(figsize=(11, 0.52 * -(-len(before) // columns) + 0.9), layout="constrained")
    for axes, dictionary, title in zip(
        figure.subplots(1, 2),
        (before, after),
        ("learned without labels", "learned with labels"),
        strict=True,
    ):
        shape = image_shape or (1, dictionary.shape[1])
        DictionaryDisplay(dictionary, shape).plot(axes, columns=columns, cmap="RdBu_r")
        axes.set_title(title, fontsize=12, pad=8)
    figure.supxlabel("atoms of the dictionary: red above zero, blue below", fontsize=10)
    figure.savefig(path, dpi=110, format="png")
