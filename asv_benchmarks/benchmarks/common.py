"""Data and dictionaries that the benchmarks share.

Data sets are looked for in the folder named by SKDICT_DATA, or else in shared/data beside the
repository; without them, scikit-learn's digits and sample images stand in.
"""

import os
from functools import cache
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, load_sample_images

from skdict_sup import ElasticNet, OnlineDictionaryLearning

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "asv_benchmarks" / ".asv" / "dictionaries"
PATCH = 12  # pixels on a side
FLAT = 4.0  # grey levels: a patch whose standard deviation is below this is left out


def data_file(name):
    """Path of a data file, or None if there is none."""
    folder = Path(os.environ.get("SKDICT_DATA") or ROOT.parent / "shared" / "data")
    return folder / name if (folder / name).is_file() else None


def unit_rows(X):
    """Rows with norm one; zero rows stay zero."""
    norm = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(norm > 0, norm, 1.0)


@cache
def digits(n_train=20_000):
    """Handwritten digits as (name, signals to learn from, their labels, signals to encode)."""
    path = data_file("mnist.npz")
    if path is None:
        X, y = load_digits(return_X_y=True)
        return "digits", unit_rows(X[:1297]), y[:1297], unit_rows(X[1297:])
    with np.load(path, allow_pickle=False) as data:
        train, test = data["x_train"][:n_train], data["x_test"]
        labels = data["y_train"][:n_train]
    train, test = (unit_rows(x.reshape(len(x), -1) / 255.0) for x in (train, test))
    return "MNIST", train, labels, test


@cache
def patches(n_train=20_000, n_test=4096):
    """Image patches as (name, signals to learn from, signals to encode)."""
    path = data_file("images_train.npz")
    if path is None:
        name = "patches of sample images"
        images = [image.mean(axis=2) for image in load_sample_images().images]
        train, test = [x[:, :400] for x in images], [x[:, 400:] for x in images]
    else:
        name = "patches of natural images"
        with np.load(path, allow_pickle=False) as data:
            images = [data[key] for key in sorted(data.files)]
        train, test = images[:50], images[50:]
    rng = np.random.default_rng(0)
    return name, _draw(train, n_train, rng), _draw(test, n_test, rng)


def _draw(images, n, rng):
    """Patches at random places: mean removed, norm one, none of them nearly constant."""
    parts = []
    for image in images:
        windows = np.lib.stride_tricks.sliding_window_view(image, (PATCH, PATCH))
        rows, columns = (
            rng.integers(side, size=2 * n // len(images)) for side in windows.shape[:2]
        )
        part = windows[rows, columns].reshape(-1, PATCH * PATCH).astype(np.float64)
        part -= part.mean(axis=1, keepdims=True)
        parts.append(part[part.std(axis=1) >= FLAT])
    return unit_rows(rng.permutation(np.concatenate(parts))[:n])


def learn(X, n_components, lam=0.15, max_iter=3):
    """Dictionary of `n_components` atoms for signals X."""
    learner = OnlineDictionaryLearning(
        n_components, prior=ElasticNet(lam=lam), max_iter=max_iter, random_state=0
    )
    return learner.fit(X).components_


def learned(n_components, dtype="float64"):
    """Dictionary for the digits, kept on disk: every commit encodes over the same one."""
    name, X, _, _ = digits()
    path = CACHE / f"{name}-{n_components}.npy"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, learn(X, n_components))
    return np.load(path).astype(dtype)


def to_encode(n, dtype="float64"):
    """Digits to encode."""
    return digits()[3][:n].astype(dtype)
