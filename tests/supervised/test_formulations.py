"""Formulations beside the plain one: heads, projections, a dictionary for each class, losses."""

import numpy as np
import pytest
from learners import digits

from skdict_sup import (
    ElasticNet,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    encode,
)
from skdict_sup.losses import Softmax

CROSSED = ("SupervisedDictionaryClassifier", "SupervisedDictionaryRegressor", "encode")

X, Y = digits(400, n_classes=4)
QUICK = {"max_iter": 6, "init_max_iter": 1, "learning_rate": 0.16, "random_state": 0}


def classifier(n_components=10, **settings):
    return SupervisedDictionaryClassifier(n_components, **QUICK | settings)


def regressor(**settings):
    return SupervisedDictionaryRegressor(8, **QUICK | settings)


FORMULATIONS = {
    "bilinear": {"head": "bilinear"},
    "fit_linear": {"fit_linear": True},
    "projected": {"n_projected": 9},
    "all": {"head": "bilinear", "fit_linear": True, "n_projected": 9, "split_sign": True},
    "dropout": {"dropout": 0.4},
    "mairal": {"learning_rate": "mairal"},
}
ONE_EACH = {
    "ovr": {"multi_class": "ovr"},
    "ovr_all": {"multi_class": "ovr", "fit_linear": True, "n_projected": 9, "split_sign": True},
    "ovr_softmax": {"multi_class": "ovr", "loss": "softmax", "label_smoothing": 0.1},
}


