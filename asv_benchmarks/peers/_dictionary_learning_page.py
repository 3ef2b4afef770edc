"""Tables, text and figure of docs/results/dictionary_learning.md."""

import numpy as np
from _common import THREADS, new_figure, number, opening, table
from _peers import missing

OURS, SKLEARN = "skdict_sup", "scikit-learn"
COLOURS = {OURS: "tab:blue", "SPAMS": "tab:orange", SKLEARN: "tab:green"}
SLACK = 1.0005  # of the objective that a group of methods reaches: within 0.05 % of it


def time_to(curve, target):
    """Seconds to a target, and whether the least effort was enough; None if nothing reaches it.

    The line between two efforts counts, up to the first effort that is at or below the target.
    """
    before = None
    for _, seconds, value, _ in curve:
        if value <= target:
            if before is None:
                return seconds, True
            share = (before[1] - target) / (before[1] - value)
            return before[0] + share * (seconds - before[0]), False
        before = seconds, value
    return None, False


def targets(row):
    """(methods, objective that each reaches): all, then ours and a peer where it is lower."""
    best = {name: min(point[2] for point in curve) for name, curve in row["curves"].items()}
    common = SLACK * max(best.values())
    pairs = [((OURS, peer), SLACK * max(best[OURS], best[peer])) for peer in best if peer != OURS]
    return [(tuple(best), common), *(pair for pair in pairs if pair[1] < common)]


def page(rows, about, settings, quick):
    """The page, as lines."""
    title = "Dictionary learning without labels: time to an objective"
    files = ("mnist.npz", "images_train.npz")
    lines = opening(title, "dictionary_learning.py", about, quick, files)
    lines += missing("SPAMS")
    batch, lam = settings["batch"], settings["lam"]
    lines += [
        f"All methods minimise the mean of 1/2 ||x - w D||^2 + {lam:g} ||w||_1 over atoms in the"
        " unit ball, in float64, from the same first atoms (random signals) and with mini-batches"
        f" of {batch} signals. Each effort is a training from scratch; less than one pass takes"
        " the first part of the signals. Seconds are medians of repeats that take turns, after a"
        " warm-up. The objective is the mean over held-out signals, each coded exactly by"
        " `encode`.",
        "",
        f"- `{OURS}`: `OnlineDictionaryLearning(init=..., max_iter=passes, tol=0)`.",
        "- `SPAMS`: `spams.trainDL(X.T, D=..., lambda2=0, iter=mini-batches)`.",
        f"- `{SKLEARN}`: `MiniBatchDictionaryLearning(dict_init=..., max_iter=passes, tol=0,"
        " max_no_improvement=None)` on threads of Python; `fit_algorithm` is the faster of"
        ' "cd" and "lars" for 1024 signals, named below. Efforts of any method that would take'
        f" more than about {settings['longest']:g} seconds are left out.",
        "",
        "![Objective of held-out signals against seconds of training](dictionary_learning.png)",
        "",
        "## Time to an objective",
        "",
        "The target is the largest of the best objectives of the methods in the first column,"
        f" times {SLACK:g}: each of them reaches it. Two methods have a row of their own where"
        " they reach a lower one. Seconds are interpolated between the efforts"
        ' on either side; "at most" marks a target that the least effort reached.',
        "",
        *times_table(rows),
    ]
    for row in rows:
        lines += ["", f"## {row['kind']}, {row['atoms']} atoms", ""]
        lines += [
            f"{row['signals']} signals to learn from, {row['held out']} held out; the objective of"
            f" the first atoms is {row['start']:.5f}. Largest norm of an atom over all efforts,"
            f" minus one: {norms(row)}; atoms of norm above one are scaled to one before coding."
            f' scikit-learn has `fit_algorithm="{row["algorithm"]}"`.',
            "",
            *curves_table(row),
        ]
    return lines


def norms(row):
    """Largest norm of each method's atoms minus one, in words."""
    largest = {name: max(p[3] for p in curve) for name, curve in row["curves"].items()}
    return ", ".join(f"{name} {number(value - 1)}" for name, value in largest.items())


def times_table(rows):
    names = [name for name in COLOURS if name in rows[0]["curves"]]
    peers = names[1:]
    header = ["signals", "atoms", "reached by", "target"]
    header += [f"{name}, s" for name in names] + [f"{peer} / ours" for peer in peers]
    lines = []
    for row in rows:
        for group, target in targets(row):
            found = {name: time_to(row["curves"][name], target) for name in group}
            line = [row["kind"], row["atoms"], ", ".join(group), f"{target:.5f}"]
            line += [_seconds(*found.get(name, (None, False))) for name in names]
            for peer in peers:
                value = found[peer][0] / found[OURS][0] if peer in found else np.nan
                line.append(number(value))
            lines.append(line)
    return table(header, lines)


def _seconds(value, at_most):
    return ("at most " if at_most else "") + number(value)


def curves_table(row):
    header, efforts = ["passes"], {}
    for name, curve in row["curves"].items():
        header += [f"{name}, s", f"{name}, objective"]
        for effort, seconds, value, _ in curve:
            efforts.setdefault(effort, {})[name] = (number(seconds), f"{value:.5f}")
    lines = []
    for effort, points in sorted(efforts.items()):
        line = [f"{effort:g}"]
        for name in row["curves"]:
            line += points.get(name, ("-", "-"))
        lines.append(line)
    return table(header, lines)


def draw(rows, path):
    """Write the figure: one panel for each problem."""
    figure = new_figure(4.2 * len(rows), 3.4)
    for axes, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
        for name, curve in row["curves"].items():
            _, seconds, values, _ = zip(*curve, strict=True)
            axes.plot(seconds, values, marker="o", markersize=3, color=COLOURS[name], label=name)
        axes.axhline(targets(row)[0][1], color="tab:gray", linewidth=0.8, linestyle=":")
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter("")  # the labels of the decades are enough
        axes.set_title(f"{row['kind']}, {row['atoms']} atoms", fontsize=9)
        axes.set_xlabel(f"seconds of training, {THREADS} threads")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("objective of held-out signals")
    figure.axes[0].legend(frameon=False)
    figure.savefig(path, dpi=130)
