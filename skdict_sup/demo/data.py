"""Data of the main job: bundled digits in five splits, or a file in one."""

import zipfile
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

_KEYS = ("x_train", "y_train", "x_test", "y_test")
MOST_BYTES = 2 * 2**30  # limit on the unpacked size of the four arrays together


class DataError(Exception):
    """Input that cannot be used, in one line for the user."""


@dataclass(frozen=True, eq=False)
class Data:
    """Images or vectors with labels, and the splits (training rows, test rows) to report on."""

    name: str
    X: np.ndarray
    y: np.ndarray
    image_shape: tuple | None
    splits: list

    @property
    def n_splits(self):
        """Number of splits."""
        return len(self.splits)

    def describe(self):
        """Size of the data, in words."""
        train, test = self.splits[0]
        shape = "x".join(map(str, self.image_shape or (self.X.shape[1],)))
        times = f", {self.n_splits} splits" if self.n_splits > 1 else ""
        return f"{len(train)} signals of {shape} to learn from, {len(test)} to test on{times}"

    def quick(self):
        """A small part: one split, at most 1000 training and 500 test samples."""
        train, test = self.splits[0]
        rng = np.random.default_rng(0)
        return replace(self, splits=[(rng.permutation(train)[:1000], rng.permutation(test)[:500])])


def load_digits_splits():
    """Scikit-learn's bundled digits, 8x8, in five stratified splits."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import StratifiedKFold

    digits: Any = load_digits()
    X, y = digits.data, digits.target
    splits = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    return Data("digits of scikit-learn", X.astype(np.float32), y, (8, 8), splits)


def load_file(path):
    """Data of an .npz file; raises DataError with one line on what is wrong."""
    arrays = _read(path)
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if y.ndim != 1 or x.ndim < 2 or len(x) != len(y) or x.size == 0:
            raise DataError(
                f"{path}: x_{part} must hold n > 0 images or vectors and y_{part} n labels, got "
                f"shapes {x.shape} and {y.shape}"
            )
        if x.dtype.kind not in "fiub" or (x.dtype.kind == "f" and not _within_float32(x)):
            raise DataError(
                f"{path}: x_{part} must hold finite numbers of float32 range, got dtype {x.dtype}"
            )
        if y.dtype.kind not in "iubU" and not _whole(y):
            raise DataError(
                f"{path}: y_{part} must hold labels, integers or strings, got dtype {y.dtype}"
            )
    if arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:]:
        raise DataError(
            f"{path}: x_train and x_test must hold signals of one shape, got "
            f"{arrays['x_train'].shape[1:]} and {arrays['x_test'].shape[1:]}"
        )
    if len({arrays[key].dtype.kind == "U" for key in ("y_train", "y_test")}) > 1:
        raise DataError(f"{path}: y_train and y_test must both hold numbers, or both strings")
    if len(np.unique(arrays["y_train"])) < 2:
        raise DataError(f"{path}: y_train must hold at least two classes, got one")
    X = _single([arrays["x_train"], arrays["x_test"]])
    shape = X.shape[1:] if X.ndim == 3 else None
    X = X.reshape(len(X), -1)
    y = _numbered([arrays["y_train"], arrays["y_test"]])
    splits = [tuple(np.split(np.arange(len(X)), [len(arrays["x_train"])]))]
    return Data(path.name, X, y, shape, splits)


def _within_float32(x):
    return bool((np.abs(x) <= np.finfo(np.float32).max).all())


def _whole(y):
    return y.dtype.kind == "f" and bool(np.isfinite(y).all() and (y == np.round(y)).all())


def _single(parts):
    """The parts as one float32 array, all divided by one power of two if too large or small."""
    most = max(max(float(part.max()), -float(part.min())) for part in parts)
    wide = np.concatenate(parts)
    if most == 0 or 1e-9 <= most <= 1e9:
        return wide.astype(np.float32)
    return np.ldexp(wide.astype(np.float64), -np.frexp(most)[1]).astype(np.float32)


def _numbered(parts):
    """Labels as numbers from 0: what they are called is no matter, and may be any number."""
    if len({part.dtype for part in parts}) > 1:  # one dtype for both might merge large integers
        parts = [part.astype(object) for part in parts]
    return np.unique(np.concatenate(parts), return_inverse=True)[1]


def _read(path):
    try:
        if path.exists() and not path.is_file():
            raise ValueError("not a regular file")  # a pipe would be waited for
        with path.open("rb") as file:
            _check_size(path, file)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in _KEYS if key in archive}
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except Exception as error:  # damage can raise anything, from zlib.error to SyntaxError
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: not an .npz file of plain arrays ({reason})") from None
    missing = [key for key in _KEYS if not isinstance(arrays.get(key), np.ndarray)]
    if missing:
        raise DataError(
            f"{path}: must hold the arrays {', '.join(_KEYS)}; missing: {', '.join(missing)}"
        )
    return arrays


def _check_size(path, file):
    """Raise if the archive's directory says that the arrays are too large when unpacked.

    No more than the directory says is ever read from an archive.
    """
    names = {name for key in _KEYS for name in (key, f"{key}.npy")}
    with zipfile.ZipFile(file) as archive:
        size = sum(entry.file_size for entry in archive.infolist() if entry.filename in names)
    file.seek(0)
    if size > MOST_BYTES:
        raise DataError(
            f"{path}: unpacks to {size / 2**30:.1f} GiB, more than the {MOST_BYTES / 2**30:.0f} "
            "GiB that are read"
        )


def normalise(X):
    """Signals with mean zero and norm one; constant ones become zero."""
    largest = np.abs(X).max(axis=1, keepdims=True)
    X = np.ldexp(X, -np.frexp(largest)[1])  # no square over- or underflows; no digit changes
    X = X - X.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(norms > 0, norms, 1)


def shifts(image_shape):
    """Function (X, rng) that moves each image at random, its border repeated.

    By up to one whole pixel; on small images, where a pixel is much, by up to half of one, the
    images interpolated.
    """
    half = min(image_shape) < 16

    def shift(X, rng):
        images = np.pad(X.reshape(-1, *image_shape), ((0, 0), (1, 1), (1, 1)), mode="edge")
        for axis in (1, 2):
            by = rng.uniform(-0.5, 0.5, len(X)) if half else rng.integers(-1, 2, len(X))
            images = _moved(images, by.astype(X.dtype)[:, None, None], axis)
        return normalise(images[:, 1:-1, 1:-1].reshape(X.shape))

    return shift


def _moved(images, by, axis):
    """Images moved along an axis by fractions of a pixel, between -1 and 1, interpolated."""
    beside = np.where(by > 0, np.roll(images, 1, axis), np.roll(images, -1, axis))
    return images + np.abs(by) * (beside - images)
