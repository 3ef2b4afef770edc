"""Features of one layer of patches, by k-means and by sparse codes, and linear classifiers."""

import time

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdict_sup import ElasticNet, OnlineDictionaryLearning
from skdict_sup.image import PatchFeatures

SEED, COSTS = 0, (1e-3, 1e-2, 0.1, 1.0, 10.0)  # C of the classifier
RIDGES = (0.1, 0.5, 2.0, 8.0)  # for whitening


class KMeansTriangle(TransformerMixin, BaseEstimator):
    """max(0, mean_k d_k - d_j) for the distances d_j of a signal to means of clusters."""

    def __init__(self, n_clusters):
        self.n_clusters = n_clusters

    def fit(self, X, y=None):
        means = KMeans(self.n_clusters, n_init=1, max_iter=100, random_state=SEED)
        self.means_ = means.fit(X).cluster_centers_
        return self

    def transform(self, X):
        squares = (X**2).sum(axis=1)[:, None] + (self.means_**2).sum(axis=1)
        distances = np.sqrt(np.maximum(squares - 2 * X @ self.means_.T, 0))
        return np.maximum(distances.mean(axis=1, keepdims=True) - distances, 0)


def encoder(kind, p, lam):
    """Encoder of patches with p atoms or means: k-means, or codes with p or twice p features."""
    if kind == "k-means, triangle":
        return KMeansTriangle(p)
    is_positive = kind == "codes w >= 0"
    return OnlineDictionaryLearning(
        p,
        prior=ElasticNet(lam, positive=is_positive),
        split_sign=not is_positive,
        max_iter=3,
        random_state=SEED,
    )


def linear(C):
    return make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=200))


def chosen(X, y, costs=COSTS):
    """(accuracy on the last fifth of the training part in %, C) of the best C."""
    n = len(X) * 4 // 5
    scores = [100 * linear(C).fit(X[:n], y[:n]).score(X[n:], y[n:]) for C in costs]
    best = int(np.argmax(scores))
    return scores[best], costs[best]


def pixels(data):
    """Row of a linear classifier of pixels."""
    begin = time.process_time()
    train, test = (X.reshape(len(X), -1) / np.float32(255) for X in (data.X, data.X_test))
    validation, C = chosen(train, data.y)
    accuracy = 100 * linear(C).fit(train, data.y).score(test, data.y_test)
    seconds = time.process_time() - begin
    return {"features": train.shape[1], "C": C, "validation": validation} | {
        "test": accuracy,
        "seconds": seconds,
    }


def single_layer(data, kind, p, lams, settings):
    """Row of a kind of features.

    lam, the ridge of whitening and C are chosen on the last fifth of the training images, or of
    the first `n_chosen_on` of them.
    """
    begin, tried = time.process_time(), []
    few = min(len(data.X), settings["n_chosen_on"])
    for lam in lams if kind.startswith("codes") else (None,):
        for ridge in RIDGES:
            features = _features(kind, p, lam, ridge, settings).fit(data.X[: few * 4 // 5])
            validation, C = chosen(features.transform(data.X[:few]), data.y[:few])
            tried.append((validation, C, lam, ridge))
    validation, C, lam, ridge = max(tried, key=lambda found: found[0])
    features = _features(kind, p, lam, ridge, settings).fit(data.X)
    train, test = features.transform(data.X), features.transform(data.X_test)
    if few < len(data.X):  # a classifier of more images may be less regularised
        validation, C = chosen(train, data.y)
    accuracy = 100 * linear(C).fit(train, data.y).score(test, data.y_test)
    return {
        "features": train.shape[1],
        "C": C,
        "validation": validation,
        "test": accuracy,
        "seconds": time.process_time() - begin,
        "lam": lam,
        "ridge": ridge,
    }


def _features(kind, p, lam, ridge, settings):
    return PatchFeatures(
        encoder(kind, p, lam),
        patch_size=6,
        stride=settings["stride"],
        whitening=ridge,
        n_patches=settings["n_patches"],
        random_state=SEED,
    )
