"""Command line of the demo: options, data, comparison, table and figure."""

import argparse
import time
from importlib import import_module
from pathlib import Path

import numpy as np

from ..estimators import MOST_COMPONENTS
from ._running import (
    DataError,
    compiled,
    exit_code,
    print_total,
    progress,
    table,
    wrapped,
    write_output,
)
from .data import load_digits_splits, load_file
from .figure import caption, draw_atoms
from .methods import compare, prepare

_EPILOG = """\
Without --data: the handwritten digits bundled with scikit-learn. A file for
--data holds images or vectors x and labels y, of which five stratified splits
are made, or the arrays x_train, y_train, x_test and y_test. Test samples are
used only for the numbers in the table. Three lines make a file of images:

  files = sorted(Path("photos").glob("*/*.png"))  # a folder for each class
  x = np.stack([Image.open(f).convert("L").resize((28, 28)) for f in files])
  np.savez("photos.npz", x=x, y=[f.parent.name for f in files])

after `import numpy as np`, `from pathlib import Path` and `from PIL import
Image`.

Other commands, each with a --help of its own:

  python -m skdict_sup image     restore photographs
  python -m skdict_sup warm-up   compile all kernels beforehand"""
_MOST_SEED = 2**32 - 1  # what scikit-learn takes


def parser():
    """Parser of the command-line options."""
    options = argparse.ArgumentParser(
        prog="python -m skdict_sup",
        description="Compare linear classifiers on raw pixels, on codes over a dictionary\n"
        "learned without labels, and on codes over a dictionary learned with them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--data", type=Path, metavar="FILE.npz", help="your own data, see below")
    options.add_argument(
        "--components", type=int, metavar="N", help="atoms (default: 50 for the digits, else 100)"
    )
    options.add_argument(
        "--lam", type=float, metavar="L", help="weight of the l1 norm, for signals of norm one"
    )
    options.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="supervised epochs (default: 60 for the digits, else 30)",
    )
    options.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of splits, initial atoms and mini-batches (default: 0)",
    )
    options.add_argument(
        "--output", type=Path, default=Path("."), metavar="DIR", help="folder for atoms.png"
    )
    options.add_argument(
        "--quick", action="store_true", help="a small problem: a few seconds after compilation"
    )
    return options


def main(arguments=None):
    """Run the demo and return its exit code; `exit_code` says what it means."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    start = time.perf_counter()
    _check(options)
    seed = options.seed
    data = load_file(options.data, seed) if options.data else load_digits_splits(seed)
    if options.quick:
        data = data.quick(seed)
        if len(np.unique(data.y[data.splits[0][0]])) < 2:
            raise DataError(f"{options.data}: the subset for --quick contains only one class")
    n_components = options.components or (100 if options.data else 50)
    epochs = options.epochs or (5 if options.quick else 30 if options.data else 60)
    print(wrapped(f"{data.name}: {data.describe()}"))
    print(f"{n_components} atoms, {epochs} epochs, seed {seed}", flush=True)
    draws = _can_draw()
    seconds_before = compiled(prepare)
    found = compare(data, n_components, options.lam, epochs, seed, progress)
    print(_table(found.rows, data))
    if any(row.nonzeros == 0 for row in found.rows):
        progress("codes are all zero: lam is too large for the test signals; try --lam")
    if draws:
        target = options.output / "atoms.png"
        write_output(target, lambda path: draw_atoms(path, found, data))
        print(wrapped(caption(found, data)))
        print(target.resolve())
    print_total(time.perf_counter() - start, seconds_before)


def _can_draw():
    """Whether there is matplotlib; says how to get it if not."""
    try:
        import_module("matplotlib.figure")
    except ImportError:
        progress('no figure: matplotlib is missing (pip install "skdict-sup[demo]" has it)')
        return False
    return True


def _check(options):
    for name, high in (("components", MOST_COMPONENTS), ("epochs", 1_000_000)):
        value = getattr(options, name)
        if value is not None and not 1 <= value <= high:
            raise DataError(f"--{name} must be from 1 to {high}, got {value}")
    if not 0 <= options.seed <= _MOST_SEED:
        raise DataError(f"--seed must be from 0 to {_MOST_SEED}, got {options.seed}")
    if options.lam is not None and not 0 <= options.lam < float("inf"):
        raise DataError(f"--lam must be a finite number >= 0, got {options.lam}")
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"--output {options.output} cannot be a folder: {error.strerror}"
        ) from None


def _table(rows, data):
    """Results as a text table with one line per method."""
    head = ("", "test error", "nonzeros", "largest gap", "seconds")
    lines = [head] + [
        (
            row.name,
            f"{100 * row.error:.2f} %",
            "" if row.nonzeros is None else f"{row.nonzeros:.1f}",
            "" if row.gap is None else f"{row.gap:.0e}",
            f"{row.seconds:.1f}",
        )
        for row in rows
    ]
    means = f"means of {data.n_splits} splits; " if data.n_splits > 1 else ""
    note = f"({means}nonzeros of a code, largest duality gap, seconds in all)"
    return table(lines, note)
