"""HTML of estimators for notebooks: pictures of atoms, and what a fit has found."""

import base64
import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from learners import AS_GIVEN, EVERY, classifier, digits, encoder, fitted, regressor, unsupervised
from PIL import Image
from sklearn import config_context
from sklearn.base import BaseEstimator

from skdict_sup import ElasticNet, to_device
from skdict_sup.augment import Compose, GaussianNoise, RandomShift
from skdict_sup.estimators._html import fitted_html, png
from skdict_sup.image import DictionaryDenoiser

X, Y = digits()
MOST_BYTES = 50_000
PICTURE = r'src="data:image/png;base64,([^"]+)"'


def picture_of(html):
    """The image within some HTML, in RGBA, from 0 to 255."""
    (content,) = re.findall(PICTURE, html)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGBA"))


def dictionary(shape, **attributes):
    """As much of a fitted estimator as its HTML needs, with atoms that compress badly."""
    atoms = np.random.default_rng(0).normal(size=shape)
    return SimpleNamespace(components_=atoms, **attributes)


@pytest.mark.parametrize("make", [*EVERY, encoder])
def test_a_fitted_estimator_shows_its_atoms_below_the_html_of_scikit_learn(make):
    html = BaseEstimator._repr_html_inner(make())
    assert "skdict-sup-fitted" not in make()._repr_html_() + html
    model = fitted(make)
    own = fitted_html(model)
    assert len(own) < MOST_BYTES
    for whole in (model._repr_html_(), model._repr_mimebundle_()["text/html"]):
        assert whole.endswith(own)
        assert "sk-top-container" in whole
    assert f"{len(model.components_)} atoms; red above zero, blue below" in own
    assert repr(model) == repr(make()) == model._repr_mimebundle_()["text/plain"]
    with config_context(display="text"):
        assert not hasattr(model, "_repr_html_")
        assert "text/html" not in model._repr_mimebundle_()


def test_atoms_are_the_tiles_of_the_picture():
    model = fitted(unsupervised)
    picture = picture_of(fitted_html(model))
    assert picture.shape == (10, 60, 4)
    assert not picture[[0, -1], :, 3].any()  # lines between atoms are transparent
    for k, atom in enumerate(model.components_):
        tile = picture[1:9, 10 * k + 1 : 10 * k + 9]
        assert (tile[..., 3] == 255).all()
        red, blue = tile[..., 0].astype(int), tile[..., 2].astype(int)
        clear = np.abs(atom.reshape(8, 8)) > 0.05 * np.abs(atom).max()
        np.testing.assert_array_equal((red > blue)[clear], (atom.reshape(8, 8) > 0)[clear])


def test_what_a_fit_has_found_is_a_table():
    model = classifier(prior=ElasticNet(0.25, positive=True), nu="auto").fit(X, Y)
    text = re.sub(r"<[^>]+>", " ", fitted_html(model))
    for name, value in model.fitted_choices_.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        assert re.search(rf"{name} +{re.escape(shown)}", text), name
    assert re.search(r"prior_ +ElasticNet\(lam=0\.25", text)
    assert re.search(r"n_iter_ +2 ", text)
    assert re.search(rf"last loss +{model.loss_curve_[-1]:.4g}", text)


def test_values_are_plain_text_of_one_short_line():
    html = fitted_html(dictionary((2, 5), prior_="<b>\n" + 200 * "x"))
    assert "<b>" not in html
    assert "&lt;b&gt; x" in html
    assert 100 < len(max(re.findall(r"x+", html), key=len)) < 120
    assert "<img" not in html


@pytest.mark.parametrize(
    ("shape", "attributes", "size"),
    [
        ((9, 64), {}, (10, 90)),
        ((9, 63), {}, None),
        ((9, 4), {}, None),  # two numbers by two may be anything
        ((9, 64), {"projection_": None}, None),
        ((9, 63), {"augment": RandomShift((7, 9))}, (9, 99)),
        ((9, 64), {"augment": RandomShift((4, 16))}, (6, 162)),
        ((9, 63), {"augment": Compose([GaussianNoise(), RandomShift((7, 9))])}, (9, 99)),
        ((9, 63), {"augment": SimpleNamespace(image_shape=(7, 9), steps=3)}, (9, 99)),
        ((9, 63), {"augment": SimpleNamespace(image_shape="7 x 9")}, None),
        ((9, 75), {"augment": RandomShift((5, 5, 3))}, (7, 63)),
        ((9, 60), {"patch_size_": (4, 5), "n_channels_in_": 3}, (6, 63)),
    ],
    ids=str,
)
def test_atoms_are_drawn_where_they_are_images(shape, attributes, size):
    html = fitted_html(dictionary(shape, **attributes))
    assert (picture_of(html).shape[:2] if "<img" in html else None) == size


@pytest.mark.parametrize(("n_atoms", "side"), [(1, 8), (1000, 8), (100, 28), (30, 100), (21, 150)])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_html_stays_small_whatever_the_dictionary(n_atoms, side, n_channels):
    patches = {"patch_size_": (side, side), "n_channels_in_": n_channels}
    html = fitted_html(dictionary((n_atoms, side * side * n_channels), **patches))
    assert len(html) < MOST_BYTES
    assert picture_of(html).shape[1] >= min(n_atoms, 10) * 10
    assert (f" of {n_atoms} atoms" in html) == (n_atoms > 40 or side >= 100)


def test_atoms_with_the_largest_weights_are_shown():
    model = regressor(n_components=50, max_iter=1, nu=1e-3, **AS_GIVEN).fit(X, X[:, 28:32])
    model.coef_[:] = np.arange(50)
    own = fitted_html(model)
    assert "40 of 50 atoms, largest weights first" in own
    first, largest = picture_of(own)[1:9, 1:9], model.components_[-1].reshape(8, 8)
    clear = np.abs(largest) > 0.05 * np.abs(largest).max()
    red, blue = first[..., 0].astype(int), first[..., 2].astype(int)
    np.testing.assert_array_equal((red > blue)[clear], (largest > 0)[clear])


def test_atoms_of_another_library_are_shown(xp):
    model = fitted(classifier)
    assert fitted_html(to_device(model, xp.home)) == fitted_html(model)


def test_a_denoiser_shows_its_patches():
    image = np.random.default_rng(0).random((20, 20))
    model = DictionaryDenoiser(6, patch_size=(4, 6), n_patches=200, random_state=0).fit(image)
    html = model._repr_html_()
    assert picture_of(html).shape == (6, 48, 4)
    assert "skdict-sup-fitted" not in DictionaryDenoiser(6)._repr_html_()


def test_a_png_has_the_pixels_of_the_picture():
    rng = np.random.default_rng(0)
    colours = rng.random((7, 5, 3))
    read = np.asarray(Image.open(io.BytesIO(png(colours))).convert("RGB"))
    np.testing.assert_array_equal(read, np.rint(255 * colours))
    values = np.array([[-1.0, 0.0, 1.0, np.nan]])
    blue, white, red, nothing = np.asarray(
        Image.open(io.BytesIO(png(values))).convert("RGBA"), dtype=int
    )[0]
    assert blue[2] > blue[0]
    assert red[0] > red[2]
    np.testing.assert_array_equal(white, [247, 247, 247, 255])
    assert nothing[3] == 0
