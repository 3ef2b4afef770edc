"""PatchRegressor: regressions of patches, put together to images."""

import pickle

import numpy as np
import pytest
from pictures import as_bytes, picture
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV

from skdict_sup import SupervisedDictionaryRegressor
from skdict_sup._array import namespace
from skdict_sup.image import PatchRegressor
from skdict_sup.image.degradations import add_noise, blur

CLEAN = [picture((24, 30), seed) for seed in range(3)]
BLURRED = [blur(image, sigma=1.0) for image in CLEAN]


class Copy(RegressorMixin, BaseEstimator):
    """Regressor of colour patches whose predictions are their first three channels."""

    def fit(self, X, y):
        self.n_pixels_ = y.shape[1] // 3
        return self

    def predict(self, X):
        return X.reshape(len(X), self.n_pixels_, -1)[:, :, :3].reshape(len(X), -1)


class _Means(RegressorMixin, BaseEstimator):
    """Regressor of any array library that predicts the mean target."""

    def fit(self, X, y):
        self.mean_ = namespace(y).mean(y, axis=0, keepdims=True)
        return self

    def predict(self, X):
        return self.mean_ + 0 * X


def _dictionary(n_components, **parameters):
    """Supervised dictionary whose learning rate needs no trial."""
    defaults = {"learning_rate": 0.16, "max_iter": 1, "random_state": 0}
    return SupervisedDictionaryRegressor(n_components, **{**defaults, **parameters})


def ridge(**parameters):
    return PatchRegressor(Ridge(0.1), **{"patch_size": 5, "random_state": 0, **parameters})


def mean_squares(images, others):
    return np.mean([np.mean((a - b) ** 2) for a, b in zip(images, others, strict=True)])


@pytest.mark.parametrize("stride", [1, 2, (3, 5)])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("n_stages", [1, 3])
def test_a_regressor_that_copies_gives_the_image_back(stride, center, n_stages):
    model = PatchRegressor(Copy(), patch_size=5, stride=stride, center=center, n_stages=n_stages)
    image = picture((13, 14, 3))
    found = model.fit(image, image).predict(image)
    np.testing.assert_allclose(found, image, atol=1e-14)


def test_the_inner_part_of_a_larger_patch_is_predicted():
    """Least squares finds the copy of the pixels in the middle, which is linear."""
    model = PatchRegressor(
        LinearRegression(), patch_size=(7, 6), output_patch_size=(3, 2), center=False
    )
    noise = [np.random.default_rng(seed).random((26, 25)) for seed in range(3)]
    model.fit(noise, noise)
    np.testing.assert_allclose(model.predict(noise[0]), noise[0], atol=1e-10)


def test_predictions_are_window_weighted_means_of_those_of_patches():
    model = ridge(output_patch_size=3).fit(BLURRED, CLEAN)
    stage, image = model.stages_[0], BLURRED[1]
    window, padded = stage.window, np.pad(image, 1, mode="reflect")
    total, weights = np.zeros(image.shape), np.zeros(image.shape)
    for i in range(22):
        for j in range(28):
            patch = padded[i : i + 5, j : j + 5]
            found = stage.regressor.predict((patch - patch.mean()).reshape(1, -1))
            total[i : i + 3, j : j + 3] += window * (found.reshape(3, 3) + patch.mean())
            weights[i : i + 3, j : j + 3] += window
    np.testing.assert_allclose(model.predict(image), np.clip(total / weights, 0, 1), atol=1e-12)


def test_windows_are_larger_where_predictions_are_better():
    model = ridge().fit(BLURRED, CLEAN)
    window = model.stages_[0].window
    assert window.shape == (5, 5)
    assert window[2, 2] > 1.5 * window[0, 0]
    assert clone(model).set_params(window="equal").fit(BLURRED, CLEAN).stages_[0].window is None


def test_stages_lower_the_error_on_training_images():
    errors = [
        mean_squares(ridge(n_stages=n, patch_size=3).fit(BLURRED, CLEAN).predict(BLURRED), CLEAN)
        for n in (1, 2, 3)
    ]
    assert errors[2] < errors[1] < errors[0] < mean_squares(BLURRED, CLEAN)


