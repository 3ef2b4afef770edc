"""Stored and copied estimators go on as the ones they were made of."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
from learners import digits

from skdict_sup import (
    ElasticNet,
    LISTAEncoder,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
)


def by_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


WAYS = {
    "joblib": by_joblib,
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "deepcopy": copy.deepcopy,
}
FEW = {"max_iter": 2, "random_state": 0}
ENCODER = FEW | {"n_components": 8, "n_layers": 3, "init_max_iter": 1, "prior": ElasticNet(0.1)}
LEARNERS = {
    "unsupervised": OnlineDictionaryLearning(8, **FEW),
    "classifier": SupervisedDictionaryClassifier(8, learning_rate=0.05, **FEW),
    "regressor": SupervisedDictionaryRegressor(8, learning_rate=0.05, **FEW),
    "lista": LISTAEncoder(**ENCODER),
    "lista_recurrent": LISTAEncoder(architecture="lista_recurrent", **ENCODER),
    "lfista": LISTAEncoder(architecture="lfista", **ENCODER),
    "adaptive": LISTAEncoder(architecture="adaptive", **ENCODER),
    "slstm": LISTAEncoder(architecture="slstm", **ENCODER),
    "alista": LISTAEncoder(architecture="alista", **ENCODER),
    "tied": LISTAEncoder(dictionary_update="tied", **ENCODER),
    "adadelta": LISTAEncoder(optimizer="adadelta", **ENCODER),
    "with labels": LISTAEncoder(loss="softmax", **ENCODER),
}


@pytest.fixture(scope="module", params=LEARNERS)
def learner(request):
    X, y = digits(120)
    return LEARNERS[request.param].fit(X, y)


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_encodes_and_goes_on_learning_as_its_original(learner, way):
    X, y = digits(120)
    stored = WAYS[way](learner)
    np.testing.assert_array_equal(stored.transform(X), learner.transform(X))
    original = copy.deepcopy(learner)
    found, expected = (e.partial_fit(X[:64], y[:64]).transform(X) for e in (stored, original))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_starts_warm_as_its_original(learner, way):
    if "warm_start" not in learner.get_params():
        pytest.skip("has no warm start")
    X, y = digits(120)
    stored, original = WAYS[way](learner), copy.deepcopy(learner)
    for estimator in (stored, original):
        estimator.set_params(warm_start=True).fit(X, y)
    np.testing.assert_array_equal(stored.transform(X), original.transform(X))


@pytest.mark.parametrize("way", WAYS)
def test_a_stored_network_grows_as_its_original(way):
    X, _ = digits(120)
    network = LISTAEncoder(warm_start=True, **ENCODER).fit(X).set_params(n_layers=5).fit(X)
    stored = WAYS[way](network)
    found, expected = (e.partial_fit(X).transform(X) for e in (stored, network))
    np.testing.assert_array_equal(found, expected)


def test_a_stored_coder_encodes_as_its_original():
    X, _ = digits(20)
    coder = SparseCoder(X[:5], prior=ElasticNet(0.1)).fit(X)
    for way in WAYS.values():
        np.testing.assert_array_equal(way(coder).transform(X), coder.transform(X))
