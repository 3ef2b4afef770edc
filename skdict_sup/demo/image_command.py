"""Command line of the demo of photographs: options, training, comparison, table and figure."""

import argparse
import os
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from ..image._extra import from_skimage
from ..image._pillow import load_pillow
from ..image._stored_model import load_model, save_model
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
from .image_figure import N_ATOMS, draw_photographs
from .image_methods import LEAST_SIDE, Trained, compare, degraded_pairs, train, warm_up
from .image_tasks import DEFAULT_TASK, TASKS, with_missing
from .photographs import bundled, read_photograph, write_gray

_TRAIN, _APPLY = "china.jpg", "flower.jpg"  # the photographs of scikit-learn
_HALF = 0.5  # level from which pixels of a mask are observed
_SEED = 1000  # for the noise, which differs from that in training

_EPILOG = """Photographs are files that Pillow reads; colours are converted to gray levels by the
luma of ITU-R 601, and transparency is ignored. Without --train and --apply, the two photographs of
scikit-learn are used: china.jpg for training, flower.jpg for the numbers. With --degraded, the
file of --apply is taken as it is: a halftone, a noisy or a blurred photograph, for zoom the small
one, for inpaint one with the missing pixels of --mask. Models are files of plain arrays, which run
nothing when they are loaded."""


def parser():
    """Parser of the command-line options."""
    options = argparse.ArgumentParser(
        prog="python -m skdict_sup image",
        description="Restore a degraded photograph by dictionaries that were learned on others, "
        "and compare with a baseline and with other ways to learn them.",
        epilog=_EPILOG,
    )
    tasks = "; ".join(f"{name}: {task.input_name}" for name, task in TASKS.items())
    options.add_argument(
        "--task",
        choices=TASKS,
        metavar="TASK",
        help=f"what to restore from ({tasks}; default: {DEFAULT_TASK})",
    )
    options.add_argument(
        "--train", type=Path, nargs="+", metavar="FILE", help="clean photographs for training"
    )
    options.add_argument("--apply", type=Path, metavar="FILE", help="photograph to restore")
    options.add_argument(
        "--degraded", action="store_true", help="the file of --apply is already degraded"
    )
    options.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="with --degraded and --task inpaint: black where pixels are missing, white elsewhere",
    )
    options.add_argument(
        "--output",
        type=Path,
        default=Path("restored.png"),
        metavar="FILE.png",
        help="the figure, or with --degraded the restored photograph; default: %(default)s",
    )
    options.add_argument("--save", type=Path, metavar="MODEL.npz", help="store the trained model")
    options.add_argument("--load", type=Path, metavar="MODEL.npz", help="use a stored model")
    options.add_argument(
        "--quick",
        action="store_true",
        help="small parts of the photographs and little training: shows that the job works, "
        "not what it can do",
    )
    return options


