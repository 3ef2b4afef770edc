"""What defaults choose on held-out samples: preparation of signals, linear path, ridges, rate."""

import warnings

import numpy as np
import pytest
from learners import digits, unsupervised
from scipy.sparse import csr_matrix
from sklearn.datasets import load_wine, make_circles
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from skdict_sup import (
    ElasticNet,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    encode,
)
from skdict_sup.supervised import choices

QUICK = {"n_components": 8, "max_iter": 2, "init_max_iter": 1, "random_state": 0}
PREPARED = {"standardise": True, "fit_offset": True}
PATHS = {"fit_linear": True, "learning_rate": 0.16}
rng = np.random.default_rng(0)
X = rng.normal(size=(80, 5)) * [1, 4, 0.25, 8, 1] + [0, 1, 3, 0, -2]
Y = X[:, :1] + np.abs(X[:, 1:2])
CLASSES = (Y[:, 0] > 3).astype(int)


def regressor(**options):
    return SupervisedDictionaryRegressor(**QUICK | options)


def classifier(**options):
    return SupervisedDictionaryClassifier(**QUICK | options)


def test_predictions_are_those_of_the_public_attributes():
    model = regressor(**PREPARED, **PATHS).fit(X, Y)
    np.testing.assert_allclose(model.mean_, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(model.scale_, X.std(axis=0), rtol=1e-12)
    assert model.components_.shape == (8, 5)
    atoms = np.column_stack([model.components_, model.offset_components_])
    assert (np.linalg.norm(atoms, axis=1) <= 1 + 1e-12).all()
    signals = np.column_stack([(X - model.mean_) / model.scale_, np.ones(len(X))])
    code = encode(signals, atoms, prior=model.prior_).code
    np.testing.assert_allclose(model.transform(X), code, atol=1e-9)
    expected = code @ model.coef_.T + X @ model.linear_coef_.T + model.intercept_
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-9)
    restored = code @ model.components_ * model.scale_ + model.mean_
    np.testing.assert_allclose(model.inverse_transform(code), restored, atol=1e-9)


@pytest.mark.parametrize("options", [{}, {"mu": 0.3}, {"learning_rate": "auto"}])
def test_standardised_fits_do_not_depend_on_the_scales_of_features(options):
    powers = 2.0 ** np.array([3, -5, 0, 7, -1])  # products with which are exact
    options = {"standardise": True, "fit_linear": True} | options
    plain, scaled = regressor(**options).fit(X, Y), regressor(**options).fit(X * powers, Y)
    np.testing.assert_array_equal(scaled.components_, plain.components_)
    np.testing.assert_array_equal(scaled.transform(X * powers), plain.transform(X))
    np.testing.assert_allclose(scaled.predict(X * powers), plain.predict(X), rtol=1e-12)


def test_a_fit_prepares_signals_as_by_hand():
    signals = np.column_stack([(X - X.mean(axis=0)) / X.std(axis=0), np.ones(len(X))])
    options = {"learning_rate": 0.16, "fit_linear": False}
    by_hand = {"standardise": False, "fit_offset": False}
    prior = ElasticNet(lam=0.3, lam2=0.1, positive=True)
    expected = classifier(prior=prior, **by_hand, **options).fit(signals, CLASSES)
    found = classifier(prior=prior, **PREPARED, **options).fit(X, CLASSES)
    scores = found.decision_function(X)
    np.testing.assert_allclose(scores, expected.decision_function(signals), atol=1e-6)
    np.testing.assert_allclose(found.components_, expected.components_[:, :-1], atol=1e-6)


def test_sparse_signals_are_scaled_without_being_centred():
    sparse = csr_matrix(np.abs(X) * (rng.random(X.shape) < 0.5))
    model = regressor(**PREPARED, **PATHS).fit(sparse, Y)
    assert not hasattr(model, "mean_")
    np.testing.assert_allclose(model.scale_, (sparse.toarray() ** 2).mean(axis=0) ** 0.5)
    signals = np.column_stack([sparse.toarray() / model.scale_, np.ones(len(X))])
    atoms = np.column_stack([model.components_, model.offset_components_])
    code = encode(signals, atoms, prior=model.prior_).code
    np.testing.assert_allclose(model.transform(sparse), code, atol=1e-9)
    assert not regressor().fit(sparse, Y).fitted_choices_["standardise"]


def test_missing_entries_are_missing_from_statistics_and_codes():
    missing = X.copy()
    missing[::3, 1] = np.nan
    model = regressor(**PREPARED, allow_nan=True, learning_rate=0.16).fit(missing, Y)
    np.testing.assert_allclose(model.mean_, np.nanmean(missing, axis=0), rtol=1e-12)
    np.testing.assert_allclose(model.scale_, np.nanstd(missing, axis=0), rtol=1e-12)
    signals = np.column_stack([(missing - model.mean_) / model.scale_, np.ones(len(X))])
    atoms = np.column_stack([model.components_, model.offset_components_])
    code = encode(np.nan_to_num(signals), atoms, prior=model.prior_, mask=np.isfinite(signals))
    np.testing.assert_allclose(model.transform(missing), code.code, atol=1e-9)