@pytest.mark.parametrize(
    "settings", (FORMULATIONS | ONE_EACH).values(), ids=FORMULATIONS | ONE_EACH
)
def test_a_classifier_of_every_formulation(settings):
    model = classifier(**settings).fit(X[:300], Y[:300])
    assert model.score(X[300:], Y[300:]) > 0.85
    probability = model.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert (probability.argmax(axis=1) == model.decision_function(X).argmax(axis=1)).all()
    code = model.transform(X)
    assert code.shape == (400, len(model.get_feature_names_out()))
    assert model.inverse_transform(code).shape == X.shape
    # scores in float32, and on single signals, are the same
    small = classifier(**settings | {"max_iter": 1}).fit(X[:300].astype(np.float32), Y[:300])
    assert small.components_.dtype == small.coef_.dtype == np.float32
    one = np.concatenate([model.decision_function(X[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(one, model.decision_function(X[:5]), rtol=1e-6, atol=1e-9)
    # going on starts from there
    warm = model.set_params(warm_start=True, max_iter=2).fit(X[:300], Y[:300])
    assert warm.score(X[300:], Y[300:]) > 0.8


@pytest.mark.parametrize("settings", FORMULATIONS.values(), ids=FORMULATIONS)
def test_a_regressor_of_every_formulation(settings):
    coarse = X.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    target = np.column_stack([k == Y for k in range(4)]) * 100.0 + 7.0
    model = regressor(**settings).fit(coarse[:300], target[:300])
    assert model.score(coarse[300:], target[300:]) > 0.3
    moved = regressor(**settings).fit(coarse[:300], 3 * target[:300] - 1)
    expected = 3 * model.predict(coarse) - 1
    np.testing.assert_allclose(moved.predict(coarse), expected, rtol=1e-6, atol=1e-5)


def test_scores_are_those_of_the_published_head():
    prior = ElasticNet(lam=0.3, lam2=0.1)
    model = classifier(prior=prior, fit_linear=True, n_projected=9).fit(X, Y)
    code = encode(X @ model.projection_.T, model.components_, prior=prior).code
    scores = code @ model.coef_.T + X @ model.linear_coef_.T + model.intercept_
    np.testing.assert_allclose(model.decision_function(X), scores, rtol=1e-6, atol=1e-8)
    assert np.linalg.norm(model.projection_, axis=1).max() <= 1 + 1e-12
    model = classifier(prior=prior, head="bilinear").fit(X, Y)
    code = encode(X, model.components_, prior=prior).code
    scores = np.einsum("im,kpm,ip->ik", X, model.coef_, code) + model.intercept_
    np.testing.assert_allclose(model.decision_function(X), scores, rtol=1e-6, atol=1e-8)


def test_one_dictionary_for_each_class_is_that_many_problems_side_by_side():
    prior = ElasticNet(lam=0.3, lam2=0.1)
    model = classifier(prior=prior, multi_class="ovr").fit(X, Y)
    assert model.components_.shape == (40, 64)
    assert model.coef_.shape == (4, 10)
    code = model.transform(X)
    for k in range(4):
        atoms = model.components_[10 * k : 10 * (k + 1)]
        own = encode(X, atoms, prior=prior).code
        np.testing.assert_allclose(code[:, 10 * k : 10 * (k + 1)], own, atol=1e-7)
        score = own @ model.coef_[k] + model.intercept_[k]
        np.testing.assert_allclose(model.decision_function(X)[:, k], score, atol=1e-6)
    # without labels all start alike; labels draw them apart
    first = model.initial_components_.reshape(4, 10, 64)
    np.testing.assert_array_equal(first[0], first[3])
    assert np.abs(model.components_[:10] - model.components_[10:20]).max() > 0.01


def test_two_classes_have_one_score_and_one_dictionary():
    shared, own = classifier().fit(X, Y > 1), classifier(multi_class="ovr").fit(X, Y > 1)
    np.testing.assert_array_equal(shared.components_, own.components_)
    np.testing.assert_array_equal(shared.predict(X), own.predict(X))


def test_a_linear_path_alone_does_what_codes_cannot():
    # targets that are linear in signals, of six directions, and codes of two atoms
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(300, 20))
    target = Z @ rng.normal(size=(20, 6))
    plain, path = (
        SupervisedDictionaryRegressor(2, fit_linear=fit, **QUICK | {"max_iter": 30})
        for fit in (False, True)
    )
    assert plain.fit(Z[:200], target[:200]).score(Z[200:], target[200:]) < 0.5
    assert path.fit(Z[:200], target[:200]).score(Z[200:], target[200:]) > 0.95


class Poisson:
    """A custom loss: counts with mean exp(score)."""

    @staticmethod
    def value(scores, target):
        return (np.exp(scores) - target * scores).sum(axis=1)

    @staticmethod
    def gradient(scores, target):
        return np.exp(scores) - target


@pytest.mark.numpy_alone("its loss takes arrays of NumPy")
def test_a_custom_loss():
    model = regressor(loss=Poisson()).fit(X, Y.astype(float))
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    mine, known = classifier(loss=Softmax()).fit(X, Y), classifier().fit(X, Y)
    np.testing.assert_array_equal(mine.predict_proba(X), known.predict_proba(X))
    assert not hasattr(classifier(loss=Poisson()).fit(X, Y), "predict_proba")


def test_smoothing_keeps_scores_small():
    prior = ElasticNet(lam=0.2, lam2=0.1, positive=True)
    plain = classifier(max_iter=15, prior=prior).fit(X, Y)
    smooth = classifier(max_iter=15, prior=prior, label_smoothing=0.2).fit(X, Y)
    assert smooth.score(X, Y) > 0.97
    sizes = [np.abs(m.decision_function(X)).mean() for m in (smooth, plain)]
    assert sizes[0] < 0.7 * sizes[1]


def test_a_dead_atom_starts_again():
    dead = np.zeros((8, 64))
    dead[:4] = X[:4] / np.linalg.norm(X[:4], axis=1, keepdims=True)
    prior = ElasticNet(lam=0.5, lam2=0.1)
    settings = {"prior": prior, "init": dead, "init_max_iter": 0, "max_iter": 8}
    model = classifier(8, **settings).fit(X, Y)
    assert (model.transform(X) != 0).any(axis=0).all()
    assert (np.linalg.norm(model.components_, axis=1) > 0.5).all()


def test_lam2_rises_where_atoms_of_a_code_depend_on_each_other():
    angle = 1e-3
    pair = np.zeros((2, 64))
    pair[0, 0] = 1.0
    pair[1, :2] = np.cos(angle), np.sin(angle)
    rng = np.random.default_rng(0)
    signals = rng.uniform(1.0, 2.0, size=(200, 2)) @ pair
    signals = signals + 0.02 * np.linalg.pinv(pair).sum(axis=1)
    target = (signals @ np.linalg.pinv(pair))[:, 0]
    model = SupervisedDictionaryRegressor(2, prior=ElasticNet(lam=1e-4), init=pair, **QUICK)
    with pytest.warns(UserWarning, match=r"lam2 raised from 0 to 0\.01") as caught:
        model.fit(signals, target)
    assert len(caught) == 1
    assert model.prior_.lam2 == 0.01
    assert model.prior.lam2 == 0.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head": "bilinear", "multi_class": "ovr"}, "multi_class='shared'"),
        ({"n_projected": 5, "transfer": "softmax"}, "transfer='linear'"),
    ],
)
def test_formulations_that_make_no_sense_together(settings, message):
    signals = X + 0.1 if settings.get("transfer") else X
    signals = np.abs(signals) / np.abs(signals).sum(axis=1, keepdims=True)
    with pytest.raises(ValueError, match=message):
        classifier(**settings).fit(signals, Y)


@pytest.mark.parametrize(
    ("name", "value"),
    [("fit_linear", True), ("head", "bilinear"), ("n_projected", 5), ("split_sign", True)],
)
def test_what_cannot_change_between_warm_starts(name, value):
    model = classifier(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match=f"{name} must be"):
        model.set_params(**{name: value}).fit(X, Y)


def test_a_stream_has_no_end_to_plan_for():
    with pytest.raises(ValueError, match=r"learning_rate='mairal'.*partial_fit"):
        classifier(learning_rate="mairal").partial_fit(X, Y)
