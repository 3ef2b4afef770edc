"""Figures of the home page, drawn from the pages of results, for light and dark pages."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
DRAWN = DOCS / "images" / "drawn"  # not in the repository
COLOURS = {  # of text, and of bars without and with labels
    "light": ("#222832", "#8c96a3", "#2c6fad"),
    "dark": ("#ced6dd", "#76808c", "#6fb1e8"),
}


def test_errors():
    """Numbers of atoms, and test errors of MNIST in percent, without labels and with them."""
    text = (DOCS / "results" / "mnist.md").read_text(encoding="utf-8")
    parts = dict(part.split("\n", 1) for part in text.split("\n## ")[1:])
    without = re.findall(
        r"^\| (\d+) \| ([\d.]+) \|",
        parts["A dictionary without labels, and a linear model"],
        re.MULTILINE,
    )
    with_labels = re.findall(
        r"^\| (\d+) \| True \| ([\d., ]+) \|",
        parts["One dictionary for all classes"],
        re.MULTILINE,
    )
    assert [atoms for atoms, _ in without] == [atoms for atoms, _ in with_labels]
    means = [[float(seed) for seed in seeds.split(",")] for _, seeds in with_labels]
    return (
        [int(atoms) for atoms, _ in without],
        [float(error) for _, error in without],
        [sum(seeds) / len(seeds) for seeds in means],
    )


def draw(app):
    """Draw test errors by the number of atoms, as SVG files."""
    import matplotlib
    from matplotlib.figure import Figure

    atoms, without, with_labels = test_errors()
    DRAWN.mkdir(exist_ok=True)
    for mode, (text, grey, blue) in COLOURS.items():
        style = {"svg.hashsalt": "supervision", "font.size": 11, "text.color": text}
        style |= dict.fromkeys(
            ["axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"], text
        )
        with matplotlib.rc_context(style):
            figure = Figure(figsize=(5.6, 2.9), layout="constrained")
            axes = figure.subplots()
            for shift, errors, colour, name in (
                (-0.2, without, grey, "atoms learned without labels"),
                (0.2, with_labels, blue, "atoms learned with labels"),
            ):
                places = [place + shift for place in range(len(atoms))]
                bars = axes.bar(places, errors, 0.38, color=colour, label=name)
                axes.bar_label(bars, fmt="%.2f", padding=2)
            axes.set_xticks(range(len(atoms)), [f"{number} atoms" for number in atoms])
            axes.set(ylabel="test error, %", ylim=(0, 1.15 * max(without)))
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False)
            file = DRAWN / f"supervision-{mode}.svg"
            figure.savefig(file, transparent=True, metadata={"Date": None})


def setup(app):
    app.connect("builder-inited", draw)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
