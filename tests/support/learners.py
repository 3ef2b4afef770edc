"""Small data, and small estimators of every kind, for the tests of the estimators."""

from functools import cache

import numpy as np
from problems import unit_atoms
from sklearn.datasets import load_digits

from skdict_sup import (
    LISTAEncoder,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
)


@cache
def digits(n_samples=160, n_classes=10):
    """Images of the first classes, pixels within [0, 1], and their labels; read-only."""
    X, y = load_digits(return_X_y=True)
    X, y = X[y < n_classes][:n_samples] / 16, y[y < n_classes][:n_samples]
    X.flags.writeable = y.flags.writeable = False
    return X, y


def heights(X):
    """Two targets: how low, and how far to the right, the ink of an image lies."""
    images = X.reshape(len(X), 8, 8)
    mass = images.sum(axis=(1, 2))
    low = (images.sum(axis=2) @ np.arange(8)) / mass
    right = (images.sum(axis=1) @ np.arange(8)) / mass
    return np.stack([low, right], axis=1)


def coder(**params):
    dictionary = unit_atoms(np.random.default_rng(0), 6, 64)
    return SparseCoder(**{"dictionary": dictionary, **params})


def unsupervised(**params):
    settings = {"n_components": 6, "max_iter": 2, "batch_size": 64, "random_state": 0}
    return OnlineDictionaryLearning(**settings | params)


_SUPERVISED = {  # no trials of rates, but where a test asks for them
    "n_components": 6,
    "max_iter": 2,
    "init_max_iter": 1,
    "learning_rate": 0.16,
    "random_state": 0,
}


def regressor(**params):
    return SupervisedDictionaryRegressor(**_SUPERVISED | params)


def classifier(**params):
    return SupervisedDictionaryClassifier(**_SUPERVISED | params)


# nothing about the signals is chosen on held-out samples
AS_GIVEN = {"standardise": False, "fit_offset": False, "fit_linear": False}
LEARNERS = (unsupervised, regressor, classifier)
EVERY = (coder, *LEARNERS)


def once(make):
    """Settings for a single epoch, of those that learn."""
    return {} if make is coder else {"max_iter": 1}


def target_of(make):
    """What an estimator of this kind is fitted to, on the digits."""
    X, y = digits()
    return {classifier: y, regressor: heights(X)}.get(make)


def fitted(make, **params):
    return make(**params).fit(digits()[0], target_of(make))


def outputs(estimator, X):
    """Everything that an estimator says of signals: codes, and predictions where it predicts."""
    names = ("transform", "predict", "decision_function", "predict_proba")
    return {name: getattr(estimator, name)(X) for name in names if hasattr(estimator, name)}


def learned(estimator):
    """Public fitted attributes."""
    return {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and not name.startswith("_")
    }


def assert_same(found, expected, **close):
    """Equal dictionaries of arrays, numbers and prior objects; to rounding if `close` is given."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if hasattr(value, "get_params"):
            assert_same(found[name].get_params(), value.get_params(), **close)
        elif isinstance(value, dict):
            assert_same(found[name], value, **close)
        elif close and np.asarray(value).dtype.kind == "f":
            np.testing.assert_allclose(found[name], value, err_msg=name, **close)
        else:
            np.testing.assert_array_equal(found[name], value, err_msg=name)


def encoder(**params):
    """A small LISTAEncoder that is quick to train."""
    settings = {"n_components": 12, "n_layers": 3, "max_iter": 5, "random_state": 0}
    return LISTAEncoder(**settings | {"init_max_iter": 1} | params)
