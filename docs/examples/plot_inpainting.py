"""
Missing pixels: digits and photographs
======================================

Half of the pixels of an image are missing, at random. A code is computed from the pixels that are
observed, and the atoms have an entry for every pixel: the product of code and dictionary fills in
the missing ones. The dictionary is learned from images with missing pixels too; no method in this
example learns from whole images.

Sparse codes are compared with mean imputation and with :class:`~sklearn.impute.KNNImputer`. All
methods learn from the same data, and all settings are chosen on images that are used neither for
learning nor for the final errors.

The figures show digits, errors by method, and a photograph with half of its pixels. It runs for
about 30 seconds. The guide: :doc:`../user_guide/sparse_coding`. The reference:
:class:`~skdict_sup.SparseCoder`, :class:`~skdict_sup.OnlineDictionaryLearning`.
"""

# %%
# Digits
# ------
# NaN marks a missing pixel. Errors are those of the missing pixels only.

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from scipy.interpolate import griddata
from sklearn.datasets import load_digits, load_sample_image
from sklearn.impute import KNNImputer
from sklearn.model_selection import train_test_split

from skdict_sup import ElasticNet, OnlineDictionaryLearning, SparseCoder

rng = np.random.default_rng(0)


def hide_half(images):
    """A copy of the images in which a random half of the pixels is NaN."""
    return np.where(rng.random(images.shape) < 0.5, np.nan, images)


def rmse(filled, images, incomplete):
    """Root mean squared error of the missing pixels."""
    return np.sqrt(np.mean((filled - images)[np.isnan(incomplete)] ** 2))


def best_settings(method, grid, images, incomplete):
    """The settings of the grid with the smallest error."""
    return min(grid, key=lambda settings: rmse(method(incomplete, *settings), images, incomplete))


digits = load_digits().data / 16
train, test = train_test_split(digits, test_size=500, random_state=0)
train, validation = train_test_split(train, test_size=300, random_state=0)
train, validation_seen, test_seen = map(hide_half, (train, validation, test))

# %%
# With ``allow_nan=True``, estimators learn from signals with missing entries and code them, and
# ``inverse_transform`` returns whole signals. A large ``lam`` is good for learning, but it shrinks
# the codes: for the final ones, the penalties are multiplied by ``factor``.


def fill_by_codes(signals, X, prior, factor):
    """Reconstructions of X over a dictionary learned from the signals."""
    learner = OnlineDictionaryLearning(
        100, prior=prior, forgetting=10, allow_nan=True, random_state=0
    ).fit(signals)
    prior = ElasticNet(factor * prior.lam, factor * prior.lam2, prior.positive)
    coder = SparseCoder(learner.components_, prior=prior, allow_nan=True)
    return coder.inverse_transform(coder.transform(X))


# %%
# The mean digit is subtracted, and codes are nonnegative. The settings with the smallest error on
# the validation set are used for the test set.

mean = np.nanmean(train, axis=0)


def digits_by_codes(X, lam, lam2, factor):
    prior = ElasticNet(lam, lam2, positive=True)
    return mean + fill_by_codes(train - mean, X - mean, prior, factor)


def digits_by_neighbours(X, n_neighbors, weights):
    return KNNImputer(n_neighbors=n_neighbors, weights=weights).fit(train).transform(X)


methods = {
    "nearest neighbours": (
        digits_by_neighbours,
        list(product([4, 8, 12, 16], ["uniform", "distance"])),
    ),
    "sparse codes": (
        digits_by_codes,
        list(product([0.1, 0.2, 0.4], [0.1, 0.2, 0.4], [0.25, 0.5])),
    ),
}
filled = {"mean": np.broadcast_to(mean, test.shape)}
for name, (method, grid) in methods.items():
    settings = best_settings(method, grid, validation, validation_seen)
    filled[name] = method(test_seen, *settings)
    print(f"{name}: best of {len(grid)} settings {settings}")
errors = {name: rmse(images, test, test_seen) for name, images in filled.items()}

# %%
# Each column is a digit of the test set. Observed pixels are kept, missing ones are blue.

filled = {name: np.where(np.isnan(test_seen), X, test_seen) for name, X in filled.items()}
rows = {"original": test, "observed": test_seen, **filled}
gray = plt.get_cmap("gray").with_extremes(bad="#9ec5e8")

figure = plt.figure(figsize=(10, 4.8), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[2.2, 1])
for line, (name, images) in zip(left.subplots(len(rows), 8), rows.items(), strict=True):
    for panel, image in zip(line, images, strict=False):
        panel.imshow(image.reshape(8, 8), cmap=gray, vmin=0, vmax=1)
        panel.set(xticks=[], yticks=[])
    line[0].set_ylabel(name.replace(" ", "\n"), rotation=0, ha="right", va="center", fontsize=12)
axes = right.subplots()
bars = axes.bar(list(errors), list(errors.values()), color=["#b8b8b8", "#e0a458", "#2c6fad"])
axes.bar_label(bars, fmt="%.3f")
axes.set_xticks(range(3), [name.replace(" ", "\n") for name in errors])
axes.set_title("RMSE of missing pixels")
axes.spines[["top", "right"]].set_visible(False)

