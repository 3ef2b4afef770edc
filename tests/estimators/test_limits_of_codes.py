"""Estimators whose codes end at a bound on the residual, or at a number of nonzeros."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdict_sup import (
    ElasticNet,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    encode,
    tune_prior,
)
from skdict_sup.supervised.data import Batch
from skdict_sup.supervised.step import loss_and_gradients

X, LABELS = load_digits(return_X_y=True)
X, LABELS = X[:300] / 16, LABELS[:300]
LIMITS: list[dict] = [
    {"max_nonzeros": 4},
    {"max_residual": 1.2},
    {"solver": "omp", "max_nonzeros": 4},
    {"solver": "omp", "max_residual": 1.2},
]
every_limit = pytest.mark.parametrize("limits", LIMITS, ids=str)
DICTIONARY = X[50:100] / np.linalg.norm(X[50:100], axis=1, keepdims=True)


@every_limit
def test_a_coder_gives_the_codes_of_encode(limits):
    coder = SparseCoder(DICTIONARY, **limits)
    expected = encode(X, DICTIONARY, prior=ElasticNet(), **limits).code
    np.testing.assert_array_equal(coder.fit_transform(X), expected)
    np.testing.assert_array_equal(coder.transform(X), expected)
    sparse = clone(coder).set_params(output="sparse").fit(X)
    np.testing.assert_array_equal(sparse.transform(X).toarray(), expected)


@every_limit
def test_learning_lowers_its_cost_and_keeps_the_limit(limits):
    learner = OnlineDictionaryLearning(30, max_iter=6, tol=0, random_state=0, **limits).fit(X)
    code = learner.transform(X)
    if "max_nonzeros" in limits:
        assert (code != 0).sum(axis=1).max() == 4
    else:
        residual = np.linalg.norm(X - code @ learner.components_, axis=1)
        assert (residual <= 1.2 * (1 + 1e-9)).all()
    assert learner.objective_curve_[-1] < 0.95 * learner.objective_curve_[0]
    again = pickle.loads(pickle.dumps(learner))
    np.testing.assert_array_equal(again.transform(X), code)


@pytest.mark.parametrize("limits", [{"max_nonzeros": 4}, {"max_residual": 2.5}], ids=str)
def test_supervised_learning_through_limits(limits):
    model = SupervisedDictionaryClassifier(
        20, max_iter=4, learning_rate=0.05, nu=1e-3, init_max_iter=5, random_state=0, **limits
    )
    model.fit(X[:200], LABELS[:200])
    start = clone(model).set_params(init=model.initial_components_, max_iter=1, learning_rate=1e-9)
    start.fit(X[:200], LABELS[:200])
    assert model.loss_curve_[-1] < 0.9 * start.loss_curve_[-1]
    assert model.score(X[200:], LABELS[200:]) > 0.8
    if "max_nonzeros" in limits:
        assert (model.transform(X) != 0).sum(axis=1).max() <= 4


@pytest.mark.parametrize("limits", LIMITS[:2], ids=str)
def test_a_step_follows_finite_differences(limits):
    """The gradient of a step is that of its loss, which codes at limits enter."""
    target = X[:40] @ np.cos(np.arange(64.0)) + 1
    model = SupervisedDictionaryRegressor(
        12, max_iter=1, init_max_iter=2, random_state=0, prior=ElasticNet(), **limits
    ).fit(X[:40], target)
    state, settings = model._training.state, model._training.settings
    batch = Batch(X[:40], (target - target.mean())[:, None], np.ones(40))
    _, gradients, *_ = loss_and_gradients(state, batch, settings)
    rng, dictionary = np.random.default_rng(0), state.dictionary
    direction = rng.normal(size=dictionary.shape)

    def loss(step):
        moved = state.with_parameters(dictionary=dictionary + step * direction)
        return loss_and_gradients(moved, batch, settings)[0]

    expected = (loss(1e-7) - loss(-1e-7)) / 2e-7
    found = (gradients["dictionary"] * direction).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_grid_searches_over_numbers_of_nonzeros():
    pipeline = make_pipeline(
        OnlineDictionaryLearning(15, max_iter=2, random_state=0), LogisticRegression(max_iter=500)
    )
    grid = {"onlinedictionarylearning__max_nonzeros": [1, 6]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, LABELS)
    assert search.best_params_ == {"onlinedictionarylearning__max_nonzeros": 6}


def test_missing_entries_and_limits():
    rng = np.random.default_rng(0)
    incomplete = np.where(rng.random(X.shape) < 0.8, X, np.nan)
    learner = OnlineDictionaryLearning(
        15, max_iter=2, max_nonzeros=3, allow_nan=True, random_state=0
    ).fit(incomplete)
    assert (learner.transform(incomplete) != 0).sum(axis=1).max() <= 3


# --- bad settings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_nonzeros": 3, "mu": 0.5}, "max_nonzeros require mu=0"),
        ({"max_nonzeros": 3, "solver": "omp"}, "has no gradients to learn through"),
        ({"max_residual": 1.0, "prior": ElasticNet(0.1)}, "takes the place of lam"),
        ({"max_residual": 1.0, "prior": "kl"}, "max_residual requires an ElasticNet"),
        ({"max_nonzeros": 3, "solver": "fista"}, "requires solver='auto'"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(settings, message):
    model = SupervisedDictionaryClassifier(5, max_iter=1, **settings)
    with pytest.raises(ValueError, match=message):
        model.fit(X[:50], LABELS[:50])
    assert not hasattr(model, "components_")


def test_there_is_no_weight_to_tune():
    model = SupervisedDictionaryClassifier(5, max_iter=1, max_residual=1.0)
    with pytest.raises(ValueError, match=r"max_residual=1\.0 takes the place of lam"):
        tune_prior(model, X[:50], LABELS[:50])
