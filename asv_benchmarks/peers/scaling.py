"""Time and memory of `encode(output="sparse")` against the number of signals, atoms and features.

python asv_benchmarks/peers/scaling.py writes docs/results/scaling.md and scaling.png;
--only million runs and prints the part with one million digits.
"""

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from _common import arguments, machine, publish
from _scaling_page import draw, page
from benchmarks import common

CHILD = Path(__file__).with_name("_scaling_child.py")
LAM, ATOMS, FEATURES, SIGNALS = 0.15, 256, 256, 100_000
SWEEPS = {
    "n": (1000, 10_000, 100_000, 1_000_000),
    "p": (64, 128, 256, 512, 1024),
    "m": (64, 128, 256, 512, 1024),
}
MILLION = {"n": 1_000_000, "p": 300, "m": 784}
CODES = 0.5  # GiB to keep free for a million codes and their certificates, beside the signals
PACKAGES = ("skdict-sup", "numpy", "scipy", "numba")


def measure(**cell):
    """Result of one measurement, in a fresh process."""
    defaults = {"data": "synthetic", "lam": LAM, "repeats": 5, "warm_up": 1, "verbose": 0}
    text = json.dumps({**defaults, **cell})
    command = [sys.executable, str(CHILD), text]
    child = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(child.stdout.splitlines()[-1])


def available():
    """Memory that new processes may take, in bytes; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration):
        return None


def need(n, m):
    """Memory that a call on float32 signals needs, with the signals, in bytes."""
    return int(4 * n * m + CODES * n / 1e6 * 2**30)


def sweeps(quick):
    """Cells of each sweep, with the others of n, p and m at their usual value."""
    usual = {"n": 10_000 if quick else SIGNALS, "p": ATOMS, "m": FEATURES}
    begin, rows = time.perf_counter(), {}
    for name, values in SWEEPS.items():
        rows[name] = []
        few = 2 if name == "n" else 1
        for value in values[:few] if quick else values:
            cell = {**usual, name: value}
            rows[name].append(measure(**cell, repeats=2 if quick else 5))
            print(f"{time.perf_counter() - begin:5.0f} s  {cell}", flush=True)
    return rows


def million(quick):
    """The run with digits, as they are or synthetic, in one call; it reports its progress."""
    cell = {**MILLION, "n": 10_000 if quick else MILLION["n"]}
    free, wanted = available(), need(cell["n"], cell["m"])
    if free is not None and free < wanted:
        sys.exit(
            f"{cell['n']} signals need {wanted / 2**30:.1f} GiB of memory for themselves and their"
            f" codes, and {free / 2**30:.1f} GiB are available: --only sweeps leaves them out."
        )
    data = "synthetic" if common.data_file("mnist.npz") is None else "MNIST"
    return measure(data=data, **cell, repeats=1, warm_up=0, verbose=1)


def main():
    options = arguments(__doc__.splitlines()[0], "scaling", parts=("sweeps", "million"))
    about = machine(PACKAGES)
    quick, only = options.quick, options.only
    run = million(quick) if only != "sweeps" else None  # first: it may find too little memory
    rows = sweeps(quick) if only != "million" else {}
    lines = page(rows, run, about, quick)
    publish(lines, options.output, partial(draw, rows) if rows else None)


if __name__ == "__main__":
    main()