def test_the_default_is_better_than_a_linear_model_on_other_images():
    rng = np.random.default_rng(0)
    noisy = [add_noise(image, rng, sigma=0.15) for image in CLEAN]
    other = [picture((24, 30), seed) for seed in (7, 8)]
    inputs = [add_noise(image, rng, sigma=0.15) for image in other]
    scores = [
        PatchRegressor(regressor, patch_size=6, random_state=0)
        .fit(noisy, CLEAN)
        .score(inputs, other)
        for regressor in (Ridge(), _dictionary(24, max_iter=8))
    ]
    assert scores[1] > scores[0] + 0.5


def test_a_list_has_a_regressor_for_each_stage():
    model = PatchRegressor([Ridge(0.1), LinearRegression()], patch_size=3, random_state=0)
    model.fit(BLURRED, CLEAN)
    assert [type(stage.regressor) for stage in model.stages_] == [Ridge, LinearRegression]
    first = ridge(patch_size=3).fit(BLURRED, CLEAN)
    np.testing.assert_array_equal(
        model.stages_[0].regressor.coef_, first.stages_[0].regressor.coef_
    )
    assert model.score(BLURRED, CLEAN) > first.score(BLURRED, CLEAN)
    for parameters in ({"n_stages": 3}, {"regressor": []}):
        with pytest.raises(ValueError, match="list of at least one regressor"):
            clone(model).set_params(**parameters).fit(BLURRED, CLEAN)


def test_the_score_is_the_mean_psnr():
    model = ridge().fit(BLURRED, CLEAN)
    found = model.predict(BLURRED)
    squares = [np.mean((a - b) ** 2) for a, b in zip(found, CLEAN, strict=True)]
    expected = np.mean(-10 * np.log10(squares))
    assert model.score(BLURRED, CLEAN) == pytest.approx(expected)


def test_images_come_back_as_they_were_passed():
    model = ridge().fit(BLURRED, CLEAN)
    expected = model.predict(BLURRED)
    assert isinstance(expected, list)
    np.testing.assert_array_equal(model.predict(np.stack(BLURRED)), np.stack(expected))
    np.testing.assert_array_equal(model.predict(BLURRED[0]), expected[0])
    found = model.predict(as_bytes(BLURRED[0]))
    assert found.dtype == np.uint8
    assert np.abs(found - 255 * expected[0]).max() < 8
    assert model.predict(BLURRED[0].astype(np.float32)).dtype == np.float32


def test_integers_are_learned_from_like_floats():
    found = ridge().fit([as_bytes(x) for x in BLURRED], [as_bytes(x) for x in CLEAN])
    expected = ridge().fit(BLURRED, CLEAN)
    difference = found.predict(BLURRED[0]) - expected.predict(BLURRED[0])
    assert np.abs(difference).max() < 0.03


def test_other_libraries_agree_with_numpy(xp):
    regressor = _dictionary(4, init_max_iter=1)
    model = PatchRegressor(regressor, patch_size=4, stride=4, n_patches=64, random_state=0)
    model.fit(BLURRED[:1], CLEAN[:1])
    there = clone(model).fit([xp.asarray(BLURRED[0])], [xp.asarray(CLEAN[0])])
    found = there.predict(xp.asarray(BLURRED[1]))
    assert xp.is_mine(found)
    np.testing.assert_allclose(xp.to_numpy(found), model.predict(BLURRED[1]), atol=1e-6)


def test_clean_images_may_be_of_another_library_and_dtypes_may_differ(xp):
    images = [xp.asarray(BLURRED[0].astype(np.float32)), xp.asarray(BLURRED[1])]
    model = ridge(n_patches=50, symmetries=True).set_params(regressor=_Means())
    model.fit(images, CLEAN[:2])
    assert [xp.to_numpy(x).dtype for x in model.predict(images)] == [np.float32, np.float64]


