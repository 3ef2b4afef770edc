"""The page and the figure of the learned encoders."""

import numpy as np
from _common import new_figure, number, opening, table
from _encoder_times import section

PLAIN = ("ista", "fista")  # drawn in grey: they learn nothing
LEARNS = {"": "nothing", "codes": "exact codes", "tied": "the objective, tied dictionary"}
WORTH = (2, 4, 7, 21)  # layers of LISTA
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
        " layer. A mean may be that of one signal which a network is not made for; rows with"
        " `safeguard` take the step of ISTA wherever a layer does worse.",
        "",
        "![Suboptimality by layers](encoders.png)",
        "",
        *summary(found),
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
        *section(seconds, []),
        "## Exact codes that start at an encoder's",
        "",
        "`encode(..., init=encoder)` with ten layers of ALISTA, learned from other signals, beside"
        " a start at zero: 300 atoms, lam 0.02, float64, one thread, microseconds for a signal."
        " The time of the encoder's own pass is counted.",
        "",
        *table(["solver", "tol", "from zero", "from the encoder", "zero / encoder"], started),
    ]
    return lines


def summary(found):
    """Lines that set the curves against each other."""
    if not all({"lista", "facnet"} <= set(curves) for curves in found.values()):
        return []
    header = ["largest ratio", "LISTA / FISTA", "FacNet / ISTA", "LISTA / FacNet"]
    header += [f"{depth} layers" for depth in WORTH]
    rows = []
    for name, curves in found.items():
        pairs = (("lista", "fista"), ("facnet", "ista"), ("lista", "facnet"))
        largest = [max(v / curves[b][d] for d, v in curves[a].items()) for a, b in pairs]
        worth = [_steps(curves["ista"], curves["lista"].get(depth)) for depth in WORTH]
        rows.append([name, *map(number, largest), *worth])
    return [
        "## Against each other",
        "",
        "The largest ratio of suboptimalities over all depths up to that of the networks: one or"
        " less where the first is never worse. Beside it how many layers of ISTA, of those in the"
        " tables, come as near as 2, 4 and so on of LISTA.",
        "",
        *table(header, rows),
        "",
    ]


def _steps(ista, reached):
    """The first depth at which ISTA comes as near."""
    if reached is None:
        return "-"
    deep = [depth for depth, value in ista.items() if value <= reached]
    return str(deep[0]) if deep else f"> {max(ista)}"


def draw(path, found):
    """Write the figure."""
    columns = min(3, len(found))
    rows = -(-len(found) // columns)
    figure = new_figure(4 * columns, 3.5 * rows)
    panels = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for axes in panels[len(found) :]:
        axes.axis("off")
    for axes, (name, by_architecture) in zip(panels, found.items(), strict=False):
        for architecture, values in by_architecture.items():
            if architecture.endswith("safeguard"):
                continue
            style = {"color": "#999999", "linestyle": "--"} if architecture in PLAIN else {}
            if architecture == "fista":
                style["linestyle"] = ":"
            axes.loglog(*zip(*values.items(), strict=True), label=architecture, **style)
        axes.set(title=name, xlabel="layers")
        axes.set_ylim(top=2 * max(by_architecture["ista"].values()))  # some networks leave it
    panels[0].set_ylabel("F(w) - F(w*)")
    panels[-1].legend(*panels[0].get_legend_handles_labels(), frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)
