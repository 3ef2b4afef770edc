"""Displays: what they compute, what they draw, and what they refuse."""

import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from learners import digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdict_sup import (
    ElasticNet,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    encode,
    lam_max,
)
from skdict_sup.image import DictionaryDenoiser, PatchRegressor
from skdict_sup.plotting import (
    DictionaryDisplay,
    LamPathDisplay,
    LinkedDictionariesDisplay,
    LossCurveDisplay,
)

X, Y = digits(200, n_classes=3)
QUICK = {"max_iter": 2, "init_max_iter": 1, "learning_rate": 0.16, "random_state": 0}


@pytest.fixture(autouse=True)
def _no_window():
    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(name="model", scope="module")
def _model():
    return SupervisedDictionaryClassifier(9, **QUICK).fit(X, Y)


def test_atoms_are_the_tiles_of_the_picture(model):
    display = DictionaryDisplay.from_estimator(model, image_shape=(8, 8), sort="none", columns=3)
    (image,) = display.ax_.get_images()
    picture = np.asarray(image.get_array())
    assert picture.shape == (30, 30)
    np.testing.assert_array_equal(display.atoms, model.components_)
    for k, atom in enumerate(model.components_):
        row, column = divmod(k, 3)
        tile = picture[10 * row + 1 : 10 * row + 9, 10 * column + 1 : 10 * column + 9]
        np.testing.assert_allclose(tile.ravel(), atom / np.abs(atom).max())
    assert display.figure_ is display.ax_.figure


def test_atoms_come_in_the_order_of_their_use_or_weight(model):
    use = np.abs(model.transform(X)).mean(axis=0)
    display = DictionaryDisplay.from_estimator(model, X=X)
    np.testing.assert_array_equal(display.order, np.argsort(-use, kind="stable"))
    np.testing.assert_array_equal(display.atoms, model.components_[display.order])
    weight = np.linalg.norm(model.coef_, axis=0)
    display = DictionaryDisplay.from_estimator(model, n_atoms=4)
    np.testing.assert_array_equal(display.order, np.argsort(-weight, kind="stable")[:4])
    display = DictionaryDisplay.from_estimator(model, sort="weight", output=2)
    np.testing.assert_array_equal(display.order, np.argsort(-model.coef_[2], kind="stable"))


@pytest.mark.parametrize(
    "settings",
    [{"split_sign": True}, {"multi_class": "ovr"}, {"head": "bilinear"}, {"n_projected": 9}],
    ids=str,
)
@pytest.mark.parametrize("sort", ["use", "weight"])
def test_every_formulation_can_be_drawn(settings, sort):
    model = SupervisedDictionaryClassifier(4, **QUICK, **settings).fit(X, Y)
    display = DictionaryDisplay.from_estimator(model, sort=sort, X=X)
    assert sorted(display.order) == list(range(len(model.components_)))
    if sort == "weight" and settings.get("multi_class") == "ovr":
        display = DictionaryDisplay.from_estimator(model, sort=sort, output=1, n_atoms=4)
        assert sorted(display.order) == [4, 5, 6, 7]


@pytest.mark.parametrize("image_shape", [(4, 4, 3), None])
def test_a_dictionary_without_a_head_and_colours(image_shape):
    model = OnlineDictionaryLearning(5, max_iter=1, random_state=0).fit(X[:, :48])
    display = DictionaryDisplay.from_estimator(model, image_shape=image_shape)
    np.testing.assert_array_equal(display.order, np.arange(5))
    picture = np.asarray(display.ax_.get_images()[0].get_array())
    assert picture.shape[2] == 3
    assert 0 <= picture.min() <= picture.max() <= 1
    assert DictionaryDisplay(np.eye(3, 7)).plot().ax_.get_images()[0].get_array().shape == (9, 9)


