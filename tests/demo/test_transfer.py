"""The script of transfer: its files, its sets of writers, its letters, and a short run."""

import sys

import numpy as np
import pytest
from scripts import imported_paper, needs_scripts

pytestmark = needs_scripts


@pytest.fixture(scope="module")
def transfer():
    with imported_paper("transfer") as module:
        yield module


@pytest.fixture(scope="module")
def data(transfer):
    return sys.modules["_transfer_data"]


@pytest.fixture(scope="module")
def letters():
    with imported_paper("_letters") as module:
        yield module


def bars(n=60, height=16, width=8, seed=0):
    """Images of a bar whose place is the label, by ten writers, with noise."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = 40 * rng.random((n, height, width))
    X[np.arange(n), :, 1 + 2 * y] = 200
    X[:, :2] = X[:, -2:] = X[:, :, 0] = X[:, :, -1] = 0
    return X.astype(np.uint8), y, np.arange(n) // 3 % 10


def saved(path, **changed):
    X, y, writers = bars()
    arrays = {"x": X, "y": y, "writers": writers} | changed
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_a_file_has_images_labels_and_writers(data, tmp_path):
    X, y, writers = bars()
    found = data.read_images(saved(tmp_path / "a.npz", y=np.array(["p", "q", "r"])[y]))
    np.testing.assert_allclose(found.X, X / np.float32(X.max()), rtol=1e-6)
    np.testing.assert_array_equal(found.y, y)
    np.testing.assert_array_equal(found.writers, writers)
    assert found.is_test is None


def test_a_file_may_say_which_images_are_for_testing(data, tmp_path):
    X, y, _ = bars()
    np.savez(tmp_path / "a.npz", x_train=X[:50], y_train=y[:50], x_test=X[50:], y_test=y[50:])
    found = data.read_images(tmp_path / "a.npz")
    np.testing.assert_array_equal(np.flatnonzero(found.is_test), np.arange(50, 60))


def test_images_may_be_rows_and_dark_on_bright(data, tmp_path):
    X, _, _ = bars(height=8)
    found = data.read_images(saved(tmp_path / "a.npz", x=(255 - X).reshape(60, -1)))
    np.testing.assert_allclose(found.X, X / np.float32(X.max()), atol=1e-6)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y": None}, r"must have the arrays x and y .*\['writers', 'x'\]"),
        ({"x": np.zeros((60, 4, 4, 3))}, "x must be images .* shape"),
        ({"writers": np.zeros(5)}, "writers must have one entry for each of 60 images"),
        ({"x": None, "x_train": np.zeros((3, 4, 4))}, r"must also have \['y_train', 'x_test'"),
    ],
)
def test_other_files_are_refused(data, tmp_path, changed, message):
    with pytest.raises(ValueError, match=message):
        data.read_images(saved(tmp_path / "a.npz", **changed))


@pytest.mark.parametrize(("height", "width"), [(16, 8), (8, 16), (40, 40), (8, 8)])
def test_fitted_images_are_centred_and_keep_their_proportions(data, height, width):
    X = np.zeros((2, height, width), np.float32)
    X[0, : height // 2, : width // 2] = X[1] = 1
    found = data.fitted(X, 28)
    places = np.arange(28)
    for axis in (1, 2):
        mass = found.sum(axis=axis)
        np.testing.assert_allclose(mass @ places / mass.sum(axis=1), 13.5, atol=0.51)
    box = 20 / max(height, width)
    np.testing.assert_allclose(found[1].sum(), height * width * box**2, rtol=0.05)
    assert found[1].max(axis=1).sum() == pytest.approx(box * height, abs=1)


def test_images_of_the_right_size_are_unchanged(data):
    X = np.random.default_rng(0).random((3, 28, 28), np.float32)
    assert data.fitted(X, 28) is X


def task_of(data, n=60, n_components=100, **changed):
    X, y, writers = bars(n, 12, 12)
    images = data.Images("bars", X / np.float32(255), y, writers)
    return data.Task("bars", images, data.replace(images, **changed), n_components)


def test_no_writer_is_in_two_sets(data):
    task = task_of(data, n=300)
    counts = task.counts
    assert sum(n for n, _ in counts.values()) == 300
    assert sum(writers for _, writers in counts.values()) == 10
    assert min(writers for _, writers in counts.values()) >= 1
    with pytest.raises(ValueError, match="writers must be at least five"):
        task_of(data, writers=np.arange(60) % 4)


def test_signals_do_not_depend_on_test_images(data):
    is_test = np.arange(60) >= 45
    X = bars(60, 12, 12)[0] / np.float32(255)
    other = np.where(is_test[:, None, None], 1 - X, X)
    first, second = (task_of(data, X=images, is_test=is_test) for images in (X, other))
    np.testing.assert_array_equal(first.train[0], second.train[0])
    np.testing.assert_array_equal(first.held_out[0], second.held_out[0])
    assert (first.test[0] != second.test[0]).any()


def test_signals_are_principal_components_of_norm_one(data):
    task = task_of(data)
    np.testing.assert_allclose(np.linalg.norm(task.source, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(task.axes.T @ task.axes, np.eye(task.axes.shape[1]), atol=1e-5)


def test_a_distortion_by_nothing_returns_the_signals(data):
    task = task_of(data)
    still = data.RandomAffine((12, 12), degrees=0, translate=0, scale=0)
    found = data.Distortion(task, still)(task.train[0], np.random.default_rng(0))
    np.testing.assert_allclose(found, task.train[0], atol=1e-4)
    moved = data.distortion(task)(task.train[0], np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1, rtol=1e-5)
    assert np.abs(moved - task.train[0]).max() > 0.01


def test_letters_are_those_of_their_seed(letters):
    fonts = letters.TRAIN_FONTS[:2]
    X, y, writers = letters.written("abc", fonts, 4, 60, 0)
    assert X.shape == (60, 28, 28)
    assert X.dtype == np.float32
    assert X.min() == 0
    assert X.max() == 1
    np.testing.assert_array_equal(np.bincount(y), 20)
    assert set(writers) == set(range(4))
    np.testing.assert_array_equal(letters.written("abc", fonts, 4, 60, 0)[0], X)
    assert (letters.written("abc", fonts, 4, 60, 1)[0] != X).any()


def test_letters_without_distortions_are_those_of_the_font(letters):
    still = letters.Hand(*[0.0] * 10)
    X, y, writers = letters.written("ab", letters.TEST_FONTS[:2], 2, 40, 0, still)
    for character in range(2):
        for font in range(2):
            same = X[(y == character) & (writers == font)]
            np.testing.assert_allclose(same, np.broadcast_to(same[0], same.shape), atol=1e-6)
    assert np.abs(X[y == 0][0] - X[y == 1][0]).max() > 0.5
    rows = np.flatnonzero(X[0].max(axis=1) > 0.5)
    columns = np.flatnonzero(X[0].max(axis=0) > 0.5)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(letters.BOX, abs=1)


def test_no_font_is_of_training_and_test_writers(letters):
    assert not set(letters.TRAIN_FONTS) & set(letters.TEST_FONTS)


def test_a_character_without_a_glyph_is_refused(letters):
    with pytest.raises(ValueError, match="the font cmr10 has no character ' '"):
        letters.written(" ", ["cmr10"], 1, 1, 0)


@pytest.mark.parametrize("from_files", [True, False])
def test_the_protocol_runs(transfer, tmp_path, capsys, from_files):
    if from_files:
        X, y, writers = bars(400)
        files = [str(saved(tmp_path / f"{n}.npz", x=X, y=y, writers=writers)) for n in "st"]
        given = ["--source", files[0], "--target", files[1]]
    else:
        given = ["--only", "letters"]
    ((_, found),) = transfer.main(["--quick", *given])
    assert list(found) == [60]
    assert list(found[60]) == [*("PCA", "L1", "KL", "PCA, distorted", "KL + backprop", "defaults")]
    for result in found[60].values():
        assert 0 <= result.test[0] <= 100
        assert result.seconds >= 0
    if from_files:
        assert found[60]["KL + backprop"].test[0] > 60
    assert "| 60 | PCA |" in capsys.readouterr().out


def test_a_source_without_a_target_is_refused(transfer, tmp_path):
    with pytest.raises(ValueError, match="--source and --target must be given together"):
        transfer.main(["--quick", "--source", str(tmp_path / "a.npz")])
