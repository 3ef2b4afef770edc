"""Images to learn a dictionary from, and others to classify by it: read, resized and split."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from skdict_sup.augment import RandomAffine

MOST_SIDE = 28  # pixels: larger images are reduced to it
BOX = 20 / 28  # share of the side that the ink of a resized image fills, as in MNIST
N_HELD_OUT, N_TEST = 3000, 10_000  # images, at most, on which settings are chosen, and tested
SEED = 0
KEYS = {"x": ("x", "images", "X"), "y": ("y", "labels"), "writers": ("writers", "groups")}


@dataclass(frozen=True, eq=False)
class Images:
    """Images (n, height, width) in [0, 1] whose background is 0, with labels, and writers or None.

    `is_test` is True for test images, where the file says which these are.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    writers: Any = None
    is_test: Any = None

    @property
    def side(self):
        """Pixels on the longer side."""
        return max(self.X.shape[1:])

    def rows(self, rows):
        """Some of the images."""
        parts = (self.y, self.writers, self.is_test)
        y, writers, is_test = (None if part is None else part[rows] for part in parts)
        return replace(self, X=self.X[rows], y=y, writers=writers, is_test=is_test)


def read_images(path):
    """Images of an .npz file, with the arrays that the page of the script names."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    if "x_train" in arrays:
        missing = [key for key in ("y_train", "x_test", "y_test") if key not in arrays]
        if missing:
            raise ValueError(f"{path} has x_train and must also have {missing}.")
        X, y = (np.concatenate([arrays[f"{k}_train"], arrays[f"{k}_test"]]) for k in "xy")
        is_test = np.arange(len(X)) >= len(arrays["x_train"])
        writers = None
    else:
        found = {
            name: next((arrays[key] for key in keys if key in arrays), None)
            for name, keys in KEYS.items()
        }
        X, y, writers, is_test = found["x"], found["y"], found["writers"], None
    if X is None or y is None:
        raise ValueError(
            f"{path} must have the arrays x and y (and writers, if they are known), or x_train, "
            f"y_train, x_test and y_test; it has {sorted(arrays)}."
        )
    if X.ndim == 2 and round(X.shape[1] ** 0.5) ** 2 == X.shape[1]:
        X = X.reshape(len(X), round(X.shape[1] ** 0.5), -1)
    if X.ndim != 3:
        raise ValueError(f"{path}: x must be images (n, height, width), got shape {X.shape}.")
    for name, part in (("y", y), ("writers", writers)):
        if part is not None and part.shape != (len(X),):
            raise ValueError(
                f"{path}: {name} must have one entry for each of {len(X)} images, got shape "
                f"{part.shape}."
            )
    return Images(path.name, _scaled(X), np.unique(y, return_inverse=True)[1], writers, is_test)


def _scaled(X):
    """Images in [0, 1], inverted where the border is brighter than half the range."""
    X = X.astype(np.float32)
    X = (X - X.min()) / max(np.ptp(X), 1e-9)
    border = np.concatenate([X[:, [0, -1]].ravel(), X[:, :, [0, -1]].ravel()])
    return 1 - X if np.median(border) > 0.5 else X


def fitted(X, side):
    """Images of side x side pixels.

    Square images of this side are unchanged. Others are padded to squares, scaled so that the
    square fills 20/28 of the side, and shifted by whole pixels until their centre of mass is in
    the middle, as the digits of MNIST were.
    """
    n, height, width = X.shape
    if height == width == side:
        return X
    longer, box = max(height, width), round(BOX * side)
    top, left = (longer - height) // 2, (longer - width) // 2
    found = np.zeros((n, side, side), np.float32)
    margin = (side - box) // 2
    square = np.zeros((longer, longer), np.float32)
    for number, image in enumerate(X):
        square[top : top + height, left : left + width] = image
        small = Image.fromarray(square).resize((box, box), Image.Resampling.BILINEAR)
        whole = np.zeros((side, side), np.float32)
        whole[margin : margin + box, margin : margin + box] = small
        found[number] = np.roll(whole, _to_the_middle(whole), axis=(0, 1))
    return found


def _to_the_middle(image):
    """Whole pixels, down and to the right, that bring the centre of mass near the middle."""
    steps = []
    for mass in (image.sum(axis=1), image.sum(axis=0)):
        ink = np.flatnonzero(mass)
        if not len(ink):
            return 0, 0
        wanted = round((len(mass) - 1) / 2 - mass @ np.arange(len(mass)) / mass.sum())
        steps.append(int(np.clip(wanted, -ink[0], len(mass) - 1 - ink[-1])))  # no ink is lost
    return tuple(steps)


class Task:
    """Signals of the source, and labelled signals of the target in three disjoint sets.

    Signals are images minus the mean of the source, on its leading principal components, and
    scaled to norm one. No writer is in two sets.
    """

    def __init__(self, name, source, target, n_components):
        self.name, self.side = name, min(MOST_SIDE, max(source.side, target.side))
        self.source_name, self.target_name = source.name, target.name
        images = fitted(source.X, self.side).reshape(len(source.X), -1)
        self.mean = images.mean(axis=0)
        variance, axes = np.linalg.eigh(np.cov(images.T, dtype=np.float64))
        n_seen = min(n_components, int((variance > 1e-9 * variance[-1]).sum()))
        self.axes = axes[:, ::-1][:, :n_seen].astype(np.float32)
        centred = (images - self.mean) @ self.axes
        self.contrast = np.float32(np.median(np.linalg.norm(centred, axis=1)))
        self.source = self.project(images)
        rng = np.random.default_rng(SEED)
        is_test = _part(target, 0.25, rng) if target.is_test is None else target.is_test
        train, test = target.rows(~is_test), target.rows(is_test)
        is_held_out = _part(train, 0.2, rng)
        self.n_classes = len(np.unique(target.y))
        self.counts = {}  # images and writers of each set
        self.train = self._signals("train", train.rows(~is_held_out), rng)
        self.held_out = self._signals("held out", train.rows(is_held_out), rng, N_HELD_OUT)
        self.test = self._signals("test", test, rng, N_TEST)

    def _signals(self, name, images, rng, most=None):
        """Signals and labels of some images."""
        images = images.rows(rng.permutation(len(images.X))[:most])
        n_writers = None if images.writers is None else len(set(images.writers))
        self.counts[name] = len(images.X), n_writers
        X = fitted(images.X, self.side).reshape(len(images.X), -1)
        return self.project(X), images.y

    def project(self, images):
        """Signals for images as rows."""
        found = (images - self.mean) @ self.axes
        norm = np.linalg.norm(found, axis=1, keepdims=True)
        return (found / np.where(norm > 0, norm, 1)).astype(np.float32)

    def draw(self, n, seed):
        """Row numbers of `n` training signals."""
        return np.random.default_rng(seed).permutation(len(self.train[0]))[:n]

    @property
    def key(self):
        """Text that differs for other data."""
        digest = hashlib.sha256(self.source.tobytes() + self.train[0].tobytes())
        return f"{self.name} {digest.hexdigest()[:16]}"


@dataclass(frozen=True, eq=False)
class Distortion:
    """Augmentation of signals: their images, of a typical contrast, are changed at random.

    An image is what the leading principal components of the source keep of it.
    """

    task: Task
    affine: Any

    def __call__(self, X, rng):
        """Signals of changed images."""
        images = self.task.contrast * X @ self.task.axes.T + self.task.mean
        return self.task.project(self.affine(images.astype(np.float32), rng))

    def __sklearn_clone__(self):
        return self


def distortion(task):
    """Distortion by rotations, shears, scales and shifts like those of handwriting."""
    pixels = task.side / 28
    affine = RandomAffine((task.side, task.side), degrees=8, translate=pixels, scale=0.1, shear=8)
    return Distortion(task, affine)


def _part(images, share, rng):
    """Mask of a share of the images, or of all images of a share of the writers."""
    if images.writers is None:
        is_in = np.zeros(len(images.X), bool)
        is_in[rng.permutation(len(is_in))[: round(share * len(is_in))]] = True
        return is_in
    writers = np.unique(images.writers)
    if len(writers) < 5:
        raise ValueError(
            f"writers must be at least five, to hold some out twice, got {len(writers)}; leave "
            "them out of the file for a split by images."
        )
    return np.isin(images.writers, rng.permutation(writers)[: max(1, round(share * len(writers)))])
