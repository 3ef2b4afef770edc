"""
Features of colour images from sparse codes of patches
======================================================

A linear classifier of pixels cannot tell textures apart that appear at any place and in any
orientation. :class:`~skdict_sup.image.PatchFeatures` codes small patches of an image and averages
the codes over its quadrants. This example compares sparse codes with the triangle features of
k-means, over dictionaries of equal size and with the same linear classifier.

The figures show textures, accuracies, how these depend on the whitening, and atoms in colour. It
runs for about 15 seconds. The guide: :doc:`../user_guide/image`.
"""

# %%
# Textures
# --------
# Six kinds of textures of 24 by 24 pixels, with random colours, orientation, scale and place.

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skdict_sup import ElasticNet, OnlineDictionaryLearning
from skdict_sup.image import PatchFeatures

KINDS = ["stripes", "checks", "rings", "spokes", "clouds", "grid"]
SIDE = 24
RIDGES = [0.1, 1.0, 4.0]  # candidates for the whitening


def field(kind, rng):
    """A texture, on any scale."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    angle, period, phase = rng.uniform(0, np.pi), rng.uniform(5, 8), rng.uniform(0, 2 * np.pi)
    first = np.sin(2 * np.pi * (np.cos(angle) * x + np.sin(angle) * y) / period + phase)
    second = np.sin(2 * np.pi * (np.cos(angle) * y - np.sin(angle) * x) / period)
    row, column = rng.uniform(4, SIDE - 4, 2)
    return {
        "stripes": first,
        "checks": np.sign(first * second),
        "rings": np.sin(2 * np.pi * np.hypot(y - row, x - column) / period),
        "spokes": np.sin(6 * np.arctan2(y - row, x - column) + phase),
        "clouds": gaussian_filter(rng.normal(size=(SIDE, SIDE)), period / 3),
        "grid": np.maximum(first, second),
    }[kind]


def image(kind, rng):
    """A texture between two random colours, with noise."""
    texture = field(kind, rng)
    texture = (texture - texture.mean()) / texture.std()
    contrast = rng.normal(size=3)
    contrast *= 0.15 / np.linalg.norm(contrast)
    colours = rng.uniform(0.3, 0.7, 3) + texture[:, :, None] * contrast
    return np.clip(colours + 0.08 * rng.normal(size=colours.shape), 0, 1).astype(np.float32)


rng = np.random.default_rng(0)
labels = np.arange(900) % len(KINDS)
images = np.stack([image(KINDS[label], rng) for label in labels])
X_train, y_train, X_test, y_test = images[:600], labels[:600], images[600:], labels[600:]

figure, axes = plt.subplots(2, 6, figsize=(9, 3.2), layout="constrained")
for number, panel in enumerate(axes.ravel()):
    panel.imshow(images[number])
    panel.set_axis_off()
    panel.set_title(KINDS[labels[number]], fontsize=9)

# %%
# Encoders
# --------
# Any transformer of patches is an encoder. The triangle features of k-means are
# :math:`\max(0, \bar d - d_j)` for the distances :math:`d_j` of a patch to the means. Sparse codes
# are handed on as their positive and negative halves.


class Triangle(TransformerMixin, BaseEstimator):
    """Triangle features of k-means."""

    def __init__(self, n_clusters):
        self.n_clusters = n_clusters

    def fit(self, X, y=None):
        self.means_ = KMeans(self.n_clusters, n_init=1, random_state=0).fit(X)
        return self

    def transform(self, X):
        distances = self.means_.transform(X)
        return np.maximum(distances.mean(axis=1, keepdims=True) - distances, 0)


def codes(lam):
    """Sparse codes over 60 atoms, in halves."""
    prior = ElasticNet(lam=lam)
    return OnlineDictionaryLearning(60, prior=prior, split_sign=True, max_iter=2, random_state=0)


def patch_features(encoder, ridge):
    """Codes of patches, averaged over quadrants."""
    return PatchFeatures(encoder, stride=2, whitening=ridge, n_patches=5000, random_state=0)


candidates = {
    "pixels": [FunctionTransformer(lambda X: X.reshape(len(X), -1))],
    "k-means, 60 means": [patch_features(Triangle(60), ridge) for ridge in RIDGES],
    "sparse codes, 60 atoms": [
        patch_features(codes(lam), ridge) for lam in (0.5, 1.0) for ridge in RIDGES
    ],
}

# %%
# Accuracy
# --------
# The ridge of the whitening, lam and the strength of the classifier are chosen for each of the
# features by cross-validation on the training images.

accuracies, chosen, by_ridge = {}, {}, {}
for name, transformers in candidates.items():
    searches = []
    for transformer in transformers:
        features = transformer.fit_transform(X_train)
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        grid = {"logisticregression__C": [1e-3, 1e-2, 0.1, 1.0]}
        searches.append(GridSearchCV(classifier, grid, cv=3).fit(features, y_train))
    scores = [search.best_score_ for search in searches]
    best = int(np.argmax(scores))
    chosen[name] = transformers[best]
    if len(scores) > 1:  # the best over lam, for each ridge
        by_ridge[name] = np.max(np.reshape(scores, (-1, len(RIDGES))), axis=0)
    test_features = chosen[name].transform(X_test)
    accuracies[name] = 100 * searches[best].score(test_features, y_test)
    print(f"{name}: {accuracies[name]:.1f} % of the test images")

figure, axes = plt.subplots(figsize=(7, 2), layout="constrained")
bars = axes.barh(list(accuracies), list(accuracies.values()), color=["#bbb", "#7fa7c9", "#2c6fad"])
axes.bar_label(bars, fmt="%.1f %%", padding=4)
axes.invert_yaxis()
axes.set(xlabel="accuracy (%)", xlim=(0, 110))

# %%
# Both are far better than pixels, and level with each other. They differ in what they need of the
# whitening: distances to means suffer from noise, which a small ridge amplifies in directions
# where patches have little variance, and sparse codes leave most of it aside.

figure, axes = plt.subplots(figsize=(5, 2.6), layout="constrained")
for (name, scores), color in zip(by_ridge.items(), ["#7fa7c9", "#2c6fad"], strict=True):
    axes.semilogx(RIDGES, 100 * scores, "o-", color=color, label=name)
axes.set(xlabel="ridge of the whitening", ylabel="accuracy in\ncross-validation (%)")
axes.legend(frameon=False)

# %%
# The atoms
# ---------
# Atoms live among whitened patches. Multiplied by the inverse of the whitening, they are patches
# again: edges and points, most of them in opposed colours.

fitted = chosen["sparse codes, 60 atoms"]
atoms = fitted.encoder_.components_ @ np.linalg.inv(fitted.whitening_)
atoms = 0.5 + 0.5 * atoms / np.abs(atoms).max(axis=1, keepdims=True)
figure, axes = plt.subplots(4, 15, figsize=(9, 2.6), layout="constrained")
for panel, atom in zip(axes.ravel(), atoms, strict=True):
    panel.imshow(atom.reshape(6, 6, 3))
    panel.set_axis_off()
plt.show()
