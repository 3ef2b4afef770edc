"""What the comparisons share: interleaved timings, Markdown tables, figures, the machine."""

import argparse
import os
import platform
import sys
import time
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

import skdict_sup
from skdict_sup.kernels._numba._processor import BYTES

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "asv_benchmarks"))  # the data are those of the asv suite

THREADS = 2
WINDOW = 0.02  # seconds in which the threads of this process have to sleep before a timed call
QUICK = "**A quick run: it shows that the script works, and no more.**"


@dataclass
class Contender:
    """A call to time, on `n_signals` signals, with `blas` threads for matrix products."""

    run: Any
    n_signals: int
    blas: int


def settle():
    """Wait until no thread computes: those of OpenBLAS spin for a tenth of a second after a call.

    They would take a core from the contender whose turn is next.
    """
    for _ in range(50):
        before = time.process_time()
        time.sleep(WINDOW)
        if time.process_time() - before < WINDOW / 4:
            return


def interleaved(contenders, repeats, warm_up=True, of=np.median):
    """Median seconds and last result of each contender, by name; all take turns.

    `of` takes the place of the median: the minimum, where others use the machine as well.
    """
    controller = ThreadpoolController()
    seconds, results = {name: [] for name in contenders}, {}
    for repeat in range(repeats + warm_up):
        for name, contender in contenders.items():
            settle()
            with controller.limit(limits=contender.blas, user_api="blas"):
                start = time.perf_counter()
                result = contender.run()
                stop = time.perf_counter()
            if repeat >= warm_up:
                seconds[name].append(stop - start)
            results[name] = result
    return {name: (float(of(seconds[name])), results[name]) for name in contenders}


def microseconds(contenders, repeats, of=np.median):
    """Median time for each signal, by name: after a warm-up, all take turns."""
    found = interleaved(contenders, repeats, of=of)
    return {name: 1e6 * found[name][0] / contenders[name].n_signals for name in contenders}


def table(header, rows):
    """Lines of a Markdown table, numbers to the right."""
    lines = [header, ["---:"] * len(header), *rows]
    return ["| " + " | ".join(map(str, line)) + " |" for line in lines]


def number(value, digits=3):
    """Short text for a number; "-" for one that is missing."""
    if value is None or not np.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    if abs(value) < 1e-3:
        return f"{value:.0e}"
    return f"{value:.{max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))}f}"


def machine(packages, threads=f"{THREADS} for each contender"):
    """Lines of a Markdown list that say where, when and with what the figures were made."""
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    versions = ", ".join(f"{package} {_version(package)}" for package in packages)
    return [
        f"- date: {date.today().isoformat()}",
        f"- machine: {_cpu()}, {os.cpu_count()} cores, {platform.system()}; load when the run"
        f" began: {load}",
        f"- threads: {threads}; vectors of {8 * BYTES} bits",
        f"- versions: Python {platform.python_version()}, {versions}",
    ]


def _cpu():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        # the package itself may be measured from its source tree
        return skdict_sup.__version__ if package == "skdict-sup" else "not installed"


def opening(title, script, about, quick, files=(), folder="peers"):
    """First lines of a page; `files` are the data files that the comparison would rather have."""
    from benchmarks import common  # reads no data, but imports the package

    lines = [f"# {title}", ""]
    command = Path("asv_benchmarks", folder, script).as_posix()
    lines += [f"Written by `python {command}`; not edited by hand.", ""]
    lines += [*about, ""]
    if quick:
        lines += [QUICK, ""]
    if any(common.data_file(name) is None for name in files):
        lines += [
            "The larger data sets were not found (`SKDICT_DATA` names their folder):"
            " scikit-learn's digits and sample images stand in for those that are missing.",
            "",
        ]
    return lines


def arguments(description, name, parts=(), more=None, given=None):
    """Command line of a comparison whose page is docs/results/<name>.md.

    Where it has `parts`, `--only` runs one of them, which is printed and not written to the page.
    `more` has the keywords of further options by name, and `given` are arguments in place of those
    of the process.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick", action="store_true", help="few cells and signals: shows that the script works"
    )
    parser.add_argument(
        "--output", type=Path, help=f"page to write (default: docs/results/{name}.md; quick: none)"
    )
    if parts:
        parser.add_argument("--only", choices=parts, help="run and print one part of the page")
    for option, keywords in (more or {}).items():
        parser.add_argument(option, **keywords)
    options = parser.parse_args(given)
    whole = not options.quick and not (parts and options.only)
    if options.output is None and whole:
        options.output = ROOT / "docs" / "results" / f"{name}.md"
    return options


def publish(lines, path, draw=None):
    """Write a page, and its figure beside it by `draw(path)`; print it if there is no path."""
    text = "\n".join(lines) + "\n"
    if path is None:
        print(text)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path}")
    if draw is not None:
        draw(path.with_suffix(".png"))
        print(f"wrote {path.with_suffix('.png')}")


def new_figure(width, height):
    """Figure in inches, which needs no display."""
    from matplotlib.figure import Figure  # at first use: the tables need no plots

    return Figure(figsize=(width, height), layout="constrained")