def test_a_seed_gives_equal_fits_and_pickles_predict():
    regressor = _dictionary(8)
    model = PatchRegressor(regressor, patch_size=4, n_patches=200, symmetries=True, random_state=3)
    found = model.fit(BLURRED, CLEAN).predict(BLURRED[0])
    np.testing.assert_array_equal(clone(model).fit(BLURRED, CLEAN).predict(BLURRED[0]), found)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(BLURRED[0]), found)


def test_symmetries_make_a_linear_filter_symmetric():
    model = ridge(symmetries=True, n_patches=10_000, patch_size=3, output_patch_size=1)
    weights = model.fit(BLURRED * 8, CLEAN * 8).stages_[0].regressor.coef_.reshape(3, 3)
    scale = np.abs(weights).max()
    for other in (weights.T, weights[::-1], weights[:, ::-1]):
        np.testing.assert_allclose(other, weights, atol=0.15 * scale)


def test_grid_search_over_sizes_and_parameters_of_the_regressor():
    regressor = _dictionary(4, init_max_iter=1)
    model = PatchRegressor(regressor, n_patches=100, stride=3, random_state=0)
    grid = {"patch_size": [3, 4], "regressor__n_components": [2, 4]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(BLURRED, CLEAN)
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))
    assert search.predict(BLURRED[0]).shape == BLURRED[0].shape


def test_progress_is_printed(capsys):
    ridge(n_stages=2, verbose=1).fit(BLURRED, CLEAN)
    assert "stage 2: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"patch_size": 25}, "patch_size must be at most the size of each image.*image 0"),
        ({"output_patch_size": 4}, "smaller by an even number"),
        ({"output_patch_size": 7}, "equal to patch_size or smaller"),
        ({"stride": 6}, "stride must be at most the size of the clean patches"),
        ({"n_patches": 0}, "n_patches must be an integer >= 1"),
        ({"n_stages": 1.5}, "n_stages must be an integer >= 1"),
        ({"window": "gaussian"}, "window must be one of"),
        ({"center": "mean"}, "center must be True or False"),
        ({"patch_size": (4, 5), "symmetries": True}, "symmetries=True requires square patches"),
    ],
)
def test_wrong_parameters_are_refused_and_a_fit_stays(parameters, message):
    model = ridge().fit(BLURRED, CLEAN)
    before = dict(vars(model))
    model.set_params(**parameters)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(BLURRED, CLEAN)
    assert model.stages_ is before["stages_"]


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (BLURRED, CLEAN[:2], "3 images in X and 2 in y"),
        (
            BLURRED,
            [*CLEAN[:2], CLEAN[2][1:]],
            r"equal shapes, got \(24, 30, 1\) and \(23, 30, 1\)",
        ),
        ([np.ones((9, 9)), np.ones((9, 9, 3))], [np.ones((9, 9)), np.ones((9, 9, 3))], "channels"),
        ([], [], "at least one image"),
        ("image.png", CLEAN, "X must be an image, or a list or stack"),
        (np.ones(9), np.ones(9), r"got an array of shape \(9,\)"),
        (255 * BLURRED[0], CLEAN[0], "white at one.*got magnitudes up to 2.*divide"),
        (BLURRED[0], 16 * CLEAN[0], r"y must have values in \[0, 1\].* got 1.* to 1"),
        (
            8 * BLURRED[0] - 7.5,
            8 * CLEAN[0] - 7.5,
            r"got -.*; scale X and y, as by \(y \+ 1\) / 2",
        ),
        (BLURRED[0][::2, ::2], CLEAN[0], r"equal shapes, .*enlarge those of X first"),
        ([np.full((9, 9), np.nan)], [np.ones((9, 9))], "NaN"),
    ],
)
def test_images_that_do_not_fit_are_refused(X, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        ridge().fit(X, y)


def test_predictions_need_a_fit_and_images_like_those_of_the_fit():
    with pytest.raises(NotFittedError):
        ridge().predict(BLURRED)
    model = ridge().fit(BLURRED, CLEAN)
    with pytest.raises(ValueError, match=r"1 channel\(s\), got 3"):
        model.predict(picture((9, 9, 3)))
    with pytest.raises(ValueError, match="patch_size must be at most"):
        model.predict(picture((9, 4)))
