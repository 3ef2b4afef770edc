"""Data of the main job: bundled digits in five splits, or a file in one."""

import zipfile
from dataclasses import dataclass, replace

import numpy as np

_KEYS = ("x_train", "y_train", "x_test", "y_test")


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

    X, y = load_digits(return_X_y=True)
    splits = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    return Data("digits of scikit-learn", X.astype(np.float32), y, (8, 8), splits)


def load_file(path):
    """Data of an .npz file; raises DataError with one line on what is wrong."""
    arrays = _read(path)
    n_train = len(arrays["x_train"])
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if y.ndim != 1 or x.ndim < 2 or len(x) != len(y) or len(x) == 0:
            raise DataError(
                f"{path}: x_{part} must hold n > 0 images or vectors and y_{part} n labels, got "
                f"shapes {x.shape} and {y.shape}"
            )
        if x.dtype.kind not in "fiub" or not np.isfinite(x).all():
            raise DataError(f"{path}: x_{part} must hold finite numbers, got dtype {x.dtype}")
    if arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:]:
        raise DataError(
            f"{path}: x_train and x_test must hold signals of one shape, got "
            f"{arrays['x_train'].shape[1:]} and {arrays['x_test'].shape[1:]}"
        )
    if len(np.unique(arrays["y_train"])) < 2:
        raise DataError(f"{path}: y_train must hold at least two classes, got one")
    X = np.concatenate([arrays["x_train"], arrays["x_test"]])
    shape = X.shape[1:] if X.ndim == 3 else None
    X = X.reshape(len(X), -1).astype(np.float32)
    y = np.concatenate([arrays["y_train"], arrays["y_test"]])
    rows = np.arange(len(X))
    return Data(path.name, X, y, shape, [(rows[:n_train], rows[n_train:])])


def _read(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in _KEYS if key not in file]
            if missing:
                raise DataError(
                    f"{path}: must hold the arrays {', '.join(_KEYS)}; missing: {missing}"
                )
            return {key: file[key] for key in _KEYS}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError, zipfile.BadZipFile, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: not an .npz file of plain arrays ({error})".splitlines()[0]
        ) from None


def normalise(X):
    """Signals with mean zero and norm one; constant ones become zero."""
    X = X - X.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(norms > 0, norms, 1)


def shifts(image_shape):
    """Function (X, rng) that moves each image by up to one pixel, its border repeated."""
    rows, columns = image_shape

    def shift(X, rng):
        images = np.pad(X.reshape(-1, rows, columns), ((0, 0), (1, 1), (1, 1)), mode="edge")
        down, right = rng.integers(0, 3, (2, len(X)))
        out = np.empty((len(X), rows, columns), X.dtype)
        for d in range(3):
            for r in range(3):
                here = (down == d) & (right == r)
                out[here] = images[here, d : d + rows, r : r + columns]
        return normalise(out.reshape(X.shape))

    return shift