def test_atoms_of_an_estimator_of_images_are_its_patches():
    image = np.random.default_rng(0).random((12, 12, 3))
    denoiser = DictionaryDenoiser(6, patch_size=(3, 4), sigma=0.1, max_iter=1, random_state=0)
    denoiser.fit(image)
    display = DictionaryDisplay.from_estimator(denoiser)
    assert tuple(display.image_shape) == (3, 4, 3)
    with pytest.raises(ValueError, match="X must be None for estimators of images"):
        DictionaryDisplay.from_estimator(denoiser, X=image)


def test_given_axes_are_drawn_on(model):
    figure, axes = plt.subplots()
    display = DictionaryDisplay.from_estimator(model, ax=axes, cmap="viridis")
    assert display.ax_ is axes
    assert display.figure_ is figure
    assert axes.get_images()[0].get_cmap().name == "viridis"


def test_linked_dictionaries_are_drawn_in_one_order():
    model = SupervisedDictionaryRegressor(6, **QUICK).fit(X[:, :32], X[:, 32:])
    display = LinkedDictionariesDisplay.from_estimator(
        model, input_shape=(4, 8), output_shape=(4, 8), n_atoms=5
    )
    size = np.linalg.norm(model.coef_, axis=0)
    order = np.argsort(-size, kind="stable")[:5]
    np.testing.assert_array_equal(display.inputs, model.components_[order])
    np.testing.assert_array_equal(display.outputs, model.coef_.T[order])
    titles = [ax.get_title() for ax in display.ax_]
    assert titles == ["atoms of the signals", "atoms of the targets"]
    bilinear = SupervisedDictionaryRegressor(6, head="bilinear", **QUICK).fit(X, X[:, :4])
    with pytest.raises(ValueError, match="one weight per atom and output"):
        LinkedDictionariesDisplay.from_estimator(bilinear)


def test_the_course_of_a_fit(model):
    display = LossCurveDisplay.from_estimator(model, color="red")
    (line,) = display.ax_.get_lines()
    np.testing.assert_array_equal(line.get_ydata(), model.loss_curve_)
    assert line.get_color() == "red"
    assert display.score_ax_ is None
    stopped = SupervisedDictionaryClassifier(4, early_stopping=True, **QUICK).fit(X, Y)
    display = LossCurveDisplay.from_estimator(stopped)
    (line,) = display.score_ax_.get_lines()
    np.testing.assert_array_equal(line.get_ydata(), stopped.validation_scores_)


def test_a_path_ends_in_codes_and_begins_at_zero(model):
    display = LamPathDisplay.from_estimator(model, X[0], n_lams=7)
    assert display.lams[0] == pytest.approx(float(lam_max(X[:1], model.components_)[0]))
    assert display.lams[-1] == pytest.approx(0.01 * display.lams[0])
    assert np.abs(display.codes[0]).max() < 1e-6
    prior = ElasticNet(display.lams[3], lam2=model.prior_.lam2)
    expected = encode(X[:1], model.components_, prior=prior).code[0]
    np.testing.assert_allclose(display.codes[3], expected, atol=1e-9)
    used = (display.codes != 0).any(axis=0).sum()
    assert len(display.ax_.get_lines()) == used


def test_a_path_is_that_of_the_signal_as_it_is_prepared():
    prepared = {"standardise": True, "fit_offset": True}
    model = SupervisedDictionaryClassifier(8, **QUICK | prepared).fit(X, Y)
    lams = [4 * model.prior_.lam, model.prior_.lam]
    display = LamPathDisplay.from_estimator(model, X[0], lams=lams)
    np.testing.assert_allclose(display.codes[1], model.transform(X[:1])[0], atol=1e-9)


def test_a_path_is_that_of_one_signal(model):
    row = LamPathDisplay.from_estimator(model, X[:1], n_lams=3)
    np.testing.assert_array_equal(
        row.codes, LamPathDisplay.from_estimator(model, X[0], n_lams=3).codes
    )
    with pytest.raises(
        ValueError, match=r"^x must be one signal, .* got shape \(3, 64\); .*x\[0\]"
    ):
        LamPathDisplay.from_estimator(model, X[:3])


