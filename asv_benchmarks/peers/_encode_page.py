"""Tables and text of docs/results/encode.md."""

import numpy as np
from _common import number, opening, table
from _peers import SKGLM_TOL, missing

OURS, FLOOR, AGAIN = "skdict_sup", "X @ D.T", "second visit"
PEERS = ("SPAMS", "lasso_cd", "lasso_lars", "skglm")
STEP = 1e-3  # length of an atom's move before the second visit
EXACTNESS = (
    "Largest relative duality gap of our codes, computed in float64 by the script, and the",
    "relative difference of each peer's summed objective from ours (above zero, ours is lower):",
)
AGAIN_TEXT = (
    "The same signals again, with the codes of the first visit as a start, after every atom has"
    f" moved by {STEP:g}; microseconds for each signal, and the largest relative duality gap of"
    " the codes of the second visit:"
)


def page(rows, about, quick):
    """The page, as lines."""
    files = ("mnist.npz", "images_train.npz")
    lines = opening("Time for exact elastic-net codes", "encode.py", about, quick, files)
    lines += missing("SPAMS", "skglm")
    lines += [
        "Microseconds for each signal, medians of repeats that take turns, after a warm-up; all"
        " solve 1/2 ||x - w D||^2 + lam ||w||_1 for the same arrays. Signals have norm one, and"
        " none of them was used to learn the dictionary. Patches have 12 x 12 pixels and mean"
        " zero; nearly constant ones are left out.",
        "",
        "Single signals and mini-batches, on one thread and two, are on"
        " [another page](encode_batches.md), and so are"
        " [missing entries, weights of atoms, and limits](encode_constraints.md).",
        "",
        f"- `{FLOOR}`: the correlations alone, which every method starts from.",
        f"- `{OURS}`: `encode(X, D, prior=ElasticNet(lam))`, with the duality gap of every code;"
        " codes come as a dense array.",
        "- `SPAMS`: `spams.lasso(X.T, D.T, lambda1=lam)`; codes come as a sparse matrix.",
        "- `lasso_cd`, `lasso_lars`: scikit-learn's `sparse_encode(X, D, alpha=lam)` on threads,"
        " for the first signals only. Coordinate descent stops there at a tolerance of its own,"
        " and in float32 it may run into its limit of iterations.",
        "- `skglm`: the greedy epochs of its `GramCD` solver with its compiled `L1` penalty, one"
        " signal at a time, for the first signals only. They are called from a compiled loop in"
        " the script, because `GramCD.solve` forms the Gram matrix anew for each signal and runs"
        " on one thread; here the Gram matrix is ready before the clock starts. It stops at a"
        f" violation of optimality of {SKGLM_TOL['float64']:g}"
        f" ({SKGLM_TOL['float32']:g} in float32).",
        "",
        "![Time for each signal against the number of nonzeros](encode.png)",
        "",
        "## Summary",
        "",
        *summary_table(rows),
    ]
    for dtype in ("float64", "float32"):
        own = [row for row in rows if row["dtype"] == dtype]
        lines += ["", f"## {dtype}", "", *times_table(own)]
        lines += ["", *EXACTNESS, "", *exactness_table(own)]
        lines += ["", AGAIN_TEXT, "", *again_table(own)]
    return lines


def times_table(rows):
    header = ["signals", "atoms", "lam", "nonzeros", FLOOR, OURS, *PEERS]
    header += [f"{peer} / ours" for peer in PEERS] + ["ours / floor"]
    lines = []
    for row in rows:
        times = row["times"]
        ours, floor = times[OURS], times[FLOOR]
        line = [row["kind"], row["atoms"], row["lam"], number(row["nonzeros"])]
        line += [number(times.get(name)) for name in (FLOOR, OURS, *PEERS)]
        line += [number(ratio(row, peer)) for peer in PEERS]
        lines.append([*line, number(ours / floor)])
    return table(header, lines)


def ratio(row, peer):
    return row["times"].get(peer, np.nan) / row["times"][OURS]


def exactness_table(rows):
    header = ["signals", "atoms", "lam", "number", "for scikit-learn and skglm"]
    header += ["our largest gap", *PEERS]
    lines = []
    for row in rows:
        line = [row["kind"], row["atoms"], row["lam"], row["signals"], row["slow"]]
        differences = [row["agreement"].get(peer) for peer in PEERS]
        lines.append([*line, *map(number, (row["gap"], *differences))])
    return table(header, lines)


def again_table(rows):
    header = ["signals", "atoms", "lam", "first visit", "second visit", "first / second"]
    header += ["largest gap"]
    lines = []
    for row in rows:
        first, second = row["times"][OURS], row["times"][AGAIN]
        line = [row["kind"], row["atoms"], row["lam"]]
        lines.append([*line, *map(number, (first, second, first / second, row["gap again"]))])
    return table(header, lines)


def summary_table(rows):
    """Geometric mean and least of the ratios, for each floating-point type."""
    header = ["", "", "geometric mean", "smallest", "largest"]
    lines = []
    for dtype in ("float64", "float32"):
        own = [row for row in rows if row["dtype"] == dtype]
        ratios = {f"{peer} / ours": [ratio(row, peer) for row in own] for peer in PEERS}
        ratios["ours / floor"] = [row["times"][OURS] / row["times"][FLOOR] for row in own]
        ratios["first / second visit"] = [row["times"][OURS] / row["times"][AGAIN] for row in own]
        for name, values in ratios.items():
            numbers = np.exp(np.mean(np.log(values))), np.min(values), np.max(values)
            lines.append([dtype, name, *map(number, numbers)])
    return table(header, lines)
