"""Fits that are interrupted and go on from their checkpoints, with the bits of a whole fit."""

import json

import dask
import numpy as np
import pytest
from lazy import assert_bits, blocks
from learners import classifier, digits, heights, regressor, unsupervised

from skdict_sup import ElasticNet, parallel
from skdict_sup.parallel import _checkpoint
from skdict_sup.parallel import supervised as labelled
from skdict_sup.parallel import unsupervised as unlabelled

X, Y = digits()
N, M = X.shape
LEARNED = "components_", "coef_", "intercept_", "n_seen_", "objective_curve_", "loss_curve_"
SETTINGS = {"batch_size": 32, "shard": 16, "checkpoint_every": 2}


def online(**params):
    return unsupervised(**{"prior": ElasticNet(lam=0.3), "max_iter": 3, "tol": 0} | params)


MAKERS = {
    "online": (online, {}, None),
    "in_order": (online, {"shuffle": False}, None),
    "softmax": (online, {"transfer": "softmax", "prior": "kl"}, None),
    "generator": (online, {"random_state": np.random.RandomState(3)}, None),
    "classifier": (classifier, {"max_iter": 3}, Y),
    "dropout": (classifier, {"max_iter": 3, "dropout": 0.3, "mu": [0.5, 0.0]}, Y),
    "stopping": (classifier, {"max_iter": 3, "early_stopping": True}, Y),
    "regressor": (regressor, {"max_iter": 3, "learning_rate": "mairal"}, heights(X)),
}
MODULES = {online: unlabelled, classifier: labelled, regressor: labelled}


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def interrupted(monkeypatch):
    """Function that makes updates raise after a number of them; None ends that."""

    def interrupt(module, after, error=KeyboardInterrupt):
        monkeypatch.undo()
        if after is None:
            return
        left, advance = [after], module.advance

        def failing(*args, **kwargs):
            left[0] -= 1
            if left[0] < 0:
                raise error
            return advance(*args, **kwargs)

        monkeypatch.setattr(module, "advance", failing)

    return interrupt


def fit(name, folder=None, *, rows=(100, 60), **changes):
    make, params, y = MAKERS[name]
    if "random_state" in params:
        params = params | {"random_state": np.random.RandomState(3)}
    signals = X / X.sum(axis=1, keepdims=True) if name == "softmax" else X
    estimator = make(**params | changes)
    return parallel.fit(estimator, blocks(signals, rows), y, checkpoint=folder, **SETTINGS)


def assert_same(found, expected):
    for name in LEARNED:
        if hasattr(expected, name):
            assert_bits(getattr(found, name), getattr(expected, name), name)


INTERRUPTIONS = (1, ValueError), (5, KeyboardInterrupt), (8, KeyboardInterrupt)
FULLY = "online", "classifier"  # the others differ from them in what a checkpoint holds


@pytest.mark.parametrize(
    ("name", "after", "error"),
    [
        (name, *interruption)
        for name in MAKERS
        for interruption in (INTERRUPTIONS if name in FULLY else INTERRUPTIONS[1:2])
    ],
)
def test_interrupted_fits_go_on_with_the_bits_of_whole_ones(
    tmp_path, interrupted, name, after, error
):
    module = MODULES[MAKERS[name][0]]
    expected = fit(name)
    interrupted(module, after, error)
    with pytest.raises(error):
        fit(name, tmp_path)
    interrupted(module, None)
    calls = []
    with pytest.MonkeyPatch.context() as patched:
        advance = module.advance
        patched.setattr(module, "advance", lambda *a, **k: calls.append(1) or advance(*a, **k))
        found = fit(name, tmp_path, rows=(1, 70, 0, 89))
    assert_same(found, expected)
    assert len(calls) <= 15 - after + 1  # at most one batch is done again
    assert_same(fit(name, tmp_path), expected)  # a finished fit is read


