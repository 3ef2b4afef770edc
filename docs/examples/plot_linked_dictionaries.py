"""
Linked dictionaries: photographs from halftones
===============================================

:class:`~skdict_sup.SupervisedDictionaryRegressor` predicts several targets from one code. With
patches of a bad image as signals, and patches of a good one as targets, it learns two *linked*
dictionaries: each atom, in the space of the bad patches, has a counterpart in the space of the
good ones, the column of the linear model that belongs to it. Here the bad image is a halftone,
black and white dots as in a newspaper, and the good one the photograph that it was made from.

The figures show pairs of atoms, and the test images as each method restores them. It runs for
about 10 seconds. The guide: :doc:`../user_guide/supervised`, and :doc:`../user_guide/image` for
whole images.
"""

# %%
# Halftones
# ---------
# Error diffusion (Floyd and Steinberg) makes each pixel black or white, and hands the error on to
# its neighbours. The pairs to learn from come from parts of two sample images of scikit-learn;
# other parts of the two are for the test.

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_sample_image
from sklearn.linear_model import Ridge

from skdict_sup import ElasticNet, SupervisedDictionaryRegressor
from skdict_sup.plotting import LinkedDictionariesDisplay

SIDE = 8  # of a patch, in pixels


def halftone(image):
    """Black and white dots of the same local brightness."""
    rows = np.pad(image, 1, mode="edge").tolist()
    for row, below in pairwise(rows[1:]):
        for i in range(1, len(row) - 1):
            dot = float(row[i] > 0.5)
            error, row[i] = (row[i] - dot) / 16, dot
            row[i + 1] += 7 * error
            below[i - 1] += 3 * error
            below[i] += 5 * error
            below[i + 1] += error
    return np.array(rows)[1:-1, 1:-1]


photographs = [load_sample_image(name).mean(axis=2) / 255 for name in ("china.jpg", "flower.jpg")]
china, flower = photographs
train = [china[200:], flower[:, :260]]
test = {"temple": china[24:200, 80:330], "flower": flower[80:256, 260:510]}
dots = {name: halftone(image) for name, image in test.items()}

# %%
# Patches
# -------
# Both patches of a pair lose the mean of the halftone: the code is for what is left.

rng = np.random.default_rng(0)


def windows(image):
    """All patches of an image."""
    return np.lib.stride_tricks.sliding_window_view(image, (SIDE, SIDE))


X, Y = [], []
for image in train:
    pair = windows(halftone(image)), windows(image)
    places = [rng.integers(side, size=10_000) for side in pair[0].shape[:2]]
    for patches, found in zip((X, Y), pair, strict=True):
        patches.append(found[tuple(places)].reshape(-1, SIDE * SIDE))
X, Y = np.concatenate(X), np.concatenate(Y)
level = X.mean(axis=1, keepdims=True)
X, Y = X - level, Y - level

# %%
# Two dictionaries, one code
# --------------------------

model = SupervisedDictionaryRegressor(
    64, prior=ElasticNet(lam=0.4), max_iter=10, random_state=0
).fit(X, Y)
print(f"{(model.transform(X[:2000]) != 0).sum(axis=1).mean():.1f} nonzeros in a code")

# %%
# The atoms and their counterparts, in the same places. The pairs shown are the 40 that codes use
# most. On the left, edges and bars with the grain of the dots; on the right, what they stand for:
# the same edges, smooth.

use = np.abs(model.transform(X[:5000])).mean(axis=0)
order = np.argsort(use)[::-1][:40]

figure, axes = plt.subplots(1, 2, figsize=(11, 2.7), layout="constrained")
LinkedDictionariesDisplay(model.components_[order], model.coef_.T[order]).plot(axes, columns=10)

# %%
# Whole images
# ------------
# Each pixel is the mean of its predictions by all patches that hold it. For comparison: a Gaussian
# blur, with the width that is best for the image (which needs the original), and a linear
# prediction without codes.


def rebuild(predict, image):
    """Photograph for a halftone, from overlapping patches."""
    found = windows(image)
    shape = found.shape[:2]
    patches = found.reshape(-1, SIDE * SIDE)
    level = patches.mean(axis=1, keepdims=True)
    patches = (predict(patches - level) + level).reshape(*shape, SIDE, SIDE)
    total, count = np.zeros_like(image), np.zeros_like(image)
    for row in range(SIDE):
        for column in range(SIDE):
            place = slice(row, row + shape[0]), slice(column, column + shape[1])
            total[place] += patches[:, :, row, column]
            count[place] += 1
    return np.clip(total / count, 0, 1)


def psnr(image, original):
    """Peak signal-to-noise ratio in decibels: higher is better."""
    return -10 * np.log10(np.mean((image - original) ** 2))


linear = Ridge(alpha=1.0).fit(X, Y)
figure, panels = plt.subplots(2, 4, figsize=(13, 5.2), layout="constrained")
for line, (name, original) in zip(panels, test.items(), strict=True):
    blurred = [gaussian_filter(dots[name], width) for width in np.arange(0.8, 2.0, 0.1)]
    images = {
        "halftone": dots[name],
        "Gaussian blur": max(blurred, key=lambda image, o=original: psnr(image, o)),
        "linked dictionaries": rebuild(model.predict, dots[name]),
        "photograph": original,
    }
    other = psnr(rebuild(linear.predict, dots[name]), original)
    print(f"{name}: linear prediction {other:.2f} dB")
    for panel, (title, image) in zip(line, images.items(), strict=True):
        panel.imshow(image, cmap="gray", vmin=0, vmax=1)
        if title != "photograph":
            title += f", {psnr(image, original):.1f} dB"
        panel.set_title(title)
        panel.axis("off")

# sphinx_gallery_thumbnail_number = 2
plt.show()
