"""Halftones, noise, low resolution, blur and missing pixels: sparse codes beside other methods.

python asv_benchmarks/papers/images.py writes docs/results/images.md and its figure, on the images
of `SKDICT_DATA`; --only measures and prints one part. All of it takes some hours; results are kept
in asv_benchmarks/.kept, and a run goes on where another stopped.
"""

import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from _common import arguments, machine, publish
from _image_attempts import ATTEMPTS
from _image_methods import METHODS
from _images_page import draw, page
from _kept import Kept
from benchmarks import common

from skdict_sup.image import degradations

PARTS = ("halftone", "denoise", "zoom", "deblur", "inpaint", "attempts")
PACKAGES = ("skdict-sup", "numpy", "numba", "scikit-learn", "scikit-image", "pillow", "bm3d")
MARGIN = 4  # pixels at the edges that are not compared
N_HELD_OUT = 8  # photographs of the sixty on which settings were chosen
SIX = ("lena", "peppers", "boat", "barbara", "house", "cameraman")
BLURS = {
    "Gaussian, width 1.6, noise 2": {"sigma": 1.6},
    "box, 9 x 9, noise 2": {"size": 9},
    "Gaussian, width 1, noise 5": {"sigma": 1.0},
}


@dataclass(frozen=True)
class Task:
    """A degradation with its levels: `degrade(image, rng, level)`."""

    degrade: Any
    levels: tuple
    multiple: int = 1  # sizes of images are cropped to multiples of this


def _halftone(image, rng, level):
    return degradations.floyd_steinberg(image)


def _noisy(image, rng, level):
    return degradations.add_noise(image, rng, sigma=level / 255)


def _small(image, rng, level):
    return degradations.enlarge(degradations.reduce(image, factor=level), factor=level)


def _blurred(image, rng, level):
    noise = float(level.rpartition(" ")[2]) / 255
    return degradations.add_noise(degradations.blur(image, **BLURS[level]), rng, sigma=noise)


def _holed(image, rng, level):
    mask = degradations.random_mask(image, rng, missing=level / 100)
    return np.where(mask, image, np.float32("nan"))


TASKS = {
    "halftone": Task(_halftone, ("Floyd-Steinberg",)),
    "denoise": Task(_noisy, (15, 25, 50)),
    "zoom": Task(_small, (2, 3), multiple=6),
    "deblur": Task(_blurred, tuple(BLURS)),
    "inpaint": Task(_holed, (20, 50, 80)),
}


