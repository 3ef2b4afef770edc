"""What users of scikit-learn expect of estimators, beyond its own checks."""

import numpy as np
import pytest
from learners import digits
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skdict_sup import (
    ElasticNet,
    LISTAEncoder,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
)

FEW = {"max_iter": 1, "random_state": 0}


@pytest.mark.parametrize(
    "estimator",
    [
        SparseCoder(np.eye(4)),
        OnlineDictionaryLearning(),
        SupervisedDictionaryClassifier(),
        SupervisedDictionaryRegressor(),
        LISTAEncoder(),
    ],
    ids=lambda e: type(e).__name__,
)
def test_parameters_of_a_prior_given_by_name_can_be_set(estimator):
    named = clone(estimator)
    *_, default = clone(estimator)._check_terms()[:2]
    estimator.set_params(prior__lam=0.25)
    assert estimator.prior.lam == 0.25
    others = default.get_params() | {"lam": 0.25}
    assert estimator.prior.get_params() == others  # those that the name stands for
    assert clone(estimator).prior.lam == 0.25
    assert named.prior in ("auto", "elastic_net")


def test_a_name_and_its_parameter_are_set_together():
    learner = OnlineDictionaryLearning(prior=ElasticNet(0.1))
    learner.set_params(prior="kl", prior__p=0.5)
    assert learner.prior.get_params()["p"] == 0.5


def test_a_grid_reaches_the_prior_of_a_default_estimator():
    X, y = digits(90, n_classes=3)
    model = make_pipeline(Normalizer(), SupervisedDictionaryClassifier(6, init_max_iter=1, **FEW))
    grid = {"superviseddictionaryclassifier__prior__lam": [0.05, 0.2]}
    found = GridSearchCV(model, grid, cv=2).fit(X, y)
    lams = {found.best_estimator_[-1].prior_.lam}
    assert lams <= {0.05, 0.2}
    assert found.best_score_ > 0.5


def test_encoders_with_a_loss_have_scores_and_probabilities():
    X, y = digits(120, n_classes=3)
    settings = {"n_components": 8, "n_layers": 2, "init_max_iter": 1, "random_state": 0}
    encoder = LISTAEncoder(loss="softmax", max_iter=5, **settings)
    assert cross_val_score(encoder, X, y, cv=2).mean() > 0.7
    probability = encoder.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    np.testing.assert_array_equal(encoder.classes_[probability.argmax(axis=1)], encoder.predict(X))
    numbers = LISTAEncoder(loss="square", max_iter=5, **settings).fit(X, y.astype(float))
    assert 0.2 < numbers.score(X, y.astype(float)) <= 1
    assert not hasattr(numbers, "predict_proba")
    assert not hasattr(LISTAEncoder(loss="squared_hinge"), "predict_proba")
    assert not hasattr(LISTAEncoder(), "score")


def test_a_coder_needs_no_fit():
    X, _ = digits(30)
    coder = SparseCoder(X[:6])
    code = coder.transform(X)
    assert "components_" not in vars(coder)
    np.testing.assert_array_equal(code, clone(coder).fit(X).transform(X))
    np.testing.assert_allclose(coder.inverse_transform(code), code @ X[:6])
    assert len(coder.get_feature_names_out()) == 6
