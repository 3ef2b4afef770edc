"""The estimators as they are used: in pipelines, searches and other estimators of scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from learners import classifier, digits, heights, regressor, unsupervised
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdict_sup import (
    ElasticNet,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
)


@pytest.fixture(name="dictionary", scope="module")
def _dictionary():
    return OnlineDictionaryLearning(20, max_iter=3, random_state=0).fit(digits()[0]).components_


def test_classifier_on_codes_of_a_fixed_dictionary(dictionary):
    X, y = digits(300)
    model = make_pipeline(SparseCoder(dictionary), LogisticRegression())
    model.fit(X[:200], y[:200])
    code = SparseCoder(dictionary).fit(X[:200]).transform(X[200:])
    assert model[:-1].transform(X[200:]).shape == (100, 20)
    np.testing.assert_array_equal(model.predict(X[200:]), model[-1].predict(code))
    assert model.score(X[200:], y[200:]) > 0.75  # chance is 0.1


def test_sparse_codes_give_a_classifier_the_same_predictions(dictionary):
    X, y = digits(300)
    dense, sparse = (
        make_pipeline(
            SparseCoder(dictionary, output=output), LogisticRegression(tol=1e-10, max_iter=1000)
        ).fit(X, y)
        for output in ("dense", "sparse")
    )
    np.testing.assert_allclose(sparse.predict_proba(X), dense.predict_proba(X), atol=1e-6)


@pytest.mark.filterwarnings("ignore:lam=100 makes")  # a value of the grid
@pytest.mark.filterwarnings("ignore:All codes of the .* signals are zero. ElasticNet.lam=100")
def test_grid_search_over_prior_and_size_in_two_processes():
    X, y = digits(200)
    pipeline = make_pipeline(
        OnlineDictionaryLearning(prior=ElasticNet(), max_iter=2, random_state=0),
        LogisticRegression(),
    )
    grid = {
        "onlinedictionarylearning__prior__lam": [0.3, 100.0],
        "onlinedictionarylearning__n_components": [2, 12],
    }
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2, error_score="raise").fit(X, y)
    # at lam = 100 every code is zero, and two atoms are few for ten digits
    assert search.best_params_ == {
        "onlinedictionarylearning__prior__lam": 0.3,
        "onlinedictionarylearning__n_components": 12,
    }
    best = search.best_estimator_[0]
    assert (best.prior_.lam, best.components_.shape) == (0.3, (12, 64))
    assert pipeline[0].prior.lam == "auto"  # the search worked on clones
    alone = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    np.testing.assert_array_equal(
        alone.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )


@pytest.mark.filterwarnings("ignore:lam=100 makes")  # a value of the grid
def test_grid_search_over_the_prior_of_a_supervised_dictionary():
    X, y = digits(120, n_classes=3)
    grid = {"prior__lam": [0.3, 100.0], "n_components": [6]}
    search = GridSearchCV(classifier(prior=ElasticNet(lam2=0.1)), grid, cv=2).fit(X, y)
    assert search.best_params_["prior__lam"] == 0.3
    assert search.best_score_ > 0.8


def test_one_against_the_rest():
    X, y = digits(200, n_classes=4)
    names = np.array(["zero", "one", "two", "three"])[y]
    model = OneVsRestClassifier(classifier(), n_jobs=2).fit(X, names)
    assert len(model.estimators_) == 4
    for name, binary in zip(model.classes_, model.estimators_, strict=True):
        alone = clone(classifier()).fit(X, (names == name).astype(int))
        # a worker may have another number of BLAS threads, and so other rounding
        np.testing.assert_allclose(binary.components_, alone.components_, rtol=1e-9, atol=1e-11)
    scores = np.column_stack([m.decision_function(X) for m in model.estimators_])
    np.testing.assert_array_equal(model.predict(X), model.classes_[scores.argmax(axis=1)])
    assert model.score(X, names) > 0.8


def test_one_regressor_for_each_output():
    X, _ = digits()
    model = MultiOutputRegressor(regressor()).fit(X, heights(X))
    alone = regressor().fit(X, heights(X)[:, 1])
    np.testing.assert_array_equal(model.predict(X)[:, 1], alone.predict(X))


def test_cross_validation():
    X, y = digits(200, n_classes=4)
    scores = cross_val_score(classifier(), X, y, cv=3, error_score="raise")
    assert scores.min() > 0.7  # chance is 0.25
    scores = cross_val_score(
        make_pipeline(unsupervised(), Ridge()), X, heights(X), cv=3, error_score="raise"
    )
    assert np.isfinite(scores).all()


def test_data_frames_through_a_pipeline():
    X, y = digits()
    frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(64)])
    pipeline = make_pipeline(StandardScaler(), unsupervised(), classifier())
    pipeline.set_output(transform="pandas").fit(frame, y)
    code = pipeline.transform(frame)
    assert isinstance(code, pd.DataFrame)
    assert list(code.columns) == [f"superviseddictionaryclassifier{j}" for j in range(6)]
    assert list(pipeline[-1].feature_names_in_) == [
        f"onlinedictionarylearning{j}" for j in range(6)
    ]
    assert pipeline.predict(frame).shape == y.shape


def test_weights_are_routed_through_a_pipeline():
    X, y = digits(100, n_classes=3)
    weight = np.random.default_rng(0).integers(0, 3, 100).astype(float)
    with config_context(enable_metadata_routing=True):
        step = classifier().set_fit_request(sample_weight=True)
        model = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), step)
        model.fit(X, y, sample_weight=weight)
    scaled = StandardScaler().fit_transform(X)
    alone = classifier().fit(scaled, y, sample_weight=weight)
    np.testing.assert_array_equal(model[-1].components_, alone.components_)
    assert np.abs(alone.coef_ - classifier().fit(scaled, y).coef_).max() > 1e-3


def test_nested_parameters_are_cloned_and_reached():
    prior = ElasticNet(lam=0.3, lam2=0.1)
    model = SupervisedDictionaryClassifier(7, prior=prior)
    again = clone(make_pipeline(model))[0]
    assert again.prior is not prior
    assert again.get_params()["prior__lam"] == 0.3
    again.set_params(prior__lam=0.5)
    assert (prior.lam, again.prior.lam) == (0.3, 0.5)
    assert again.prior.get_params() == {"lam": 0.5, "lam2": 0.1, "positive": False}