def main(arguments=None):
    """Run the demo and return its exit code; `exit_code` says what it means."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    start = time.perf_counter()
    _check(options)
    model, about = _loaded(options) if options.load else (None, {})
    name = about.get("task") or options.task or DEFAULT_TASK
    task = TASKS[name]
    trained = Trained(_stored_baseline(task, about, options.load), model) if model else None
    method = task.method.quick() if options.quick else task.method
    photographs = [] if model else _training_photographs(options, task)
    picture = read_photograph(options.apply) if options.apply else bundled(_APPLY)
    picture = picture if options.degraded else _part(picture, options, task)
    mask = _mask(options, task, picture)
    size = method.size_of(model) if model else (method.patch_size,) * 2
    _check_sizes(photographs, picture, size, options.degraded)
    print(wrapped(_heading(name, photographs, picture, model, method)), flush=True)
    if options.quick:
        progress("--quick: too little training for good results")
    seconds_before = compiled(lambda: warm_up(method), has_table=not options.degraded)
    pairs = None
    if trained is None:
        pairs = degraded_pairs(task, photographs)
        trained = train(task, method, pairs, progress)
    if options.degraded:
        degraded = task.prepared(picture.pixels)
        degraded = degraded if mask is None else with_missing(degraded, mask)
        for line in task.remarks(picture.pixels):
            progress(line)
        restored = method.restored(trained.model, degraded)
        write, said = (lambda path: write_gray(path, restored)), "restored photograph"
    else:
        write, said = _comparison(task, method, pairs, trained, picture.pixels)
    if options.save:
        about = {"task": name, "settings": asdict(method), "baseline": _numbers(trained)}
        about["quick"] = options.quick
        write_output(options.save, lambda path: save_model(path, trained.model, about))
        print(f"model: {options.save.resolve()}")
    write_output(options.output, write)
    print(f"{said}: {options.output.resolve()}")
    print_total(time.perf_counter() - start, seconds_before)


def _comparison(task, method, pairs, trained, clean):
    """Print the table; return a function that writes the figure, and what it shows."""
    degraded = task.degrade(clean, _SEED)
    found = compare(task, method, pairs, trained, (degraded, clean), progress)
    print(table_of(found))
    panels = [
        (f"{one.name}\n{one.psnr:.2f} dB, SSIM {one.ssim:.3f}", one.image)
        for one in found
        if one.drawn
    ]
    panels.append(("original\n", clean))
    atoms = method.atoms(trained.model, degraded, N_ATOMS), method.atoms_title
    return lambda path: draw_photographs(path, panels, *atoms), "photographs and atoms"


def table_of(found):
    """Restored photographs as a text table with one line per method."""
    lines = [("", "PSNR", "SSIM", "seconds")] + [
        (
            one.name,
            f"{one.psnr:.2f} dB",
            f"{one.ssim:.3f}",
            "" if one.seconds is None else f"{one.seconds:.1f}",
        )
        for one in found
    ]
    return table(lines, "(without a margin of 4 pixels; seconds of training and restoring)")


def _heading(name, photographs, picture, model, method):
    source = "a stored model"
    if not model:
        names = ", ".join(photograph.describe() for photograph in photographs)
        source = (
            f"{method.n_components} atoms of {method.patch_size} x {method.patch_size}, "
            f"{method.epochs} epoch{'s' * (method.epochs > 1)} on {names}"
        )
    return f"{name}: {source}; applied to {picture.describe()}"


def _training_photographs(options, task):
    if options.train:
        photographs = [read_photograph(path) for path in options.train]
    else:
        photographs = [bundled(_TRAIN)]
    return [_part(photograph, options, task) for photograph in photographs]


def _part(photograph, options, task):
    """The part of a clean photograph that is used."""
    photograph = photograph.quick() if options.quick else photograph
    return photograph.cropped(task.multiple)


def _mask(options, task, picture):
    """Mask of the observed pixels of a photograph, or None for tasks without one."""
    if not (task.has_mask and options.degraded):
        if options.mask:
            raise DataError("--mask is for --degraded with --task inpaint")
        return None
    if not options.mask:
        raise DataError("--degraded needs --mask for this task: black where pixels are missing")
    mask = read_photograph(options.mask)
    if mask.pixels.shape != picture.pixels.shape:
        raise DataError(
            f"{options.mask}: must have the size of {picture.name}, {picture.size}, has "
            f"{mask.size}"
        )
    observed = mask.pixels >= _HALF
    if not observed.any():
        raise DataError(f"{options.mask}: must have white pixels, which are observed")
    progress(f"missing: {100 * (1 - observed.mean()):.1f} % of the pixels")
    return observed


def _loaded(options):
    """The model of a file and what is known about it."""
    try:
        model, about = load_model(options.load)
    except FileNotFoundError:
        raise DataError(f"{options.load}: no such file") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{options.load}: {getattr(error, 'strerror', None) or error}") from None
    name = about.get("task")
    if not isinstance(name, str) or name not in TASKS:
        raise DataError(f"{options.load}: a model of {name!r}, which is none of the tasks")
    if options.task not in (None, name):
        raise DataError(f"{options.load}: a model of --task {name}, not of {options.task}")
    if not TASKS[name].method.accepts(model):
        raise DataError(f"{options.load}: no model of gray levels for this task")
    return model, about


def _stored_baseline(task, about, path):
    """The baseline with the numbers that are stored beside a model."""
    try:
        return task.baseline and task.baseline.stored(about["baseline"])
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path}: the numbers of the baseline are missing") from None


def _numbers(trained):
    """What training has found for the baseline."""
    return trained.baseline.numbers() if trained.baseline else {}


def _check(options):
    for given, name, reason in (
        (options.degraded and not options.apply, "--degraded", "needs a file given with --apply"),
        (
            options.degraded and not (options.task or options.load),
            "--degraded",
            "needs --task or --load, which say how the photograph was degraded",
        ),
        (options.load and options.train, "--train", "is for a new model, not for one of --load"),
        (options.load and options.save, "--save", "is for a new model, not for one of --load"),
    ):
        if given:
            raise DataError(f"{name} {reason}")
    for target, name, suffix in ((options.output, "output", "png"), (options.save, "save", "npz")):
        if target is None:
            continue
        if target.suffix.lower() != f".{suffix}":
            raise DataError(f"--{name} must be a file that ends in .{suffix}, got {target}")
        for is_wrong, reason in (
            (target.is_dir(), "it is a folder"),
            (not target.parent.exists(), "its folder does not exist"),
            (not os.access(target.parent, os.W_OK), "its folder cannot be written to"),
        ):
            if is_wrong:
                raise DataError(f"{target} cannot be written: {reason}")
    read = [
        path.resolve() for path in (*(options.train or ()), options.apply, options.mask) if path
    ]
    if options.output.resolve() in read:
        raise DataError(f"--output must not be a photograph that is read, got {options.output}")
    try:
        load_pillow()
        from_skimage("metrics")
        import_module("matplotlib.figure")
    except ImportError as error:
        raise DataError(f'{error} (pip install "skdict-sup[demo]" has all)') from None


def _check_sizes(photographs, picture, patch_size, degraded):
    """Raise unless photographs have room for a patch, and what is measured for the windows."""
    least = patch_size if degraded else [max(n, LEAST_SIDE) for n in patch_size]
    for photograph, sides in [*((one, patch_size) for one in photographs), (picture, least)]:
        if any(n < k for n, k in zip(photograph.pixels.shape, sides, strict=True)):
            raise DataError(
                f"{photograph.name}: must have at least {sides[1]} x {sides[0]} pixels, has "
                f"{photograph.size}"
            )
