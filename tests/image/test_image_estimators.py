"""What the estimators of images have in common: fitted sizes, moving, storage and warnings."""

import pickle
import warnings

import numpy as np
import pytest
from pictures import picture
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge

from skdict_sup import SupervisedDictionaryRegressor, to_device
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
