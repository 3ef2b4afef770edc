"""What new users get wrong, or expect: messages that name the cure, and what is accepted."""

import numpy as np
import pytest
from learners import digits

from skdict_sup import (
    LISTAEncoder,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    encode,
)
from skdict_sup.augment import Compose, GaussianNoise
from skdict_sup.losses import Square

X, Y = digits(150, n_classes=3)
NAMES = np.array(["one", "two", "three"])[Y]
UNKNOWN = np.arange(len(Y)) % 3 == 0


def classifier(**settings):
    quick = {"max_iter": 1, "init_max_iter": 1, "learning_rate": 0.1, "random_state": 0}
    return SupervisedDictionaryClassifier(5).set_params(**quick | settings)


# --- samples without a label among strings ----------------------------------------------------


def test_the_number_minus_one_among_strings_is_no_label():
    mixed = np.where(UNKNOWN, -1, NAMES.astype(object))
    model = classifier(mu=0.3).fit(X, mixed)
    # the order of the classes is that of the names, for numbers too
    numbers = np.where(UNKNOWN, -1, np.unique(NAMES, return_inverse=True)[1])
    expected = classifier(mu=0.3).fit(X, numbers)
    assert list(model.classes_) == ["one", "three", "two"]
    np.testing.assert_array_equal(model.components_, expected.components_)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert model.score(X, NAMES) == expected.score(X, np.unique(NAMES, return_inverse=True)[1])
    model.partial_fit(X, mixed)


@pytest.mark.parametrize("kind", [object, str])
def test_the_string_minus_one_is_an_error_that_names_the_cure(kind):
    y = np.where(UNKNOWN, "-1", NAMES).astype(kind)
    with pytest.raises(ValueError, match=r"number -1, got the string '-1'; .*astype\(object\)"):
        classifier(mu=0.3).fit(X, y)
    cured = np.where(y == "-1", -1, y.astype(object))
    assert list(classifier(mu=0.3).fit(X, cured).classes_) == ["one", "three", "two"]
    with pytest.warns(UserWarning, match="'-1' beside 3 other labels, .*mu above 0"):
        classifier().fit(X, y)


def test_labels_of_several_types_are_refused():
    mixed = np.where(UNKNOWN, -1, NAMES.astype(object))
    with pytest.raises(ValueError, match=r"of one type, got int and str; .* mu above 0"):
        classifier().fit(X, mixed)
    with pytest.raises(ValueError, match=r"of one type, got int and str\.$"):
        classifier(mu=0.3).fit(X, np.where(UNKNOWN, 7, NAMES.astype(object)))
    with pytest.raises(ValueError, match="only -1"):
        classifier(mu=0.3).fit(X, np.full(len(X), -1, object))
    with pytest.raises(ValueError, match="of one type"):
        LISTAEncoder(X[:4], loss="softmax").fit(X, mixed)


# --- augmentation -----------------------------------------------------------------------------


def test_a_class_in_place_of_an_augmentation_is_refused():
    with pytest.raises(TypeError, match=r"augment .* class GaussianNoise; .*Noise\(\.\.\.\)"):
        classifier(augment=GaussianNoise).fit(X, Y)
    with pytest.raises(TypeError, match=r"class GaussianNoise at position 1; .*Noise\(\.\.\.\)"):
        Compose([GaussianNoise(), GaussianNoise])


def test_an_augmentation_that_returns_nothing_is_refused():
    def in_place(batch, rng):
        batch += rng.normal(size=batch.shape)

    with pytest.raises(TypeError, match="augment must return the changed signals, got None"):
        classifier(augment=in_place).fit(X.copy(), Y)
    steps = Compose([GaussianNoise(), in_place])
    with pytest.raises(TypeError, match="got None from step 1"):
        classifier(augment=steps).fit(X, Y)


def test_steps_of_a_composition_come_as_a_list_or_one_by_one():
    first, second = GaussianNoise(0.1), GaussianNoise(0.2)
    assert Compose(first, second) == Compose([first, second]) == Compose((first, second))
    assert Compose(first) == Compose([first])
    with pytest.raises(TypeError, match=r"got 0\.1 at position 1"):
        Compose(first, 0.1)


# --- grids over lam ---------------------------------------------------------------------------


def test_fractions_of_lam_max_leave_the_preparation_to_be_chosen():
    scaled = X[:, 20:40] * np.geomspace(1e-3, 1e3, 20)  # features in unlike units
    model = classifier(max_iter=10, fit_offset=False, prior__lam="0.1*lam_max").fit(scaled, Y)
    assert model.fitted_choices_["standardise"] is True
    with pytest.warns(UserWarning, match="unlike scales"):
        model.set_params(prior__lam=3.0).fit(scaled, Y)
    assert model.fitted_choices_["standardise"] is False


# --- shapes, names and arguments --------------------------------------------------------------


class ColumnOfValues(Square):
    def value(self, scores, target):
        return super().value(scores, target)[:, None]


class GradientWithoutColumns(Square):
    def gradient(self, scores, target):
        return super().gradient(scores, target)[:, 0]


@pytest.mark.parametrize("make", [SupervisedDictionaryRegressor, SupervisedDictionaryClassifier])
def test_a_loss_of_the_wrong_shape_is_refused_before_the_first_epoch(make):
    def never(batch, rng):
        raise AssertionError("training has begun")

    model = make(5, augment=never, max_iter=1, random_state=0)
    with pytest.raises(ValueError, match=r"loss\.value must .* \(n_samples,\), got \(2, 1\)"):
        model.set_params(loss=ColumnOfValues()).fit(X, Y)
    with pytest.raises(ValueError, match=r"loss\.gradient must return .* n_outputs\), got \(2,\)"):
        model.set_params(loss=GradientWithoutColumns()).fit(X, Y)


def test_the_solvers_that_may_be_chosen_include_the_greedy_one():
    with pytest.raises(ValueError, match=r"solver must be one of \[.*'omp'.*\], got 'lars'"):
        encode(X, X[:5], solver="lars")


def test_a_transposed_dictionary_is_recognised():
    transposed = X[:5].T
    for call in (lambda: encode(X, transposed), lambda: SparseCoder(transposed).fit(X)):
        with pytest.raises(ValueError, match=r"atoms are rows: pass dictionary\.T\.$"):
            call()
    with pytest.raises(ValueError, match=r"for X with 64 features\.$"):
        encode(X, X[:5, :9])


@pytest.mark.parametrize("make", [SupervisedDictionaryRegressor, SupervisedDictionaryClassifier])
def test_a_supervised_fit_without_y_names_the_estimator(make):
    with pytest.raises(ValueError, match=f"^{make.__name__} requires y to be passed"):
        make().fit(X)


def test_images_are_to_be_made_rows():
    images = X.reshape(len(X), 8, 8)
    for call in (
        lambda: OnlineDictionaryLearning().fit(images),
        lambda: classifier().fit(images, Y),
        lambda: encode(images, X[:5]),
    ):
        with pytest.raises(ValueError, match=r"\(150, 8, 8\); .*X\.reshape\(len\(X\), -1\)"):
            call()
