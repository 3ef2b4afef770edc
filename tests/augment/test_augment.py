"""Augmentations against SciPy, their moments, and how estimators use them."""

import copy
import pickle

import numpy as np
import pytest
from learners import digits
from scipy import ndimage
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skdict_sup import SupervisedDictionaryClassifier
from skdict_sup._array import to_numpy
from skdict_sup.augment import Compose, GaussianNoise, RandomAffine, RandomShift
from skdict_sup.augment.random_affine import _transformed

SHAPES = {"gray": (7, 5), "colour": (6, 8, 3), "line": (1, 9)}
MODES = {0.0: "grid-constant", 2.5: "grid-constant", "edge": "nearest"}
ALL = [
    RandomShift((3, 4), 1),
    RandomShift((3, 4), (0.5, 1), fill="edge"),
    RandomAffine((3, 4), scale=(0.5, 2.0), shear=30, fill=1.0),
    GaussianNoise(0.2),
    Compose([RandomShift((2, 2, 3)), GaussianNoise()]),
]


def images(shape, n=12, dtype="float64"):
    return np.random.default_rng(1).random((n, int(np.prod(shape)))).astype(dtype)


def by_channel(transform, X, shape):
    """Rows of X after a function of a channel of an image and the number of the image."""
    stack = X.reshape(len(X), *shape[:2], -1)
    changed = np.stack(
        [
            np.stack([transform(image[..., c], i) for c in range(image.shape[-1])], axis=-1)
            for i, image in enumerate(stack)
        ]
    )
    return changed.reshape(X.shape)


@pytest.mark.parametrize("fill", MODES)
@pytest.mark.parametrize("pixels", [2, 1.5, (0, 3), (0.0, 0.5)])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_shifts_are_those_of_scipy(shape, pixels, fill):
    X, limits = images(shape), np.broadcast_to(pixels, 2)
    found = RandomShift(shape, pixels, fill)(X, np.random.default_rng(3))
    rng, size = np.random.default_rng(3), (len(X), 2)
    whole = limits.dtype.kind == "i"
    by = rng.integers(-limits, limits + 1, size) if whole else rng.uniform(-limits, limits, size)
    known = {"order": 1, "mode": MODES[fill], "cval": 0.0 if fill == "edge" else fill}
    expected = by_channel(lambda image, i: ndimage.shift(image, by[i], **known), X, shape)
    np.testing.assert_allclose(found, expected, atol=1e-14)
    if whole:  # bit for bit, and each shift occurs
        assert set(found.ravel()) <= {*X.ravel(), 0.0 if fill == "edge" else fill}


def test_a_whole_shift_rolls_the_image_and_fills_with_zeros():
    X, shape = images((6, 6), n=200), (6, 6)
    found = RandomShift(shape)(X, np.random.default_rng(0)).reshape(-1, *shape)
    seen = set()
    for image, moved in zip(X.reshape(-1, *shape), found, strict=True):
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                rolled = np.zeros((8, 8))
                rolled[1 + down : 7 + down, 1 + right : 7 + right] = image
                if (rolled[1:7, 1:7] == moved).all():
                    seen.add((down, right))
                    break
            else:
                continue
            break
        else:
            raise AssertionError("no shift by at most a pixel gives this image")
    assert len(seen) == 9