@dataclass
class Photographs:
    """Clean photographs of each set, by name, as float32 in [0, 1]."""

    train: dict
    held_out: dict
    test: dict

    def degraded(self, task, level, sets):
        """Pairs of degraded and clean photographs, by set and name; each has its own noise."""
        found, multiple = {}, task.multiple
        for number, (name, photographs) in enumerate(vars(self).items()):
            if name not in sets:
                continue
            found[name] = {}
            for i, (key, image) in enumerate(photographs.items()):
                height, width = (n // multiple * multiple for n in image.shape)
                clean, rng = image[:height, :width], np.random.default_rng([number, i])
                found[name][key] = task.degrade(clean, rng, level).astype(np.float32), clean
        return found


@dataclass
class Result:
    """PSNR and SSIM of each photograph, by set and name, with times; and pictures for a figure."""

    psnr: dict = field(default_factory=dict)
    ssim: dict = field(default_factory=dict)
    fit_seconds: float = 0.0
    seconds: float = 0.0  # for a 512 x 512 photograph
    pictures: dict = field(default_factory=dict)


def photographs(quick):
    """The sixty photographs, of which some are held out, and the twelve test images."""
    sets = []
    for name in ("images_train.npz", "images_test.npz"):
        stored = np.load(common.data_file(name))
        sets.append({key: (stored[key] / 255).astype(np.float32) for key in sorted(stored.files)})
    sixty, twelve = sets
    order = np.random.default_rng(0).permutation(len(sixty))
    names = [list(sixty)[i] for i in order]
    held, train = names[:N_HELD_OUT], names[N_HELD_OUT:]
    if quick:
        held, train = held[:1], train[:2]
        sixty = {key: image[:96, :96] for key, image in sixty.items()}
        twelve = {"house": twelve["house"][:96, :96]}
    return Photographs({k: sixty[k] for k in train}, {k: sixty[k] for k in held}, twelve)


def measure(method, level, pairs, keep, shown):
    """`Result` of a method: it learns from the pairs of the training set."""
    result = Result()
    start = time.perf_counter()
    restore = method(level, list(pairs["train"].values()), keep)
    result.fit_seconds = time.perf_counter() - start
    for name in pairs.keys() - {"train"}:
        result.psnr[name], result.ssim[name] = {}, {}
        for key, (degraded, clean) in pairs[name].items():
            start = time.perf_counter()
            found = np.clip(restore(degraded), 0.0, 1.0)
            if clean.shape[0] >= 500:
                result.seconds = time.perf_counter() - start
            inner = slice(MARGIN, -MARGIN)
            images = clean[inner, inner], found.astype(np.float32)[inner, inner]
            result.psnr[name][key] = peak_signal_noise_ratio(*images, data_range=1.0)
            result.ssim[name][key] = structural_similarity(*images, data_range=1.0)
            if key in shown:
                result.pictures[key] = np.rint(255 * found).astype(np.uint8)
    return result


def run_part(part, images, keep, quick):
    """{level: {method: Result}} of a task; for attempts {(task, level): {change: Result}}."""
    if part == "attempts":
        sets, kept = ("train", "held_out"), partial(keep, part)
        chosen = dict(list(ATTEMPTS.items())[:1]) if quick else ATTEMPTS
        return {
            (task, level): run_level(task, level, methods, images, sets, kept, quick)
            for (task, level), methods in chosen.items()
        }
    sets, levels = ("train", "held_out", "test"), TASKS[part].levels
    return {
        level: run_level(part, level, METHODS[part], images, sets, partial(keep, part), quick)
        for level in (levels[:1] if quick else levels)
    }


def run_level(task, level, methods, images, sets, keep, quick):
    """{method: Result} of a level of a task."""
    pairs, results = None, {}

    def keep_model(settings, fit):
        return keep(f"{level} model: {settings}", fit)

    for name, every in methods.items():
        method = every.at(level)

        def compute(method=method):
            nonlocal pairs
            pairs = pairs or images.degraded(TASKS[task], level, sets)
            chosen = method.quick() if quick else method
            return measure(chosen, level, pairs, keep_model, ("house",))

        found = results[name] = keep(f"{level} {name}: {method}", compute)
        means = [f"{s} {np.mean(list(found.psnr[s].values())):.2f}" for s in sorted(found.psnr)]
        seconds = f"{found.fit_seconds:.0f} s + {found.seconds:.1f} s"
        print(f"  {task} {level} {name}: {', '.join(means)} dB, {seconds}", flush=True)
    return results


def main():
    options = arguments(__doc__.splitlines()[0], "images", PARTS)
    if common.data_file("images_train.npz") is None:
        sys.exit(
            "images.py needs images_train.npz and images_test.npz: SKDICT_DATA names a folder"
        )
    images, start = photographs(options.quick), time.perf_counter()
    kept = Kept("images", keep=not options.quick)

    def keep(part, name, compute):
        return kept(f"{part} {name}", compute)

    parts = [options.only] if options.only else PARTS
    results = {part: run_part(part, images, keep, options.quick) for part in parts}
    print(f"{time.perf_counter() - start:.0f} s")
    about = machine(PACKAGES, threads="2")
    lines = page(results, about, options.quick, SIX)
    tasks = {part: found for part, found in results.items() if part != "attempts"}
    publish(lines, options.output, lambda path: draw(tasks, images, path))


if __name__ == "__main__":
    main()
