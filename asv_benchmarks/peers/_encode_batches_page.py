"""Tables and text of docs/results/encode_batches.md."""

import numpy as np
from _common import number, opening, table
from _peers import missing

AIMS = {"largest": 2.0, 256: 1.3}  # SPAMS / ours
AIM_ATOMS = (100, 200, 300, 1024)


def page(rows, about, quick):
    """The page, as lines."""
    files = ("mnist.npz", "images_train.npz")
    title = "Time for exact codes of batches of all sizes"
    lines = opening(title, "encode_batches.py", about, quick, files)
    lines += missing("SPAMS")
    lines += [
        "Microseconds for each signal, medians of turns: `encode(X, D, prior=ElasticNet(lam))`,"
        " with a certificate for each code, and `spams.lasso`, for the same arrays and threads. A"
        " turn repeats its call for some 20 milliseconds, as training does with its mini-batches."
        " Ours computes the Gram matrix of the dictionary in each call, which is what single"
        " signals wait for. The largest batches have 4096 signals, 1024 over 1024 atoms and 512"
        " over 4096.",
        "",
        "## Summary",
        "",
        *summary(rows),
    ]
    for variant in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == variant]
        lines += ["", f"## {variant[0].upper()}{variant[1:]}", "", *times_table(own)]
    return lines


def ratio(row):
    return row["times"].get("SPAMS", np.nan) / row["times"]["ours"]


def summary(rows):
    """Geometric means, the cells that miss their aims, and the gain of float32."""
    ratios = np.array([ratio(row) for row in rows])
    lines = [
        f"Geometric mean of SPAMS / ours over all cells: {number(_mean(ratios))}; by batch:",
        "",
    ]
    lines += by_batch(rows)
    for name, aim in AIMS.items():
        own = [
            row
            for row in rows
            if row["variant"] == "lasso"
            and row["atoms"] in AIM_ATOMS
            and (row["is_largest"] if name == "largest" else row["n"] == name)
        ]
        if not own:
            continue
        short = [row for row in own if not ratio(row) >= aim]
        what = "the largest batches" if name == "largest" else f"batches of {name}"
        lines += [
            "",
            f"For {what} over {', '.join(map(str, AIM_ATOMS))} atoms the aim is {aim:g} in each"
            f" cell: {len(own) - len(short)} of {len(own)} reach it, with a geometric mean of"
            f" {number(_mean([ratio(row) for row in own]))}.",
        ]
        if short:
            lines += ["The others: " + "; ".join(map(_cell, short)) + "."]
    gains = [
        row["times"]["ours"] / other["times"]["ours"]
        for row, other in zip(rows, rows[2:], strict=False)
        if row["dtype"] == "float64" and row["threads"] == other["threads"]
    ]
    lines += [
        "",
        "Time in float64 over that in float32, of ours: geometric mean "
        f"{number(_mean(gains))}, from {number(min(gains))} to {number(max(gains))}.",
    ]
    return lines


def by_batch(rows):
    """Geometric means of SPAMS / ours for each size of a batch."""
    columns = [(dtype, threads) for dtype in ("float64", "float32") for threads in (1, 2)]
    header = ["batch", *(f"{dtype}, {threads} threads" for dtype, threads in columns)]
    lines = []
    for n in (1, 32, 256, "largest"):
        line = [n]
        for column in columns:
            own = [
                ratio(row)
                for row in rows
                if (row["dtype"], row["threads"]) == column
                and (row["is_largest"] if n == "largest" else row["n"] == n)
            ]
            line.append(number(_mean(own)) if own else "-")
        lines.append(line)
    return table(header, lines)


def _mean(values):
    return float(np.exp(np.mean(np.log(values))))


def _cell(row):
    return (
        f"{row['atoms']} atoms, lam {row['lam']}, {row['dtype']}, {row['threads']} threads"
        f" {number(ratio(row))}"
    )


def times_table(rows):
    header = ["signals", "atoms", "lam", "batch"]
    columns = [(dtype, threads) for dtype in ("float64", "float32") for threads in (1, 2)]
    for dtype, threads in columns:
        header += [f"{dtype}, {threads}: ours", "SPAMS", "SPAMS / ours"]
    cells = {}
    for row in rows:
        key = row["kind"], row["atoms"], row["lam"], row["n"]
        cells.setdefault(key, {})[row["dtype"], row["threads"]] = row
    lines = []
    for key, found in cells.items():
        line = list(key)
        for column in columns:
            times = found[column]["times"]
            line += map(number, (times["ours"], times.get("SPAMS"), ratio(found[column])))
        lines.append(line)
    return table(header, lines)
