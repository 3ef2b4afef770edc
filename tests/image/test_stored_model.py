"""Patch regressions in files of plain arrays."""

import json
import pickle

import numpy as np
import pytest
from pictures import picture
from sklearn.linear_model import Ridge

from skdict_sup import KL, ElasticNet, SupervisedDictionaryRegressor, __version__
from skdict_sup.image import DictionaryDenoiser, DictionaryInpainter, PatchRegressor
from skdict_sup.image._stored_model import load_model, save_model
from skdict_sup.image.degradations import blur

CLEAN = [picture((24, 30), seed).astype(np.float32) for seed in range(2)]
BLURRED = [blur(image, sigma=1.0) for image in CLEAN]
ABOUT = {"task": "deblur", "settings": {"lam": 0.1}}


def fitted(prior=None, changed=None, **parameters):
    regressor = SupervisedDictionaryRegressor(
        6,
        prior=prior or ElasticNet(lam=0.05, lam2=0.1),
        **{"learning_rate": 0.16, "max_iter": 1, "random_state": 0, **(changed or {})},
    )
    common = {"patch_size": 5, "n_patches": 200, "random_state": 0, "stride": 2}
    return PatchRegressor(regressor, **common | parameters).fit(BLURRED, CLEAN)


@pytest.mark.parametrize(
    ("prior", "changed", "parameters"),
    [
        (None, None, {}),
        (None, {"fit_linear": True}, {"output_patch_size": 3, "n_stages": 2}),
        (ElasticNet(lam=0.05 * np.arange(1, 7), lam2=0.1), None, {"window": "equal"}),
        (ElasticNet(lam="auto", lam2=0.1, positive=True), None, {"center": False, "stride": 1}),
    ],
    ids=["plain", "linear_and_stages", "weights_of_atoms", "positive"],
)
def test_a_loaded_model_predicts_as_the_stored_one(tmp_path, prior, changed, parameters):
    model = fitted(prior, changed, **parameters)
    save_model(tmp_path / "model.npz", model, ABOUT)
    loaded, about = load_model(tmp_path / "model.npz")
    assert about == {**ABOUT, "version": __version__}
    for image in (BLURRED[0], BLURRED[1].astype(np.float64)):
        np.testing.assert_allclose(loaded.predict(image), model.predict(image), atol=1e-6)
        assert loaded.predict(image).dtype == image.dtype
    save_model(tmp_path / "again.npz", loaded, about)
    again = load_model(tmp_path / "again.npz")[0]
    np.testing.assert_array_equal(again.predict(BLURRED[0]), loaded.predict(BLURRED[0]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.npz", "model.npz"]


def test_a_file_has_plain_arrays_alone(tmp_path):
    save_model(tmp_path / "model.npz", fitted(), ABOUT)
    with np.load(tmp_path / "model.npz", allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    assert json.loads(str(arrays["metadata"]))["task"] == "deblur"
    assert {"stage0_dictionary", "stage0_coef", "stage0_intercept"} <= set(arrays)
    assert all(array.dtype.kind in "fibU" for array in arrays.values())


@pytest.mark.parametrize("kind", [DictionaryDenoiser, DictionaryInpainter])
def test_dictionaries_restore_as_the_stored_ones(tmp_path, kind):
    model = kind(20, patch_size=(4, 5), stride=np.int64(2), max_iter=1, random_state=0)
    model.set_params(**({"sigma": 0.1} if kind is DictionaryDenoiser else {"start": "nearest"}))
    model.fit(CLEAN).set_params(patch_size=9)
    image = CLEAN[0].copy()
    image[3:6, 4] = 0.5 if kind is DictionaryDenoiser else np.nan
    save_model(tmp_path / "model.npz", model, ABOUT)
    loaded, about = load_model(tmp_path / "model.npz")
    assert about == {**ABOUT, "version": __version__}
    assert type(loaded) is kind
    np.testing.assert_array_equal(loaded.transform(image), model.transform(image))
    with np.load(tmp_path / "model.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    for changed, words in (
        ({"kind": "Ridge"}, "its kind is 'Ridge'"),
        ({"n_channels": 2}, r"its dictionary must .* \(20, 40\), .* \(20, 20\)"),
        ({"parameters": '{"stride": 6}'}, "stride must be at most patch_size"),
        ({"parameters": '{"size": 6}'}, "unexpected keyword argument"),
        ({"parameters": '{"lam": 0.1, "stride": 0}'}, ""),
    ):
        np.savez(tmp_path / "model.npz", **{**arrays, **changed})
        with pytest.raises(ValueError, match=f"not a stored model of images .*{words}"):
            load_model(tmp_path / "model.npz")


def test_stages_of_unequal_sizes_and_uneven_margins_are_refused(tmp_path):
    model = fitted(output_patch_size=3, n_stages=2)
    save_model(tmp_path / "model.npz", model, ABOUT)
    with np.load(tmp_path / "model.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    changes = {
        "stages must have equal sizes": {"stage1_center": np.asarray(False)},
        "smaller by an even number": {
            f"stage{i}_{name}": np.resize(arrays[f"stage{i}_{name}"], shape)
            for i, n_atoms in enumerate((6, 6))
            for name, shape in (
                ("output_size", (2,)),
                ("coef", (20, n_atoms)),
                ("intercept", (20,)),
                ("window", (4, 5)),
            )
        },
    }
    for i in range(2):
        changes["smaller by an even number"][f"stage{i}_output_size"] = np.asarray([4, 5])
    for words, changed in changes.items():
        np.savez(tmp_path / "model.npz", **{**arrays, **changed})
        with pytest.raises(ValueError, match=words):
            load_model(tmp_path / "model.npz")


def test_numbers_of_numpy_are_stored_and_other_things_refused(tmp_path):
    model = DictionaryDenoiser(20, patch_size=(np.int64(4), np.int64(5)), sigma=0.1, max_iter=1)
    path = tmp_path / "model.npz"
    save_model(path, model.fit(CLEAN), {"psnr": np.float32(30.5)})
    assert load_model(path)[1]["psnr"] == 30.5
    for other, about, words in (
        (Ridge(), {}, "model must be an estimator of images, got Ridge"),
        (model, None, "metadata must be a dict"),
        (model, {"format": 3}, "metadata must be a dict without"),
        (model, {"model": model}, "metadata must hold what JSON can"),
    ):
        with pytest.raises(TypeError, match=words):
            save_model(path, other, about)


def with_ridge():
    return PatchRegressor(Ridge(), patch_size=5, n_patches=100).fit(BLURRED, CLEAN)


def with_kl():
    model = fitted()
    model.stages_[0].regressor.prior_ = KL()
    return model


@pytest.mark.parametrize("make", [with_ridge, with_kl, lambda: fitted(None, {"split_sign": True})])
def test_other_regressors_are_refused(tmp_path, make):
    with pytest.raises(ValueError, match="must have SupervisedDictionaryRegressor"):
        save_model(tmp_path / "model.npz", make(), ABOUT)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path, monkeypatch):
    def savez(file, **arrays):
        file.write(b"half")
        raise OSError("full")

    (tmp_path / "model.npz").write_bytes(b"older")
    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(OSError, match="full"):
        save_model(tmp_path / "model.npz", fitted(), ABOUT)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"older"]


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "model.npz"
    save_model(path, fitted(), ABOUT)
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"metadata": None}, "has no 'metadata'"),
        ({"metadata": np.asarray("no json")}, "Expecting value"),
        ({"metadata": np.asarray("[]")}, "its format is not 1"),
        ({"metadata": np.asarray('{"format": 2}')}, "its format is not 1"),
        ({"stage0_coef": None}, "has no 'coef'"),
        ({"stage0_coef": np.zeros((25, 5))}, r"its coef must .* \(25, 6\), .* \(25, 5\)"),
        ({"stage0_dictionary": np.full((6, 25), np.nan)}, "its dictionary must hold finite"),
        ({"stage0_intercept": np.zeros(25, int)}, "its intercept must hold finite"),
        ({"stage0_intercept": np.full(25, None)}, "allow_pickle=False"),
        ({"stage0_window": np.zeros((5, 5))}, "its window must be above zero"),
        ({"stage0_lam": np.asarray(-1.0)}, "lam must be"),
        ({"stage0_lam": np.ones(5)}, "lam must have one entry per atom"),
        ({"stage0_patch_size": np.zeros(2, int)}, "patch_size must be"),
        ({"stage0_coef": np.full((25, 6), 1e300)}, "its coef must hold finite numbers"),
        ({"stage0_n_targets": np.asarray(2)}, "its n_targets must be 1"),
        ({"stage0_center": np.asarray("no")}, "its center must be"),
        ({"stage0_lam": np.asarray("a")}, "its lam must be"),
        ({"stage0_dictionary": np.zeros((0, 25))}, r"its dictionary must .* \(1, 25\)"),
        ({"stage0_output_size": np.asarray([3, 2])}, "output_patch_size must be|must hold"),
        ({"n_channels": np.asarray(1.5)}, "its n_channels must be an integer >= 1"),
        ({"stride": np.asarray([6, 6])}, "stride must be at most the size of the clean patches"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, arrays, changed, words):
    changed = {name: value for name, value in {**arrays, **changed}.items() if value is not None}
    np.savez(tmp_path / "model.npz", **changed)
    with pytest.raises(ValueError, match=f"not a stored model of images .*{words}"):
        load_model(tmp_path / "model.npz")


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps([1, 2]), b"PK\x03\x04 not a zip"])
def test_files_that_are_none(tmp_path, content):
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(ValueError, match="not a stored model of images"):
        load_model(tmp_path / "model.npz")


def test_a_truncated_file(tmp_path):
    path = tmp_path / "model.npz"
    save_model(path, fitted(), ABOUT)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match="not a stored model of images"):
        load_model(path)


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "model.npz")
