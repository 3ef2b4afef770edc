"""Estimators on signals with missing entries, NaN with allow_nan=True."""

import pickle

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdict_sup import (
    KL,
    ElasticNet,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    encode,
    tune_prior,
)

WHOLE, Y = load_digits(return_X_y=True)
WHOLE, Y = WHOLE[:300] / 16, Y[:300]
MASK = np.random.default_rng(0).random(WHOLE.shape) < 0.7
X = np.where(MASK, WHOLE, np.nan)
PRIOR = ElasticNet(0.1)


def learners():
    return (
        OnlineDictionaryLearning(12, prior=PRIOR, allow_nan=True, max_iter=2, random_state=0),
        SupervisedDictionaryClassifier(12, allow_nan=True, max_iter=2, random_state=0),
        SupervisedDictionaryRegressor(12, allow_nan=True, max_iter=2, random_state=0),
    )


every_learner = pytest.mark.parametrize("model", learners(), ids=lambda m: type(m).__name__)


@parametrize_with_checks([OnlineDictionaryLearning(n_components=3, max_iter=2, allow_nan=True)])
def test_conventions_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("prior", [PRIOR, KL(0.1, 0.05)], ids=repr)
def test_a_coder_codes_observed_entries(prior):
    dictionary = OnlineDictionaryLearning(20, prior=PRIOR, random_state=0).fit(WHOLE).components_
    coder = SparseCoder(dictionary, prior=prior, allow_nan=True).fit(X)
    code = coder.transform(X)
    expected = encode(X, dictionary, prior=prior, mask=MASK).code
    np.testing.assert_array_equal(code, expected)
    filled = coder.inverse_transform(code)
    assert np.isfinite(filled).all()
    error = ((filled - WHOLE)[~MASK] ** 2).mean()
    mean = np.nanmean(X, axis=0)
    assert error < 0.6 * ((mean - WHOLE)[~MASK] ** 2).mean()


@every_learner
def test_without_missing_entries_nothing_changes(model):
    plain = clone(model).set_params(allow_nan=False).fit(WHOLE, Y)
    model = clone(model).fit(WHOLE, Y)
    np.testing.assert_array_equal(model.components_, plain.components_)
    np.testing.assert_array_equal(model.transform(WHOLE), plain.transform(WHOLE))


@every_learner
def test_learning_sees_observed_entries_alone(model):
    first = clone(model).fit(X, Y)
    hidden = np.where(MASK, WHOLE, np.nan)
    again = clone(model).fit(hidden, Y)
    np.testing.assert_array_equal(first.components_, again.components_)
    assert np.isfinite(first.components_).all()
    assert np.isfinite(first.transform(X)).all()
    twin = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(twin.transform(X), first.transform(X))


@every_learner
def test_it_is_refused_unless_it_is_allowed(model):
    model = clone(model).set_params(allow_nan=False)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X, Y)
    assert not hasattr(model, "components_")
    bad = X.copy()
    bad[3, 2] = np.inf
    with pytest.raises(ValueError, match="inf"):
        clone(model).set_params(allow_nan=True).fit(bad, Y)


def test_unsupervised_learning_lowers_the_objective_of_observed_entries():
    model = OnlineDictionaryLearning(
        20, prior=PRIOR, allow_nan=True, max_iter=15, tol=0.0, random_state=0
    ).fit(X)
    curve = model.objective_curve_
    assert curve[-1] < 0.9 * curve[0]
    objective = encode(X, model.components_, prior=PRIOR, mask=MASK).objective.mean()
    # the codes of whole signals, whose dictionary knows more, on the same entries
    whole = OnlineDictionaryLearning(20, prior=PRIOR, max_iter=15, random_state=0).fit(WHOLE)
    other = encode(X, whole.components_, prior=PRIOR, mask=MASK).objective.mean()
    assert objective < 1.05 * other


def test_fixed_points_are_stationary_for_observed_entries():
    rng = np.random.default_rng(1)
    data = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 8))
    mask = rng.random(data.shape) < 0.8
    hidden = np.where(mask, data, np.nan)
    prior = ElasticNet(0.05, 0.01)
    model = OnlineDictionaryLearning(
        4, prior=prior, allow_nan=True, batch_size=200, forgetting=50.0, max_iter=400, tol=0.0,
        shuffle=False, random_state=0,
    ).fit(hidden)  # fmt: skip
    D = model.components_
    code = encode(hidden, D, prior=prior, mask=mask).code
    residual = np.where(mask, data - code @ D, 0.0)
    gradient = -(code.T @ residual)
    # along the unit sphere, and inwards
    inside = np.sum(gradient * D, axis=1, keepdims=True)
    tangent = gradient - inside * D
    assert np.abs(tangent).max() < 2e-3 * np.abs(code.T @ np.where(mask, data, 0.0)).max()


def test_columns_that_are_never_observed_stay_zero():
    hidden = X.copy()
    hidden[:, [5, 20]] = np.nan
    model = OnlineDictionaryLearning(12, prior=PRIOR, allow_nan=True, max_iter=3, random_state=0)
    with np.errstate(all="raise"):
        model.fit(hidden)
    assert not model.components_[:, [5, 20]].any()
    classifier = SupervisedDictionaryClassifier(12, allow_nan=True, max_iter=2, random_state=0)
    assert np.isfinite(classifier.fit(hidden, Y).predict_proba(hidden)).all()


def test_signals_without_observed_entries_are_reported():
    hidden = X.copy()
    hidden[[3, 8]] = np.nan
    model = OnlineDictionaryLearning(12, prior=PRIOR, allow_nan=True, max_iter=1, random_state=0)
    with pytest.warns(UserWarning, match="2 of 300 signals have no observed entry"):
        model.fit(hidden)
    with pytest.warns(UserWarning, match="2 of 300 signals have no observed entry"):
        assert not model.transform(hidden)[[3, 8]].any()


