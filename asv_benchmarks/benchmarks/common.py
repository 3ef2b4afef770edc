"""Data and dictionaries that the benchmarks share.

Data sets are looked for in the folder named by SKDICT_DATA, or else in shared/data beside the
repository; without them, scikit-learn's digits and sample images stand in.
"""

import os
from functools import cache
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, vstack
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


def digits_name():
    """What the digits are."""
    return "digits" if data_file("mnist.npz") is None else "MNIST"


@cache
def stored_digits(part):
    """Images and labels of "train" or "test", as they are stored."""
    path = data_file("mnist.npz")
    if path is None:
        X, y = load_digits(return_X_y=True)
        rows = slice(1297) if part == "train" else slice(1297, None)
        return X[rows], y[rows]
    with np.load(path, allow_pickle=False) as data:
        X, y = data[f"x_{part}"], data[f"y_{part}"]
    return X.reshape(len(X), -1), y


def digits_to_learn(n=20_000, dtype="float64"):
    """Digits with norm one, and their labels."""
    X, y = stored_digits("train")
    return unit_rows(X[:n].astype(dtype)), y[:n]


def digits_to_encode(n=4096, dtype="float64"):
    """Digits with norm one that no dictionary has seen."""
    return unit_rows(stored_digits("test")[0][:n].astype(dtype))


@cache
def patches(n_train=20_000, n_test=4096, side=PATCH):
    """Image patches with norm one as (name, signals to learn from, signals to encode)."""
    name, train, test = grey_patches(n_train, n_test, side)
    return name, unit_rows(train), unit_rows(test)


@cache
def grey_patches(n_train=20_000, n_test=4096, side=PATCH):
    """The same in grey levels, from 0 to 255 before their mean is removed."""
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
    return name, _draw(train, n_train, side, rng), _draw(test, n_test, side, rng)


def _draw(images, n, side, rng):
    """Patches at random places: mean removed, none of them nearly constant."""
    parts = []
    for image in images:
        windows = np.lib.stride_tricks.sliding_window_view(image, (side, side))
        rows, columns = (
            rng.integers(places, size=2 * n // len(images)) for places in windows.shape[:2]
        )
        part = windows[rows, columns].reshape(-1, side * side).astype(np.float64)
        part -= part.mean(axis=1, keepdims=True)
        parts.append(part[part.std(axis=1) >= FLAT])
    return rng.permutation(np.concatenate(parts))[:n]


def learn(X, n_components, lam=0.15, max_iter=3):
    """Dictionary of `n_components` atoms for signals X."""
    learner = OnlineDictionaryLearning(
        n_components, prior=ElasticNet(lam=lam), max_iter=max_iter, random_state=0
    )
    return learner.fit(X).components_


def learned(n_components, dtype="float64"):
    """Dictionary for the digits, kept on disk: every commit encodes over the same one."""
    path = CACHE / f"{digits_name()}-{n_components}.npy"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, learn(digits_to_learn()[0], n_components))
    return np.load(path).astype(dtype)


def documents(n, n_words=5000, length=300):
    """Frequencies of words in documents of topics, with Zipf's law: a CSR matrix."""
    rng = np.random.default_rng(0)
    log_frequency = -np.log(np.arange(n_words) + 2.7)
    topics = log_frequency + 1.5 * rng.standard_normal((20, n_words))
    topics = np.exp(topics) / np.exp(topics).sum(axis=1, keepdims=True)
    mixtures = rng.dirichlet(np.full(20, 0.2), n)
    rows = [csr_matrix(rng.multinomial(length, mixture @ topics)) for mixture in mixtures]
    return vstack(rows, format="csr") / float(length)
