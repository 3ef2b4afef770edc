"""What the estimators of images have in common: fitted sizes, moving, storage and warnings."""

import pickle
import warnings

import numpy as np
import pytest
from pictures import picture
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer

from skdict_sup import OnlineDictionaryLearning, SupervisedDictionaryRegressor, to_device
from skdict_sup.image import DictionaryDenoiser, DictionaryInpainter, PatchRegressor, _restorer

CLEAN = picture((24, 30), 2)
HOLED = CLEAN.copy()
HOLED[3:20:4, ::3] = np.nan
SMALL = {"patch_size": 5, "stride": 2, "n_patches": 200, "random_state": 0}
ESTIMATORS = {
    "regressor": PatchRegressor(
        SupervisedDictionaryRegressor(6, max_iter=1, init_max_iter=1, random_state=0), **SMALL
    ),
    "denoiser": DictionaryDenoiser(30, sigma=0.05, max_iter=1, **SMALL),
    "inpainter": DictionaryInpainter(30, start="nearest", max_iter=1, **SMALL),
}
each = pytest.mark.parametrize("name", ESTIMATORS)


def fitted(name):
    model = clone(ESTIMATORS[name])
    return model.fit(HOLED) if name == "inpainter" else model.fit(CLEAN, CLEAN)


def restored(model, image=None):
    image = HOLED if isinstance(model, DictionaryInpainter) and image is None else image
    image = CLEAN if image is None else image
    return getattr(model, "predict" if hasattr(model, "predict") else "transform")(image)


@each
def test_a_fit_keeps_its_size_of_patches(name):
    model = fitted(name)
    expected = restored(model)
    model.set_params(patch_size=7)
    np.testing.assert_array_equal(restored(model), expected)
    model.set_params(stride=6)
    with pytest.raises(ValueError, match=r"stride must be at most .*, 5 x 5 pixels, .* got 6 x 6"):
        restored(model)


@each
def test_a_gray_image_may_have_an_axis_of_one_channel(name):
    model, image = fitted(name), HOLED if name == "inpainter" else CLEAN
    found = restored(model, image[..., None])
    np.testing.assert_array_equal(found, restored(model, image)[..., None])
    again = clone(model).fit(
        image[..., None], *([CLEAN[..., None]] if name == "regressor" else ())
    )
    np.testing.assert_array_equal(restored(again, image), restored(model, image))


@each
def test_a_message_says_that_channels_come_last(name):
    images = np.stack([CLEAN] * 3)[None]
    pairs = (images, images) if name == "regressor" else (images,)
    with pytest.raises(ValueError, match=r"of 3 x 24 pixels; channels come last: .*moveaxis"):
        clone(ESTIMATORS[name]).fit(*pairs)


@each
def test_moved_estimators_restore_the_same_images(name, xp):
    model = fitted(name)
    moved = to_device(model, xp.module)
    image = xp.asarray(HOLED if name == "inpainter" else CLEAN)
    found = restored(moved, image)
    assert xp.is_mine(found)
    np.testing.assert_allclose(xp.to_numpy(found), restored(model), atol=1e-8)


@each
def test_files_of_another_version_are_loaded_with_a_warning(name):
    state = fitted(name).__getstate__() | {"_skdict_sup_version": "9.9.0"}
    other = object.__new__(type(ESTIMATORS[name]))
    with pytest.warns(UserWarning, match=r"newer version of skdict_sup \(9.9.0\)"):
        other.__setstate__(state)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = pickle.loads(pickle.dumps(fitted(name)))
    np.testing.assert_array_equal(restored(other), restored(kept))


@each
def test_switches_may_be_numbers_of_numpy_that_are_true_or_false(name):
    model = fitted(name).set_params(verbose=np.False_)
    np.testing.assert_array_equal(restored(model), restored(fitted(name)))


def test_center_may_be_a_boolean_of_numpy():
    found, expected = (
        PatchRegressor(Ridge(), center=center, **SMALL).fit(CLEAN, CLEAN).predict(CLEAN)
        for center in (np.False_, False)
    )
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["denoiser", "inpainter"])
def test_codes_that_have_not_converged_give_one_warning(name, monkeypatch):
    model, images = fitted(name), [HOLED if name == "inpainter" else CLEAN] * 2
    original = _restorer.solve

    def fails_once(*arguments, **options):
        solution = original(*arguments, **options)
        if solution.residual_norm is not None:
            solution.residual_norm[:] = 0.0
        solution.converged[:] = False
        solution.converged[1:] = True
        return solution

    monkeypatch.setattr(_restorer, "solve", fails_once)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.transform(images)
    (only,) = caught
    assert only.category is ConvergenceWarning
    assert "2 of " in str(only.message)


