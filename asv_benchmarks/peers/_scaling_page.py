"""Tables, text and figure of docs/results/scaling.md."""

from _common import new_figure, number, opening, table

NAMES = {"n": "signals", "p": "atoms", "m": "features"}
MEMORY = ("input", "codes", "peak", "rest", "process")


def page(sweeps, million, about, quick):
    """The page, as lines; without sweeps, or without the run on a million signals, less of it."""
    title = "Time and memory of sparse codes against size"
    lines = opening(title, "scaling.py", about, quick, ("mnist.npz",))
    lines += [
        'Codes of float32 signals by `encode(X, D, prior=ElasticNet(lam), output="sparse")`, a'
        " SciPy CSR matrix, with a certificate for every code. Each row is a process of its own."
        " Memory is in MiB:",
        "",
        "- `input`: the signals; `codes`: the three arrays of the CSR matrix.",
        "- `peak`: the largest resident memory (`ru_maxrss`) when the first call returned; on"
        " Linux it counts from the beginning of that call.",
        "- `rest`: the peak without input and codes. It holds the interpreter, its packages, and"
        " everything that the call needs for itself and for the certificates.",
        "- `process`: the largest resident memory before the signals were made, after the imports"
        " and a small call; it is part of the rest.",
        "",
    ]
    if sweeps:
        lines += sweep_lines(sweeps)
    if million:
        lines += million_lines(million)
    return lines


def sweep_lines(sweeps):
    cell = sweeps["n"][0]
    lines = [
        f"Signals of the sweeps are sparse mixtures of random atoms plus noise, with norm one; lam"
        f" {cell['lam']:g}. Seconds are medians of {cell['repeats']} calls, after a small call and"
        " a full one.",
        "",
        "![Time and memory against the number of signals](scaling.png)",
        "",
    ]
    for name, rows in sweeps.items():
        fixed = [f"{rows[0][other]} {NAMES[other]}" for other in NAMES if other != name]
        lines += [f"## Number of {NAMES[name]}", "", f"{' and '.join(fixed)}:", ""]
        lines += [*sweep_table(name, rows), ""]
    return lines


def sweep_table(name, rows):
    header = [NAMES[name], "nonzeros", "seconds", "microseconds per signal", "largest gap"]
    lines = []
    for row in rows:
        n = row["n"]
        line = [row[name], number(row["nonzeros"] / n), number(row["seconds"])]
        line += [number(1e6 * row["seconds"] / n), number(row["gap"])]
        lines.append([*line, *memory(row, 2**20)])
    return table([*header, *MEMORY], lines)


def memory(row, unit):
    values = {**row, "rest": rest(row)}
    return [number(values[key] / unit) for key in MEMORY]


def rest(row):
    """Peak without signals and codes, in bytes."""
    return row["peak"] - row["input"] - row["codes"]


def million_lines(row):
    what = {
        "synthetic": "Synthetic signals, as above,",
        "MNIST": "The 70 000 digits of MNIST with norm one, repeated with a small random change"
        " each,",
    }
    header = ["signals", "features", "atoms", "lam", "seconds", "signals/s", "nonzeros"]
    header += ["nonzeros per signal", "largest gap", "converged"]
    n = row["n"]
    line = [n, row["m"], row["p"], row["lam"], number(row["seconds"])]
    line += [number(n / row["seconds"]), row["nonzeros"], number(row["nonzeros"] / n)]
    line += [number(row["gap"]), row["converged"]]
    return [
        "## Many digits in one call",
        "",
        f"{what[row['data']]} in one call with `verbose=1`, once, after a small call. Memory is in"
        " GiB here.",
        "",
        *table(header, [line]),
        "",
        *table([f"{name}, GiB" for name in MEMORY], [memory(row, 2**30)]),
        "",
    ]


def draw(sweeps, path):
    """Write the figure: seconds and memory against the number of signals."""
    rows = sweeps["n"]
    n = [row["n"] for row in rows]
    figure = new_figure(8.4, 3.4)
    left, right = figure.subplots(1, 2)
    left.loglog(n, [row["seconds"] for row in rows], marker="o")
    left.set_ylabel("seconds")
    sizes = {
        "input": [row["input"] for row in rows],
        "codes": [row["codes"] for row in rows],
        "rest": [rest(row) for row in rows],
    }
    for (name, values), style in zip(sizes.items(), (":", "--", "-"), strict=True):
        mebibytes = [value / 2**20 for value in values]
        right.loglog(n, mebibytes, marker="o", markersize=3, linestyle=style, label=name)
    right.set_ylabel("MiB")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.set_xlabel("signals")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=130)