def test_augmentation_sees_signals_in_their_own_units():
    seen = []

    def augment(batch, rng):
        seen.append(batch)
        return batch

    options = {"learning_rate": 0.16} | PREPARED
    changed = classifier(augment=augment, **options).fit(X, CLASSES)
    assert {row.tobytes() for row in np.concatenate(seen)} <= {row.tobytes() for row in X}
    plain = classifier(**options).fit(X, CLASSES)
    np.testing.assert_array_equal(changed.components_, plain.components_)


@pytest.mark.parametrize("warm", ["warm_start", "partial_fit", "fit_head"])
def test_a_fit_goes_on_with_the_preparation_of_the_first(warm):
    model = regressor(**PREPARED, **PATHS, warm_start=warm == "warm_start").fit(X, Y)
    mean = model.mean_
    getattr(model, "fit" if warm == "warm_start" else warm)(X[:40], Y[:40])
    np.testing.assert_array_equal(model.mean_, mean)
    atoms = np.column_stack([model.components_, model.offset_components_])
    signals = np.column_stack([(X - mean) / model.scale_, np.ones(len(X))])
    np.testing.assert_allclose(
        model.transform(X), encode(signals, atoms, prior=model.prior_).code, atol=1e-9
    )
    for name in ("standardise", "fit_offset", "fit_linear"):
        changed = regressor(**{**PREPARED, **PATHS, name: False, "warm_start": True})
        changed.__dict__ |= {k: v for k, v in vars(model).items() if k.endswith("_")}
        changed._training, changed._targets = model._training, model._targets
        with pytest.raises(ValueError, match=f"{name} must be True to continue learning"):
            changed.fit(X, Y)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"standardise": True, "transfer": "softmax"}, "transfer='linear'"),
        ({"fit_offset": True, "transfer": "softmax"}, "transfer='linear'"),
        ({"standardise": True, "head": "bilinear"}, "head='linear'"),
        ({"fit_offset": True, "n_projected": 2}, "n_projected=None"),
    ],
)
def test_preparations_that_do_not_fit_are_refused(options, expected):
    with pytest.raises(ValueError, match=expected):
        regressor(**options).fit(np.abs(X) / np.abs(X).sum(axis=1, keepdims=True), Y)


def test_linear_data_are_predicted_as_well_as_by_a_linear_model():
    signals = rng.normal(size=(160, 12))
    y = signals @ rng.normal(size=12) + 0.1 * rng.normal(size=160)
    model = SupervisedDictionaryRegressor(20, random_state=0, max_iter=10)
    model.fit(signals[:100], y[:100])
    assert model.fitted_choices_["fit_linear"] is True
    linear = Ridge().fit(signals[:100], y[:100]).score(signals[100:], y[100:])
    assert model.score(signals[100:], y[100:]) > linear - 0.01


def test_features_of_unlike_scale_are_standardised():
    signals, y = load_wine(return_X_y=True)
    model = SupervisedDictionaryClassifier(20, random_state=0, max_iter=10)
    model.fit(signals[::2], y[::2])
    assert model.fitted_choices_["standardise"] is True
    assert model.score(signals[1::2], y[1::2]) > 0.9


def test_circles_need_a_constant_feature():
    signals, y = make_circles(200, noise=0.05, factor=0.4, random_state=0)
    model = SupervisedDictionaryClassifier(20, random_state=0, max_iter=10).fit(signals, y)
    again = SupervisedDictionaryClassifier(20, random_state=0, max_iter=10).fit(signals, y)
    assert model.fitted_choices_ == again.fitted_choices_
    np.testing.assert_array_equal(model.components_, again.components_)
    assert model.score(signals, y) > 0.98


def test_few_labels_are_used_as_well_as_by_a_linear_model():
    prototypes, y = rng.normal(size=(10, 30)), np.arange(230) % 10
    signals = prototypes[y] + 1.5 * rng.normal(size=(230, 30))
    model = SupervisedDictionaryClassifier(40, random_state=0).fit(signals[:30], y[:30])
    linear = LogisticRegression(max_iter=1000).fit(signals[:30], y[:30])
    assert model.score(signals[30:], y[30:]) > linear.score(signals[30:], y[30:]) - 0.03


