"""Tables and text of docs/results/encode_batches.md."""

import numpy as np
from _common import number, opening, table
from _peers import missing

AIMS = {"largest": 2.0, 256: 1.3}  # SPAMS / ours
KINDS = "new", "same"
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
        " `encode` keeps the Gram matrix of the last dictionary: `new` has another dictionary in"
        " each call, as training does, and `same` always the same one. The largest batches have"
        " 4096 signals, 1024 over 1024 atoms and 512 over 4096.",
        "",
        "## Summary",
        "",
        *summary(rows),
    ]
    for variant in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == variant]
        lines += ["", f"## {variant[0].upper()}{variant[1:]}", "", *times_table(own)]
    return lines


def ratio(row, name="new"):
    return row["times"].get("SPAMS", np.nan) / row["times"][name]


def summary(rows):
    """Geometric means, the cells that miss their aims, and the gain of float32."""
    lines = [
        "Geometric means of SPAMS / ours over all cells of a batch, new and same dictionary:",
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
        for kind in KINDS if own else ():
            lines += ["", *_reached(own, kind, name, aim)]
    gains = [
        row["times"]["same"] / other["times"]["same"]
        for row, other in zip(rows, rows[2:], strict=False)
        if row["dtype"] == "float64" and row["threads"] == other["threads"]
    ]
    lines += [
        "",
        "Time in float64 over that in float32, of ours: geometric mean "
        f"{number(_mean(gains))}, from {number(min(gains))} to {number(max(gains))}.",
    ]
    return lines


def _reached(rows, kind, name, aim):
    """Which cells reach an aim."""
    short = [row for row in rows if not ratio(row, kind) >= aim]
    what = "the largest batches" if name == "largest" else f"batches of {name}"
    lines = [
        f"For {what} over {', '.join(map(str, AIM_ATOMS))} atoms, {kind} dictionary, the aim is"
        f" {aim:g} in each cell: {len(rows) - len(short)} of {len(rows)} reach it, with a"
        f" geometric mean of {number(_mean([ratio(row, kind) for row in rows]))}.",
    ]
    if short:
        cells = "; ".join(_cell(row, kind) for row in short)
        lines += [f"The others: {cells}."]
    return lines


def by_batch(rows):
    """Geometric means of SPAMS / ours for each size of a batch."""
    columns = [(dtype, threads) for dtype in ("float64", "float32") for threads in (1, 2)]
    header = ["batch"]
    header += [f"{dtype}, {threads}: {kind}" for dtype, threads in columns for kind in KINDS]
    lines = []
    for n in (1, 32, 256, "largest"):
        line = [n]
        for column in columns:
            own = [
                row
                for row in rows
                if (row["dtype"], row["threads"]) == column
                and (row["is_largest"] if n == "largest" else row["n"] == n)
            ]
            means = [_mean([ratio(row, kind) for row in own]) if own else None for kind in KINDS]
            line += map(number, means)
        lines.append(line)
    return table(header, lines)


def _mean(values):
    return float(np.exp(np.mean(np.log(values))))


def _cell(row, kind):
    threads = "one thread" if row["threads"] == 1 else "two threads"
    where = f"{row['atoms']} atoms, lam {row['lam']}, {row['dtype']}, {threads}"
    return f"{where} {number(ratio(row, kind))}"


def times_table(rows):
    header = ["signals", "atoms", "lam", "batch"]
    columns = [(dtype, threads) for dtype in ("float64", "float32") for threads in (1, 2)]
    for dtype, threads in columns:
        header += [f"{dtype}, {threads}: new", "same", "SPAMS", "SPAMS / new"]
    cells = {}
    for row in rows:
        key = row["kind"], row["atoms"], row["lam"], row["n"]
        cells.setdefault(key, {})[row["dtype"], row["threads"]] = row
    lines = []
    for key, found in cells.items():
        line = list(key)
        for column in columns:
            times = found[column]["times"]
            values = times["new"], times["same"], times.get("SPAMS"), ratio(found[column])
            line += map(number, values)
        lines.append(line)
    return table(header, lines)
