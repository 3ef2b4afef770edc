"""The page and the figure of the learned encoders."""

import numpy as np
from _common import new_figure, number, opening, table

PLAIN = ("ista", "fista")  # drawn in grey: they learn nothing
LEARNS = {"": "nothing", "codes": "exact codes", "tied": "the objective, tied dictionary"}
PAPER = {  # accuracy in SC2Net's table, %
    ("ista", ""): "85.25",
    ("fista", ""): "86.65",
    ("lista", "codes"): "85.75",
    ("lfista", "codes"): "85.55",
    ("slstm", "tied"): "89.81",
}


def page(found, accuracies, seconds, started, about, learned, quick):
    """The page, as lines."""
    title, script = "Learned encoders, layer by layer", "learned_encoders.py"
    files = ("mnist.npz", "images_train.npz")
    lines = opening(title, script, about, quick, files, folder="papers")
    lines += [
        f"Suboptimality F(w) - F(w*) of codes of test signals, by depth. {learned}, with the"
        " layers of the depth before to begin with; the cost is the objective after the last"
        " layer.",
        "",
        "![Suboptimality by layers](encoders.png)",
        "",
    ]
    for name, by_architecture in found.items():
        depths = list(by_architecture["ista"])
        rows = [
            [architecture, *(number(values.get(depth)) for depth in depths)]
            for architecture, values in by_architecture.items()
        ]
        lines += [f"## {name}", "", *table(["layers", *depths], rows), ""]
    lines += [
        "## Codes of digits, then a linear classifier",
        "",
        "Accuracy on test images of norm one: 100 atoms, lam 0.1, ten layers, ten epochs; beside"
        " it that of SC2Net's table. As there, LISTA and L-FISTA are taught exact codes, and the"
        " sparse LSTM learns the objective with encoder and decoder tied; below, LISTA and"
        " L-FISTA trained as it is.",
        "",
        *table(
            ["", "learns", "accuracy, %", "paper"],
            [
                [name, LEARNS[training], f"{value:.2f}", PAPER.get((name, training), "-")]
                for (name, training), value in accuracies.items()
            ],
        ),
        "",
        "## Time of a forward pass",
        "",
        "Ten layers, 300 atoms, lam 0.02, float32: microseconds for a signal, and how many times"
        " longer exact codes take.",
        "",
        *table(["", "microseconds", "exact / network"], seconds),
        "",
        "## Exact codes that start at an encoder's",
        "",
        "`encode(..., init=encoder)` with ten layers of ALISTA, learned from other signals, beside"
        " a start at zero: 300 atoms, lam 0.02, float64, microseconds for a signal. The time of"
        " the encoder's own pass is counted.",
        "",
        *table(["solver", "tol", "from zero", "from the encoder", "zero / encoder"], started),
    ]
    return lines


def draw(path, found):
    """Write the figure."""
    figure = new_figure(4 * len(found), 3.6)
    panels = np.atleast_1d(figure.subplots(1, len(found)))
    for axes, (name, by_architecture) in zip(panels, found.items(), strict=True):
        for architecture, values in by_architecture.items():
            style = {"color": "#999999", "linestyle": "--"} if architecture in PLAIN else {}
            axes.loglog(*zip(*values.items(), strict=True), label=architecture, **style)
        axes.set(title=name, xlabel="layers")
    panels[0].set_ylabel("F(w) - F(w*)")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)