def test_pieces_of_a_stream_are_the_stream():
    settings = {"prior": PRIOR, "allow_nan": True, "batch_size": 64, "init": WHOLE[:12]}
    one = OnlineDictionaryLearning(12, **settings).partial_fit(X)
    parts = OnlineDictionaryLearning(12, **settings)
    for first in range(0, 300, 50):
        parts.partial_fit(X[first : first + 50])
    np.testing.assert_allclose(parts.components_, one.components_, atol=1e-12)


def test_supervised_learning_beats_filling_by_means():
    hidden = np.where(np.random.default_rng(1).random(WHOLE.shape) < 0.4, WHOLE, np.nan)
    train, test = slice(200), slice(200, None)
    settings = {"prior": ElasticNet(0.05, 0.1, True), "max_iter": 8, "random_state": 0}
    model = SupervisedDictionaryClassifier(40, allow_nan=True, **settings)
    score = model.fit(hidden[train], Y[train]).score(hidden[test], Y[test])
    means = np.nan_to_num(np.nanmean(hidden[train], axis=0))
    filled = np.where(np.isnan(hidden), means, hidden)
    other = SupervisedDictionaryClassifier(40, **settings).fit(filled[train], Y[train])
    assert score > other.score(filled[test], Y[test]) - 0.02
    assert score > 0.55


def test_semi_supervised_augmented_and_tuned():
    labels = np.where(np.arange(300) < 200, Y, -1)
    seen = []

    def augment(batch, rng):
        seen.append(np.isnan(batch).mean())
        return batch

    model = SupervisedDictionaryClassifier(
        12, allow_nan=True, mu=0.2, augment=augment, max_iter=2, random_state=0
    ).fit(X, labels)
    assert model.score(X[:200], Y[:200]) > 0.5
    assert 0.2 < np.mean(seen) < 0.4
    model = SupervisedDictionaryRegressor(10, allow_nan=True, max_iter=1, random_state=0)
    tuned = tune_prior(model, X, Y.astype(float), n_rounds=1, max_iter=2, random_state=0)
    assert min(tuned.losses) <= tuned.losses[0]


def test_several_dictionaries_and_halves():
    model = SupervisedDictionaryClassifier(
        4, allow_nan=True, multi_class="ovr", split_sign=True, max_iter=1, random_state=0
    ).fit(X, Y)
    assert np.isfinite(model.decision_function(X)).all()


def test_in_pipelines_and_grids():
    model = make_pipeline(
        OnlineDictionaryLearning(12, prior=PRIOR, allow_nan=True, max_iter=1, random_state=0),
        LogisticRegression(max_iter=300),
    )
    grid = {"onlinedictionarylearning__prior__lam": [0.05, 0.2]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, Y)
    assert search.best_score_ > 0.5


def test_sparse_matrices_may_store_nan():
    sparse = scipy.sparse.csr_matrix(np.where(MASK, np.where(WHOLE > 0.5, WHOLE, 0), np.nan))
    coder = SparseCoder(np.eye(64)[:10], prior=PRIOR, allow_nan=True)
    np.testing.assert_array_equal(
        coder.fit_transform(sparse), coder.fit_transform(sparse.toarray())
    )


@pytest.mark.parametrize(
    "wrong",
    [{"n_projected": 4}, {"fit_linear": True}, {"head": "bilinear"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_needs_whole_signals_is_refused(wrong):
    name, value = next(iter(wrong.items()))
    model = SupervisedDictionaryClassifier(12, allow_nan=True, **wrong)
    with pytest.raises(ValueError, match=f"allow_nan=True requires .*{name}={value!r}"):
        model.fit(X, Y)


@pytest.mark.parametrize(
    "wrong", [{"fit_linear": True}, {"head": "bilinear"}, {"n_projected": 3}], ids=str
)
def test_models_of_whole_signals_refuse_others_after_the_fit(wrong):
    model = SupervisedDictionaryRegressor(6, max_iter=1, random_state=0, **wrong).fit(WHOLE, Y)
    expected = model.predict(WHOLE)
    with pytest.raises(ValueError, match="fit with allow_nan=True, or fill them in"):
        model.predict(X)
    model.set_params(allow_nan=True)
    np.testing.assert_array_equal(model.predict(WHOLE), expected)
    message = f"no missing entries .* for a model with {next(iter(wrong))}.* fit again"
    for use in (model.predict, model.contributions, lambda X: model.partial_fit(X, Y)):
        with pytest.raises(ValueError, match=message):
            use(X)


def test_distributions_cannot_have_missing_entries():
    model = OnlineDictionaryLearning(12, prior=KL(), transfer="softmax", allow_nan=True)
    with pytest.raises(ValueError, match="transfer must be 'linear'"):
        model.fit(X)
    with pytest.raises(TypeError, match="allow_nan must be True or False"):
        SparseCoder(np.eye(64), allow_nan="yes").fit(WHOLE)


def test_in_every_library(xp):
    expected = OnlineDictionaryLearning(
        12, prior=PRIOR, allow_nan=True, max_iter=2, random_state=0
    ).fit(X)
    model = clone(expected).fit(xp.asarray(X))
    assert xp.is_mine(model.components_)
    np.testing.assert_allclose(xp.to_numpy(model.components_), expected.components_, atol=1e-8)
    code = model.transform(xp.asarray(X))
    np.testing.assert_allclose(xp.to_numpy(code), expected.transform(X), atol=1e-7)
