"""The script of colour images: its data, its features of k-means, and its textures."""

import sys

import numpy as np
import pytest
from scripts import imported_paper, needs_scripts

pytestmark = needs_scripts


@pytest.fixture(scope="module")
def script():
    with imported_paper("colour_images") as module:
        yield module


def saved(path, **changed):
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (20, 32, 32, 3), np.uint8),
        "y_train": np.arange(20) % 2,
        "x_test": rng.integers(0, 256, (6, 32, 32, 3), np.uint8),
        "y_test": np.arange(6) % 2,
    }
    arrays |= changed
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return arrays


def test_images_of_a_file_are_read_with_their_labels(script, tmp_path):
    arrays = saved(tmp_path / "images.npz")
    data = script.read_data(tmp_path / "images.npz", quick=False)
    order = np.random.default_rng(0).permutation(20)
    np.testing.assert_array_equal(data.X, arrays["x_train"][order])
    np.testing.assert_array_equal(data.y, arrays["y_train"][order])
    np.testing.assert_array_equal(data.X_test, arrays["x_test"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y_test": None}, "missing: .*y_test"),
        ({"x_train": np.zeros((20, 28, 28), np.uint8)}, "x_train must be images"),
        ({"x_test": np.zeros((6, 32, 32, 3))}, "x_test must be images .* float64"),
        ({"y_train": np.arange(3)}, "y_train must hold a label"),
    ],
)
def test_other_files_are_refused(script, tmp_path, changed, message):
    saved(tmp_path / "images.npz", **changed)
    with pytest.raises(ValueError, match=message):
        script.read_data(tmp_path / "images.npz", quick=False)


def test_textures_are_drawn_anew_for_each_seed(script):
    X, y = script.textures(20, 0)
    assert X.shape == (20, 32, 32, 3)
    assert X.dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(y), 2)
    np.testing.assert_array_equal(script.textures(20, 0)[0], X)
    assert (script.textures(20, 1)[0] != X).any()


def test_features_of_kmeans_are_triangles(script):
    single_layer = sys.modules["_single_layer"]
    X = np.random.default_rng(0).normal(size=(50, 4))
    encoder = single_layer.KMeansTriangle(5).fit(X)
    distances = np.linalg.norm(X[:, None] - encoder.means_, axis=2)
    expected = np.maximum(distances.mean(axis=1, keepdims=True) - distances, 0)
    np.testing.assert_allclose(encoder.transform(X), expected, atol=1e-12)


def test_settings_are_chosen_without_the_test_images(script, monkeypatch):
    monkeypatch.setattr(sys.modules["_single_layer"], "RIDGES", (0.5,))
    data = script.Data("made", *script.textures(50, 0), *script.textures(20, 1))
    settings = {"stride": 5, "n_patches": 300, "n_chosen_on": 50}
    single_layer = sys.modules["_single_layer"]
    row = single_layer.single_layer(data, "codes, two halves", 6, (0.5, 1.0), settings)
    other = script.Data("made", data.X, data.y, data.X_test[::-1], data.y_test)
    again = single_layer.single_layer(other, "codes, two halves", 6, (0.5, 1.0), settings)
    assert row["features"] == 4 * 12
    assert [row[key] for key in ("lam", "C", "validation")] == [
        again[key] for key in ("lam", "C", "validation")
    ]