def test_the_legend_of_a_path_stands_beside_the_curves(model):
    display = LamPathDisplay.from_estimator(model, X[0], n_lams=7)
    display.figure_.canvas.draw()
    legend = display.ax_.get_legend().get_window_extent()
    assert legend.x0 >= display.ax_.get_window_extent().x1
    assert legend.x1 <= display.figure_.bbox.x1


def test_a_legend_names_the_largest_entries_and_the_others_together():
    codes = np.array([np.zeros(12), np.arange(12.0)])
    display = LamPathDisplay([1.0, 0.5], codes).plot()
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == [*(f"atom {k}" for k in range(11, 3, -1)), "other atoms"]
    assert display.ax_.get_xlabel() == "lam"
    few = LamPathDisplay([1.0, 0.5], codes[:, :3]).plot()
    assert [text.get_text() for text in few.ax_.get_legend().get_texts()] == ["atom 2", "atom 1"]


def test_a_path_of_weights_of_atoms_is_over_their_factor():
    prior = ElasticNet(np.linspace(0.5, 1.0, 3))
    coder = SparseCoder(np.eye(3), prior=prior).fit(10 * np.eye(3))
    display = LamPathDisplay.from_estimator(coder, [3.0, -1.0, 0.5], n_lams=3)
    assert display.ax_.get_xlabel() == "factor of lam"


def test_what_displays_refuse(model):
    for display in (DictionaryDisplay, LossCurveDisplay, LinkedDictionariesDisplay):
        with pytest.raises(NotFittedError):
            display.from_estimator(SupervisedDictionaryClassifier())
        with pytest.raises(TypeError, match="not an estimator instance"):
            display.from_estimator(object())
    with pytest.raises(NotFittedError):
        LamPathDisplay.from_estimator(SparseCoder(np.eye(2)), np.ones(2))
    with pytest.raises(ValueError, match=r"image_shape .* product of 64, got \(8, 9\)"):
        DictionaryDisplay.from_estimator(model, image_shape=(8, 9))
    with pytest.raises(ValueError, match="sort must be one of"):
        DictionaryDisplay.from_estimator(model, sort="size")
    with pytest.raises(ValueError, match="sort='use' needs signals"):
        DictionaryDisplay.from_estimator(model, sort="use")
    plain = OnlineDictionaryLearning(3, max_iter=1).fit(X)
    with pytest.raises(ValueError, match=r"sort='weight' .* got OnlineDictionaryLearning"):
        DictionaryDisplay.from_estimator(plain, sort="weight")
    with pytest.raises(ValueError, match="output must be"):
        DictionaryDisplay.from_estimator(model, sort="weight", output=3)


def test_an_estimator_of_images_names_its_regressors():
    image = np.random.default_rng(0).random((12, 12))
    regressor = SupervisedDictionaryRegressor(4, max_iter=1, random_state=0)
    model = PatchRegressor(regressor, patch_size=3).fit(image, image)
    of_ridge = PatchRegressor(Ridge(), patch_size=3).fit(image, image)
    for display in (DictionaryDisplay, LinkedDictionariesDisplay, LossCurveDisplay):
        with pytest.raises(TypeError, match=r"attribute \w+_, got PatchRegressor.*stages_\[0\]"):
            display.from_estimator(model)
        with pytest.raises(TypeError, match=r"attribute \w+_, got PatchRegressor\.$"):
            display.from_estimator(of_ridge)
        with pytest.raises(
            TypeError, match=r"got a Pipeline; pass its last step, estimator\[-1\]"
        ):
            display.from_estimator(make_pipeline(StandardScaler(), regressor))
        with pytest.raises(
            TypeError, match=r"got an array of shape \(12, 12\); pass arrays to the"
        ):
            display.from_estimator(image)


def test_without_matplotlib_the_message_says_how_to_get_it(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "skdict-sup\[plot\]"'):
        DictionaryDisplay.from_estimator(model)
