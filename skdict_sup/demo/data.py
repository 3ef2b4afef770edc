"""Data of the demo: the bundled digits in five splits, or a file with one split."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._files import unpacked_size
from ..augment import Compose, RandomShift
from ._running import DataError

_SPLIT = ("x_train", "y_train", "x_test", "y_test")
_WHOLE = ("x", "y")  # which are split here
_N_SPLITS = 5
MAX_BYTES = 2 * 2**30  # limit on the unpacked size of the four arrays together


@dataclass(frozen=True, eq=False)
class Data:
    """Images or vectors with labels, and splits into training rows and test rows."""

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
        """Description of the size of the data."""
        train, test = self.splits[0]
        shape = "x".join(map(str, self.image_shape or (self.X.shape[1],)))
        times = f", {self.n_splits} splits" if self.n_splits > 1 else ""
        return f"{len(train)} signals of {shape} for training, {len(test)} for testing{times}"

    def quick(self, seed):
        """Subset with one split, at most 1000 training and 500 test samples."""
        train, test = self.splits[0]
        rng = np.random.default_rng(seed)
        return replace(self, splits=[(rng.permutation(train)[:1000], rng.permutation(test)[:500])])


def load_digits_splits(seed):
    """Load the 8x8 digits of scikit-learn in five stratified splits."""
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    X, y = digits.data, digits.target
    return Data("digits of scikit-learn", X.astype(np.float32), y, (8, 8), _splits(y, seed))


def _splits(y, seed, n_splits=_N_SPLITS):
    """Stratified splits into training rows and test rows."""
    from sklearn.model_selection import StratifiedKFold

    folds = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    return list(folds.split(np.zeros(len(y)), y))


def load_file(path, seed):
    """Load an .npz file; raise DataError if it is invalid."""
    arrays = _read(path)
    if "x" in arrays:
        return _load_whole(path, arrays["x"], arrays["y"], seed)
    for part in ("_train", "_test"):
        _check_part(path, part, arrays[f"x{part}"], arrays[f"y{part}"])
    if arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:]:
        raise DataError(
            f"{path}: x_train and x_test must hold signals of one shape, got "
            f"{arrays['x_train'].shape[1:]} and {arrays['x_test'].shape[1:]}"
        )
    if len({arrays[key].dtype.kind == "U" for key in ("y_train", "y_test")}) > 1:
        raise DataError(f"{path}: y_train and y_test must both hold numbers, or both strings")
    if len(np.unique(arrays["y_train"])) < 2:
        raise DataError(f"{path}: y_train must hold at least two classes, got one")
    X = _to_float32([arrays["x_train"], arrays["x_test"]])
    y = _encode_labels([arrays["y_train"], arrays["y_test"]])
    splits = [tuple(np.split(np.arange(len(X)), [len(arrays["x_train"])]))]
    return _data(path, X, y, splits)


def _load_whole(path, x, y, seed):
    """Data of images or vectors and labels that are not split yet."""
    _check_part(path, "", x, y)
    y = _encode_labels([y])
    counts = np.bincount(y)
    if len(counts) < 2:
        raise DataError(f"{path}: y must hold at least two classes, got one")
    if counts.min() < 2:
        raise DataError(
            f"{path}: y must hold two samples or more of each class, got one of a class; for "
            "other splits, give x_train, y_train, x_test and y_test"
        )
    return _data(path, _to_float32([x]), y, _splits(y, seed, min(_N_SPLITS, counts.min())))


def _data(path, X, y, splits):
    """Data of images (n, height, width), or of vectors."""
    shape = X.shape[1:] if X.ndim == 3 else None
    return Data(path.name, X.reshape(len(X), -1), y, shape, splits)


def _check_part(path, part, x, y):
    """Raise DataError unless x has numbers and y a label for each."""
    if y.ndim != 1 or x.ndim < 2 or len(x) != len(y) or x.size == 0:
        raise DataError(
            f"{path}: x{part} must hold n > 0 images or vectors and y{part} n labels, got "
            f"shapes {x.shape} and {y.shape}"
        )
    is_number = x.dtype.kind in "fiub"
    if not is_number or (x.dtype.kind == "f" and not _within_float32(x)):
        found = "NaN, infinity or larger numbers" if is_number else f"dtype {x.dtype}"
        raise DataError(
            f"{path}: x{part} must hold finite numbers in the range of float32, got {found}"
        )
    if y.dtype.kind not in "iubU" and not _is_integral(y):
        raise DataError(
            f"{path}: y{part} must hold labels, integers or strings, got dtype {y.dtype}"
        )


def _within_float32(x):
    return bool((np.abs(x) <= np.finfo(np.float32).max).all())


def _is_integral(y):
    return y.dtype.kind == "f" and bool(np.isfinite(y).all() and (y == np.round(y)).all())


def _to_float32(parts):
    """Join arrays in float32, divided by a power of two if they are very large or small."""
    largest = max(max(float(part.max()), -float(part.min())) for part in parts)
    joined = np.concatenate(parts)
    if largest == 0 or 1e-9 <= largest <= 1e9:
        return joined.astype(np.float32)
    return np.ldexp(joined.astype(np.float64), -np.frexp(largest)[1]).astype(np.float32)


def _encode_labels(parts):
    """Encode labels as integers from 0."""
    if len({part.dtype for part in parts}) > 1:  # a common dtype might merge large integers
        parts = [part.astype(object) for part in parts]
    return np.unique(np.concatenate(parts), return_inverse=True)[1]


def _read(path):
    try:
        if path.exists() and not path.is_file():
            raise ValueError("not a regular file")  # reading a pipe would block
        with path.open("rb") as file:
            _check_size(path, file)
            with np.load(file, allow_pickle=False) as archive:
                is_whole = not set(_WHOLE).isdisjoint(archive)
                keys = _WHOLE if is_whole and set(_SPLIT).isdisjoint(archive) else _SPLIT
                arrays = {key: _array(path, archive, key) for key in keys if key in archive}
                others = sorted(archive)
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except Exception as error:  # damaged files raise anything, from zlib.error to SyntaxError
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{path}: not an .npz file of plain arrays, which numpy.savez writes ({reason})"
        ) from None
    missing = [key for key in keys if not isinstance(arrays.get(key), np.ndarray)]
    if missing:
        raise DataError(
            f"{path}: must hold the arrays {', '.join(_SPLIT)}, or {' and '.join(_WHOLE)}; "
            f"missing: {', '.join(missing)}; it has: {', '.join(others) or 'none'}"
        )
    return arrays


def _array(path, archive, key):
    """An array of an open file; raise DataError if it holds Python objects, which are not read."""
    try:
        return archive[key]
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        raise DataError(
            f"{path}: {key} must hold numbers or strings, got Python objects, as a column of "
            f"pandas has them; store {key}.to_numpy(dtype=str)"
        ) from None


def _check_size(path, file):
    """Raise DataError if the arrays are too large when unpacked."""
    names = {name for key in (*_SPLIT, *_WHOLE) for name in (key, f"{key}.npy")}
    size = unpacked_size(file, names)
    if size > MAX_BYTES:
        raise DataError(
            f"{path}: unpacks to {size / 2**30:.1f} GiB, more than the limit of "
            f"{MAX_BYTES / 2**30:.0f} GiB"
        )


def normalise(X):
    """Scale signals to mean zero and norm one; constant signals become zero."""
    largest = np.abs(X).max(axis=1, keepdims=True)
    X = np.ldexp(X, -np.frexp(largest)[1])  # exact, and squares neither overflow nor underflow
    X = X - X.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(norms > 0, norms, 1)


def renormalised(X, rng):
    """Scale signals again as `normalise` does, as a step of an augmentation."""
    return normalise(X)


def shifts(image_shape):
    """Augmentation that shifts each normalised image at random, repeating its border.

    Shifts are -1, 0 or 1 pixels. Images below 16 pixels are shifted by up to half a pixel, with
    interpolation.
    """
    pixels = 0.5 if min(image_shape) < 16 else 1
    return Compose([RandomShift(image_shape, pixels, fill="edge"), renormalised])