@pytest.mark.parametrize("fill", MODES)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_affine_maps_are_those_of_scipy(shape, fill):
    X = images(shape)
    change = RandomAffine(shape, degrees=40, translate=(1, 2), scale=0.4, shear=25, fill=fill)
    found = change(X, np.random.default_rng(5))
    matrix, offset = change._draw(len(X), np.random.default_rng(5))
    known = {"order": 1, "mode": MODES[fill], "cval": 0.0 if fill == "edge" else fill}
    expected = by_channel(
        lambda image, i: ndimage.affine_transform(image, matrix[i], offset[i], **known), X, shape
    )
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_affine_maps_are_turns_scales_and_shears_about_the_centre():
    change = RandomAffine((9, 5), degrees=30, translate=0, scale=(0.5, 2.0), shear=20)
    matrix, offset = change._draw(400, np.random.default_rng(0))
    centre = np.array([4.0, 2.0])
    np.testing.assert_allclose(matrix @ centre + offset, np.tile(centre, (400, 1)), atol=1e-12)
    # inverse = s R(theta) K(eta): K moves rows' axis alone, so that the second column is s R e_2
    inverse = np.linalg.inv(matrix)
    scale = np.linalg.norm(inverse[:, :, 1], axis=1)
    angle = np.rad2deg(np.arctan2(-inverse[:, 0, 1], inverse[:, 1, 1]))
    turned = np.stack([inverse[:, :, 1][:, 1], -inverse[:, :, 1][:, 0]], axis=1) / scale[:, None]
    slope = np.einsum("ni,ni->n", inverse[:, :, 0], inverse[:, :, 1]) / scale**2
    np.testing.assert_allclose(np.einsum("ni,ni->n", inverse[:, :, 0], turned), scale)
    for value, low, high in ((scale, 0.5, 2), (angle, -30, 30)):
        assert low <= value.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < value.max() <= high
    shear = np.rad2deg(np.arctan(slope))
    assert 17 < np.abs(shear).max() <= 20


