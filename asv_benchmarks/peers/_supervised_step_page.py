"""Tables and text of docs/results/supervised_step.md."""

import numpy as np
from _common import number, opening, table
from _peers import missing

COLUMNS = ("X @ D.T", "encode", "step", "partial_fit", "SPAMS")


def page(steps, epochs, about, what, quick):
    """The page, as lines."""
    title = "Time of a supervised step"
    lines = opening(title, "supervised_step.py", about, quick, ("mnist.npz",))
    lines += missing("SPAMS")
    lines += [
        f"A step codes a batch of {what['batch']} signals ({what['digits']}, norm one) over"
        f" {what['atoms']} atoms, follows the gradient of a softmax loss through the codes, and"
        " moves the dictionary and the head. The dictionary is learned without labels, then for"
        " a few steps with them. All times are medians of repeats that take turns, after a"
        " warm-up.",
        "",
        "- `X @ D.T`: the correlations alone.",
        "- `encode`: `encode(X, D, prior=ElasticNet(lam))`, over the dictionary of the step.",
        "- `step`: the function that `SupervisedDictionaryClassifier` calls for each mini-batch,"
        " with one BLAS thread, as in its `fit`.",
        "- `partial_fit`: the same with the checks of the estimator around it.",
        "- `SPAMS`: `spams.lasso(X.T, D.T, lambda1=lam)`, the codes alone.",
        "",
    ]
    lines += batch_section(steps) if steps else []
    return lines + (epoch_section(epochs) if epochs else [])


def batch_section(steps):
    """Lines on single steps."""
    return [
        "## One batch",
        "",
        "Microseconds for each signal:",
        "",
        *steps_table(steps),
        "",
        "Largest difference of the step's codes from those of `encode`, relative difference of"
        " SPAMS' summed objective from ours (above zero, ours is lower), and the largest change"
        " of an entry of the dictionary by the step. Last, how many codes of the batch `encode`"
        " reports above its tolerance, a duality gap of 1e-9 (1e-5 in float32):",
        "",
        *agreement_table(steps),
        "",
    ]


def epoch_section(epochs):
    """Lines on whole epochs."""
    return [
        "## An epoch",
        "",
        f"Seconds for {epochs[0]['signals']} signals. `partial_fit` is one epoch on a fitted"
        " classifier; a later epoch is half of what `fit` takes with three epochs beyond one,"
        " and the dictionary moves in both as training has it. `encode` and `SPAMS` code the"
        " signals once, in one call, over the first dictionary, and `trained` is `encode` over"
        " that of three epochs, whose codes have more nonzeros: an epoch computes codes between"
        " the two.",
        "",
        *epochs_table(epochs),
    ]


def steps_table(rows):
    header = ["dtype", "lam", "nonzeros", *COLUMNS]
    header += ["step / encode", "step / SPAMS", "partial_fit / encode"]
    lines = []
    for row in rows:
        times = row["times"]
        line = [row["dtype"], row["lam"], number(row["nonzeros"])]
        line += [number(times.get(name)) for name in COLUMNS]
        line += [number(times["step"] / times["encode"])]
        line += [number(times["step"] / times.get("SPAMS", np.nan))]
        lines.append([*line, number(times["partial_fit"] / times["encode"])])
    return table(header, lines)


def agreement_table(rows):
    header = ["dtype", "lam", "codes of the step", "objective of SPAMS", "move of the dictionary"]
    header.append("above the tolerance")
    return table(
        header,
        [
            [
                row["dtype"],
                row["lam"],
                *map(number, (row["codes"], row.get("SPAMS"), row["moved"])),
                row["above"],
            ]
            for row in rows
        ],
    )


def epochs_table(rows):
    variants = list(rows[0]["later"])
    names = "encode", "encode, trained", "SPAMS", "partial_fit"
    header = ["dtype", "lam", *names]
    header += [f"later epoch, {variant}" for variant in variants]
    header += ["partial_fit / encode", *(f"later / encode, {variant}" for variant in variants)]
    header += [f"later / trained, {variant}" for variant in variants]
    lines = []
    for row in rows:
        times, later = row["times"], [row["later"][variant] for variant in variants]
        line = [row["dtype"], row["lam"]]
        line += [number(times.get(name)) for name in names]
        ratios = [value / times["encode"] for value in (times["partial_fit"], *later)]
        ratios += [value / times["encode, trained"] for value in later]
        lines.append([*line, *map(number, (*later, *ratios))])
    return table(header, lines)