def test_further_passes_follow_a_finished_fit(tmp_path):
    fit("online", tmp_path, max_iter=2)
    assert_same(fit("online", tmp_path, max_iter=4), fit("online", max_iter=4))
    found = fit("online", tmp_path, max_iter=2)
    assert found.n_iter_ == 4  # passes are not undone


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("online", {"n_components": 5}, "n_components was 6, and is 5"),
        ("online", {"random_state": 1}, "random_state was 0, and is 1"),
        ("online", {"init": X[:6] + 1}, "init was None, and is [0-9a-f]+|init was 'data', and is"),
        ("online", {"prior": ElasticNet(lam=0.4)}, r"prior__lam was 0\.3, and is 0\.4"),
        ("classifier", {"max_iter": 4}, "max_iter was 3, and is 4"),
        ("classifier", {"mu": 0.1}, r"mu was 0\.0, and is 0\.1"),
    ],
)
def test_checkpoints_of_other_fits_are_refused_by_what_differs(tmp_path, name, changes, message):
    fit(name, tmp_path)
    with pytest.raises(ValueError, match=rf"is that of another fit: ({message})"):
        fit(name, tmp_path, **changes)


def test_checkpoints_of_other_data_are_refused(tmp_path):
    fit("classifier", tmp_path)
    for signals, y, weight, name in (
        (X[:-1], Y[:-1], None, "n_samples was 160, and is 159"),
        (X.astype(np.float32), Y, None, "dtype was float64, and is float32"),
        (X + 1e-9, Y, None, "data of X was"),
        (X, Y[::-1], None, "data of y was"),
        (X, Y, np.ones(N), "data of sample_weight was None"),
    ):
        with pytest.raises(ValueError, match=f"another fit: {name}"):
            parallel.fit(
                classifier(max_iter=3),
                signals,
                y,
                sample_weight=weight,
                checkpoint=tmp_path,
                **SETTINGS,
            )
    with pytest.raises(ValueError, match="another fit: mini-batch was 32, and is 64"):
        parallel.fit(
            classifier(max_iter=3), X, Y, checkpoint=tmp_path, **SETTINGS | {"batch_size": 64}
        )
    with pytest.raises(ValueError, match="another fit: estimator was SupervisedDictionaryClass"):
        fit("online", tmp_path)


def test_what_does_not_matter_may_change(tmp_path):
    expected = fit("classifier", tmp_path)
    assert_same(fit("classifier", tmp_path, n_jobs=2, verbose=0), expected)


@pytest.mark.parametrize("damage", ["cut", "changed", "missing", "pointer", "empty_pointer"])
def test_damaged_files_are_refused(tmp_path, damage):
    fit("online", tmp_path)
    pointer = tmp_path / "latest.json"
    file = tmp_path / json.loads(pointer.read_text())["file"]
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif "pointer" in damage:
        pointer.write_text("" if damage == "empty_pointer" else "[1]")
    else:
        file.write_bytes(data[:-9] if damage == "cut" else b"x" + data[1:])
    name = "latest.json" if "pointer" in damage else file.name
    with pytest.raises(ValueError, match=f"damaged or missing file, {name}: remove the folder"):
        fit("online", tmp_path)


def test_a_full_disk_is_a_warning(tmp_path, monkeypatch):
    expected, write = fit("online"), _checkpoint._write
    left = [4]

    def full(path, data):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        write(path, data)

    monkeypatch.setattr(_checkpoint, "_write", full)
    with pytest.warns(UserWarning, match=r"after batch \d+ could not be written .*No space"):
        assert_same(fit("online", tmp_path), expected)
    monkeypatch.undo()
    assert_same(fit("online", tmp_path), expected)  # from the last one that was written


def test_a_crash_between_file_and_pointer_leaves_the_one_before(tmp_path, monkeypatch):
    expected, write = fit("online"), _checkpoint._write

    def crash(path, data):
        if path.name == "latest.json" and len(list(tmp_path.glob("batch-*5-*"))) > 0:
            raise KeyboardInterrupt
        write(path, data)

    monkeypatch.setattr(_checkpoint, "_write", crash)
    with pytest.raises(KeyboardInterrupt):
        fit("online", tmp_path)
    monkeypatch.undo()
    assert_same(fit("online", tmp_path), expected)


def test_two_files_are_kept(tmp_path):
    fit("online", tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    fit("online", tmp_path, max_iter=6)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ValueError, match=r"checkpoint must be a folder or a new name, got the fi"):
        fit("online", tmp_path / "taken")
    fit("online", tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder" / "latest.json").exists()