# %%
# Missing pixels in the training data are a difficulty for nearest neighbours, because a distance
# is computed from the pixels that are observed in both digits, a quarter of all. If the training
# digits are whole, nearest neighbours are nearly as good as sparse codes.

# %%
# Photographs
# -----------
# Here the dictionary is learned from the incomplete image itself: from its overlapping patches,
# which are then coded over it. Each pixel is the mean of its reconstructions in all patches.
# (:class:`~skdict_sup.image.DictionaryInpainter` does this for whole images, with codes that also
# depend on a first estimate of the missing pixels; here, the steps are made one by one.)

from skdict_sup.image import average_patches, extract_patches

PATCHES = 8, 2  # side of a patch and distance between patches, in pixels

# %%
# The first entry of ``lam`` is zero: the first atom has no penalty. It becomes nearly constant,
# and its coefficient is the brightness of a patch. The other methods are the mean of the observed
# pixels of a patch, nearest neighbours of patches from which this mean is subtracted, both
# averaged over the patches in the same way, and linear interpolation between observed pixels.


def photograph_by_codes(image, lam, factor):
    prior = ElasticNet(np.append(0.0, np.full(99, lam)))
    patches = extract_patches(image, *PATCHES)
    return average_patches(fill_by_codes(patches, patches, prior, factor), image.shape, *PATCHES)


def patches_and_levels(image):
    """Patches less the means of their observed pixels, and these means."""
    patches = np.asarray(extract_patches(image, *PATCHES))
    levels = np.nanmean(patches, axis=1, keepdims=True)
    return patches - levels, levels


def photograph_by_neighbours(image, n_neighbors):
    patches, levels = patches_and_levels(image)
    found = KNNImputer(n_neighbors=n_neighbors).fit_transform(patches) + levels
    return average_patches(found, image.shape, *PATCHES)


def photograph_by_means(image):
    patches, levels = patches_and_levels(image)
    return average_patches(np.zeros_like(patches) + levels, image.shape, *PATCHES)


def interpolated(image):
    rows, columns = np.nonzero(~np.isnan(image))
    grid = tuple(np.indices(image.shape))
    values = image[rows, columns]
    linear = griddata((rows, columns), values, grid)
    outside = griddata((rows, columns), values, grid, method="nearest")
    return np.where(np.isnan(linear), outside, linear)


# %%
# Settings are chosen on another part of the first photograph.

china, flower = [
    load_sample_image(name).mean(axis=2) / 255 for name in ("china.jpg", "flower.jpg")
]
validation = china[236:332, 100:196]
test = {"temple": china[84:204, 130:250], "flower": flower[154:274, 254:374]}

grids = {
    "local mean": (photograph_by_means, [()]),
    "interpolation": (interpolated, [()]),
    "nearest neighbours": (photograph_by_neighbours, [(1,), (2,), (4,)]),
    "sparse codes": (photograph_by_codes, list(product([0.05, 0.1, 0.2], [0.1, 0.2]))),
}
incomplete = hide_half(validation)
settings = {
    name: best_settings(method, grid, validation, incomplete)
    for name, (method, grid) in grids.items()
}
print({name: chosen for name, chosen in settings.items() if chosen})

# %%
# Peak signal-to-noise ratios of the missing pixels, in decibels: higher is better. A smaller step
# between the patches improves nearest neighbours and sparse codes, but the time that it takes to
# find neighbours grows with the square of the number of patches.

shown = ["local mean", "nearest neighbours", "sparse codes"]
figure, panels = plt.subplots(2, 5, figsize=(13, 5.8), layout="constrained")
for line, (name, original) in zip(panels, test.items(), strict=True):
    incomplete = hide_half(original)
    images = {"observed": incomplete}
    for method in grids:
        image = grids[method][0](incomplete, *settings[method])
        decibels = -20 * np.log10(rmse(image, original, incomplete))
        print(f"{name:7} {method:19} {decibels:5.2f} dB")
        if method in shown:
            images[f"{method}, {decibels:.1f} dB"] = np.where(
                np.isnan(incomplete), image, incomplete
            )
    images["original"] = original
    for panel, (title, image) in zip(line, images.items(), strict=True):
        panel.imshow(image, cmap=gray, vmin=0, vmax=1)
        panel.set_title(title)
        panel.axis("off")

# %%
# The thin edges of the petals are lost by nearest neighbours, and kept by sparse codes:

figure, panels = plt.subplots(2, 2, figsize=(7, 5.6), layout="constrained")
del images[next(title for title in images if title.startswith("local mean"))]
for panel, (title, image) in zip(panels.flat, images.items(), strict=True):
    panel.imshow(image[:56, 32:102], cmap=gray, vmin=0.1, vmax=0.8)
    panel.set_title(title.partition(",")[0], fontsize=15)
    panel.axis("off")

# sphinx_gallery_thumbnail_number = 3
plt.show()