def test_a_quarter_turn_turns():
    X = images((5, 5))
    angle = np.pi / 2
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    offset = np.array([2.0, 2.0]) - matrix @ [2.0, 2.0]
    matrix, offset = np.tile(matrix, (len(X), 1, 1)), np.tile(offset, (len(X), 1))
    found = _transformed(X, (5, 5, 1), matrix, offset, 0.0)
    expected = np.rot90(X.reshape(-1, 5, 5), axes=(1, 2)).reshape(X.shape)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_noise_has_its_moments():
    X = np.random.default_rng(0).normal(size=(4000, 20)) * np.logspace(-20, 20, 4000)[:, None]
    noise = GaussianNoise(0.5)(X, np.random.default_rng(1)) - X
    relative = noise / np.linalg.norm(X, axis=1, keepdims=True) * np.sqrt(20) / 0.5
    np.testing.assert_allclose(relative.mean(), 0.0, atol=4 / np.sqrt(relative.size))
    np.testing.assert_allclose((relative**2).mean(), 1.0, atol=4 * np.sqrt(2 / relative.size))
    draws = np.random.default_rng(1).standard_normal(X.shape)
    np.testing.assert_allclose(relative[2000:2010], draws[2000:2010], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("relative", [0.0, 0.3])
def test_zeros_stay_zeros_and_extremes_are_finite(relative):
    X = np.array([[0.0, 0.0], [1e30, 1e30]], np.float32)
    found = GaussianNoise(relative)(X, np.random.default_rng(0))
    assert (found[0] == 0).all()
    assert np.isfinite(found).all()
    assert (found[1] == X[1]).all() == (relative == 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("augment", ALL, ids=lambda augment: type(augment).__name__)
def test_all_libraries_get_the_same(augment, dtype, xp):
    X = images((3, 4), dtype=dtype)
    found = augment(xp.asarray(X), np.random.default_rng(2))
    assert xp.is_mine(found)
    found = xp.to_numpy(found)
    assert found.dtype == dtype
    close = {"rtol": 1e-5, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-13, "atol": 1e-14}
    np.testing.assert_allclose(found, augment(X, np.random.default_rng(2)), **close)


@pytest.mark.parametrize("augment", ALL, ids=lambda augment: type(augment).__name__)
def test_signals_stay_on_their_device(augment):
    strict = pytest.importorskip("array_api_strict")
    X, device = images((3, 4)), strict.Device("device1")
    found = augment(strict.asarray(X, device=device), np.random.default_rng(2))
    assert found.device == device
    expected = augment(X, np.random.default_rng(2))
    np.testing.assert_allclose(to_numpy(found), expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("augment", ALL[:-1], ids=lambda augment: type(augment).__name__)
def test_random_numbers_are_drawn_row_by_row(augment):
    X, rng = images((3, 4)), np.random.default_rng(2)
    parts = [augment(X[:5], rng), augment(X[5:], rng)]
    np.testing.assert_array_equal(np.concatenate(parts), augment(X, np.random.default_rng(2)))


@pytest.mark.parametrize("augment", ALL, ids=lambda augment: type(augment).__name__)
def test_they_are_values(augment):
    for other in (pickle.loads(pickle.dumps(augment)), copy.deepcopy(augment), clone(augment)):
        assert other == augment
        assert hash(other) == hash(augment)
        X = images((3, 4))
        found = [one(X, np.random.default_rng(4)) for one in (augment, other)]
        np.testing.assert_array_equal(*found)
    assert eval(repr(augment)) == augment
    assert len({*ALL, augment}) == len(ALL)


def test_missing_pixels_stay_missing_and_move():
    X = images((3, 4))
    X[:, 5] = np.nan
    noisy = GaussianNoise()(X, np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(noisy), np.isnan(X))
    whole, real = (RandomShift((3, 4), p)(X, np.random.default_rng(0)) for p in (1, 0.0))
    assert (np.isnan(whole).sum(axis=1) == 1).all()
    np.testing.assert_array_equal(real, X)
    around = RandomShift((3, 4), 1, fill=np.nan)(images((3, 4)), np.random.default_rng(0))
    assert {0, 3, 4, 6} >= set(np.isnan(around).sum(axis=1)) > {0}


def test_estimators_learn_with_them_and_searches_compare_them():
    X, y = digits(120, n_classes=2)
    shifts = [RandomShift((8, 8)), RandomAffine((8, 8))]
    model = SupervisedDictionaryClassifier(
        4, augment=shifts[0], max_iter=2, init_max_iter=1, learning_rate=0.1, random_state=0
    )
    first, second = (clone(model).fit(X, y).components_ for _ in "ab")
    np.testing.assert_array_equal(first, second)
    search = GridSearchCV(model, {"augment": shifts}, cv=2).fit(X, y)
    assert search.best_params_["augment"] in shifts


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RandomShift(28), ValueError, r"image_shape must be \(height, width\) or"),
        (lambda: RandomShift((28, 0)), ValueError, "image_shape must be an integer >= 1, got 0"),
        (lambda: RandomShift((8, 8), -1), ValueError, "pixels must be a number >= 0, got -1"),
        (lambda: RandomShift((8, 8), (1, 2, 3)), ValueError, "pixels must be a number or two"),
        (lambda: RandomShift((8, 8), fill="wrap"), TypeError, "fill must be a number or"),
        (lambda: RandomAffine((8, 8), degrees=-1), ValueError, "degrees must be a number >= 0"),
        (lambda: RandomAffine((8, 8), scale=1.0), ValueError, "scale must be"),
        (lambda: RandomAffine((8, 8), scale=(2, 1)), ValueError, "scale must be"),
        (lambda: RandomAffine((8, 8), shear=90), ValueError, "shear must be below 90"),
        (lambda: GaussianNoise(-0.1), ValueError, "relative must be a number >= 0"),
        (lambda: Compose("noise"), TypeError, "got .noise. at position 0"),
        (lambda: Compose([1]), TypeError, r"got 1 at position 0"),
    ],
)
def test_bad_settings_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("make", [RandomShift, RandomAffine])
def test_signals_of_another_size_are_refused(make):
    with pytest.raises(ValueError, match=r"X must have 64 features, .*\(8, 8, 1\), got 63; set"):
        make((8, 8))(np.zeros((2, 63)), np.random.default_rng(0))
    with pytest.raises(TypeError, match="must hold"):
        make((8, 8))(np.zeros((2, 64), complex), np.random.default_rng(0))
