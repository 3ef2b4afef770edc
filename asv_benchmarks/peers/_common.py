"""What the comparisons share: interleaved timings, Markdown tables, and a word on the machine."""

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

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "asv_benchmarks"))  # the data are those of the asv suite


@dataclass
class Contender:
    """A call to time, on `n_signals` signals, with `blas` threads for matrix products."""

    run: Any
    n_signals: int
    blas: int


def microseconds(contenders, repeats):
    """Median time for each signal, by name: after a warm-up, all take turns."""
    controller = ThreadpoolController()
    seconds = {name: [] for name in contenders}
    for repeat in range(repeats + 1):
        for name, contender in contenders.items():
            with controller.limit(limits=contender.blas, user_api="blas"):
                start = time.perf_counter()
                contender.run()
                stop = time.perf_counter()
            if repeat:
                seconds[name].append(stop - start)
    return {
        name: 1e6 * float(np.median(seconds[name])) / contender.n_signals
        for name, contender in contenders.items()
    }


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
    if abs(value) < 1e-2:
        return f"{value:.0e}"
    return f"{value:.{max(0, digits - 1 - int(np.floor(np.log10(max(abs(value), 1e-2)))))}f}"


def machine(packages, threads):
    """Lines of a Markdown list that say where, when and with what the figures were made."""
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    versions = ", ".join(f"{package} {_version(package)}" for package in packages)
    return [
        f"- date: {date.today().isoformat()}",
        f"- machine: {_cpu()}, {os.cpu_count()} cores, {platform.system()}; load when the run"
        f" began: {load}",
        f"- threads: {threads} for each contender",
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


def arguments(description, name):
    """Command line of a comparison whose page is docs/results/<name>.md."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick", action="store_true", help="few cells and signals: shows that the script works"
    )
    parser.add_argument(
        "--output", type=Path, help=f"page to write (default: docs/results/{name}.md; quick: none)"
    )
    options = parser.parse_args()
    if options.output is None and not options.quick:
        options.output = ROOT / "docs" / "results" / f"{name}.md"
    return options


def publish(lines, path):
    """Write a page, or print it if there is no path."""
    text = "\n".join(lines) + "\n"
    if path is None:
        print(text)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path}")