def test_what_users_give_in_units_of_the_signals_stays_so():
    for options in (
        {"prior": ElasticNet(lam=0.3, lam2=0.1, positive=True)},
        {"init": rng.normal(size=(8, 5))},
        {"max_nonzeros": 3, "prior": ElasticNet(lam2=0.1)},
        {"positive_dictionary": True},
        {"n_projected": 3},
    ):
        found = regressor(**options, max_iter=10).fit(X, Y).fitted_choices_
        assert not found["standardise"]
        assert not found["fit_offset"]


def test_streams_choose_nothing():
    model = regressor().partial_fit(X, Y)
    expected = {"standardise": False, "fit_offset": False, "fit_linear": False}
    assert model.fitted_choices_.items() >= expected.items()
    assert regressor(**PREPARED).partial_fit(X, Y).scale_.shape == (5,)


def test_choices_are_shown_and_named_only_where_they_are_open():
    model = classifier(standardise=False, fit_linear=True, learning_rate=0.16).fit(X, CLASSES)
    assert set(model.fitted_choices_) == {"fit_offset", "nu", "lam"}
    assert model.fitted_choices_["nu"] == model.nu_
    assert "fitted_choices_" in estimator_html_repr(model)


def test_init_of_a_user_has_no_entry_for_the_constant():
    init = rng.normal(size=(8, 5))
    start = {"init": init, "init_max_iter": 0, "fit_offset": True}
    model = regressor(**start, learning_rate=1e-9, max_iter=1).fit(X, Y)
    unit = init / np.maximum(np.linalg.norm(init, axis=1, keepdims=True), 1)
    np.testing.assert_allclose(model.components_, unit, atol=1e-6)
    np.testing.assert_allclose(model.offset_components_, 0, atol=1e-6)


def test_digits_in_float32_stay_in_float32():
    signals, y = digits(n_classes=3)
    model = classifier(**PREPARED, **PATHS).fit(signals.astype(np.float32), y)
    names = ("components_", "coef_", "linear_coef_", "mean_", "scale_", "offset_components_")
    assert {getattr(model, name).dtype for name in names} == {np.dtype(np.float32)}


def test_trials_have_the_ridges_that_a_fit_would_choose(monkeypatch):
    ridges, original = [], choices.trial

    def trial(trainer, rate, train, held_out, state, settings, rng, n_epochs):
        ridges.append(settings.nu * train.weight.sum())
        return original(trainer, rate, train, held_out, state, settings, rng, 0)

    monkeypatch.setattr(choices, "trial", trial)
    noise = np.random.default_rng(1).normal(size=len(X))  # which calls for large ridges
    regressor(max_iter=10, learning_rate=0.16, fit_linear=False).fit(X, noise)
    assert len(ridges) > 4
    assert min(ridges) > 9


@pytest.mark.parametrize(
    "options", [{}, {"max_iter": 12, "prior": ElasticNet(lam=1.0, lam2=0.1, positive=True)}]
)
def test_features_of_unlike_scales_are_never_left_without_a_word(options):
    table, y = load_wine(return_X_y=True)
    with pytest.warns(UserWarning, match="unlike scales.*standardise=True.*StandardScaler"):
        classifier(**options).fit(table, y)


@pytest.mark.parametrize(
    "learn",
    [
        lambda table, y: classifier().partial_fit(table, y),
        lambda table, y: unsupervised().fit(table),
        lambda table, y: unsupervised().partial_fit(table),
    ],
    ids=["stream", "unsupervised", "unsupervised_stream"],
)
def test_where_nothing_is_tried_unlike_scales_are_told_of_once(learn):
    table, y = load_wine(return_X_y=True)
    with pytest.warns(UserWarning, match="unlike scales.*StandardScaler") as caught:
        model = learn(table, y)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if hasattr(model, "classes_"):
            model.partial_fit(table, y)  # the scales were told of at the first call
        learn(StandardScaler().fit_transform(table), y)


@pytest.mark.parametrize(
    "scales", [[1, 1e4], [1, 1, 1, 1e5, 1e5, 1e5], [1, 1e3, 1e3, 1e3, 1e3], [1] * 9 + [1e4] * 3]
)
def test_groups_of_features_in_other_units_are_told_of(scales):
    table = np.random.default_rng(0).normal(size=(60, len(scales))) * scales
    with pytest.warns(UserWarning, match="unlike scales, by factors of more than 30"):
        unsupervised().fit(table)


def test_pixels_that_are_seldom_used_are_no_other_units():
    pixels = np.random.default_rng(0).normal(size=(60, 64)) * np.geomspace(1e-2, 1, 64)
    pixels[:, :3] *= 1e-3
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Features have unlike")
        unsupervised().fit(pixels)


@pytest.mark.parametrize("options", [{"standardise": False}, {"standardise": True}])
def test_what_is_said_about_scales_is_not_questioned(options):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Features have unlike")
        classifier(**options).fit(*load_wine(return_X_y=True))
        classifier().fit(X, CLASSES)