def test_bounds_out_of_reach_are_no_failure():
    model = DictionaryDenoiser(4, sigma=0.001, max_iter=1, **SMALL).fit(CLEAN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.transform(CLEAN)


@pytest.mark.filterwarnings("ignore:X has no missing pixel")  # as meant
@each
def test_images_may_be_left_without_training_patches(name):
    images = [picture((6, 6), seed) for seed in range(30)]
    model = clone(ESTIMATORS[name]).set_params(n_patches=5)
    assert len(restored(model.fit(images, None if name == "inpainter" else images), images)) == 30


@pytest.mark.parametrize("shape", [(24, 30), (24, 30, 3)])
def test_levels_of_noise_are_those_of_channels_that_are_not_constant(shape):
    noisy = picture(shape, 2) + 0.1 * np.random.default_rng(0).normal(size=shape)
    if len(shape) == 3:
        noisy[:, :, 2] = 0.0
    model = clone(ESTIMATORS["denoiser"]).set_params(sigma=None)
    found = model.fit_transform(noisy)
    assert 0.02 < np.abs(found - noisy)[..., :1].mean() < 0.2
    black = np.zeros(shape)
    np.testing.assert_array_equal(model.transform(black), black)


@pytest.mark.filterwarnings("ignore:X has no missing pixel")  # as meant
def test_results_are_copies_even_where_nothing_was_restored():
    inpainter, denoiser = fitted("inpainter"), fitted("denoiser").set_params(sigma=None)
    for model, image in ((inpainter, CLEAN), (denoiser, np.zeros_like(CLEAN))):
        for given in (image, [image]):
            found = model.transform(given)
            assert not np.shares_memory(found[0], image)
            np.testing.assert_array_equal(found[0] if isinstance(given, list) else found, image)


def test_regressors_of_other_packages_stay_on_the_host(xp):
    image = xp.asarray(CLEAN)
    atoms = OnlineDictionaryLearning(5, max_iter=1, random_state=0)
    for regressor in (Ridge(), make_pipeline(atoms, Ridge())):
        model = PatchRegressor(regressor, **SMALL).fit(CLEAN, CLEAN)
        found = to_device(model, xp.module).predict(image)
        np.testing.assert_allclose(xp.to_numpy(found), model.predict(CLEAN), atol=1e-8)


def test_predictions_warn_once_of_each_kind():
    class Loud(Ridge):
        def predict(self, X):
            warnings.warn(f"{len(X)} of {len(X)} are far", UserWarning, stacklevel=2)
            return super().predict(X)

    model = PatchRegressor(Loud(), window="equal", n_stages=2, **SMALL)
    for call, n in ((lambda: model.fit([CLEAN], [CLEAN]), 1), (lambda: model.predict([CLEAN]), 2)):
        with pytest.warns(UserWarning, match="are far") as caught:
            call()
        assert len(caught) == 1
        assert (f"({n} such warnings.)" in str(caught[0].message)) == (n > 1)


@pytest.mark.parametrize(
    ("regressor", "words"),
    [
        ("ridge", "regressor must be a regressor with the methods fit and predict, .* 'ridge'"),
        (Ridge, "regressor must be a regressor with the methods fit and predict"),
        ([Ridge(), 3], "regressor must be a regressor with the methods fit and predict"),
        (KBinsDiscretizer(), "regressor must be"),
    ],
)
def test_what_is_no_regressor_is_refused_by_name(regressor, words):
    model = PatchRegressor(regressor, **SMALL)
    with pytest.raises((TypeError, ValueError), match=words):
        model.fit(CLEAN, CLEAN)
    assert not hasattr(model, "stages_")


def test_predictions_of_another_size_or_that_are_not_finite_are_refused():
    class Short(Ridge):
        def predict(self, X):
            return super().predict(X)[:, 1:]

    class Lost(Ridge):
        def predict(self, X):
            return np.nan * super().predict(X)

    with pytest.raises(ValueError, match="regressor must predict finite numbers, got NaN"):
        PatchRegressor(Lost(), **SMALL).fit(CLEAN, CLEAN)
    with pytest.raises(ValueError, match=r"predict the 25 entries .* shape \(200, 24\)"):
        PatchRegressor(Short(), **SMALL).fit(CLEAN, CLEAN)


@pytest.mark.parametrize("name", ["denoiser", "inpainter"])
def test_patches_of_one_pixel_are_refused(name):
    model = clone(ESTIMATORS[name]).set_params(patch_size=1, stride=1)
    with pytest.raises(ValueError, match="patch_size must be at least two pixels, got 1"):
        model.fit(CLEAN)


def test_infinite_pixels_need_a_mask():
    with pytest.raises(ValueError, match="X must be finite where pixels are observed"):
        clone(ESTIMATORS["inpainter"]).fit(np.where(CLEAN > 0.7, np.inf, CLEAN))
    assert ESTIMATORS["inpainter"].__sklearn_tags__().input_tags.allow_nan


def test_a_perfect_prediction_has_an_infinite_score():
    flat = np.full((12, 12), 0.5)
    assert fitted("regressor").set_params(regressor=Ridge()).fit(flat, flat).score(flat, flat) > 99


def test_images_of_integers_need_a_mask_where_pixels_are_missing():
    model = fitted("inpainter")
    whole = (255 * CLEAN).astype(np.uint8)
    with pytest.raises(ValueError, match=r"mask must be given for images of integers"):
        model.transform(whole)
    with pytest.raises(TypeError, match=r"mask must be boolean.*use mask > mask.max"):
        model.transform(whole, whole)
    np.testing.assert_array_equal(model.fit(whole).transform(whole, whole > -1), whole)
