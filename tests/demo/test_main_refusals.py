"""Input that the main job cannot use: one line that says why, exit code 2, nothing written."""

import os
import pickle
import re
import zipfile

import numpy as np
import pytest
from stripes import arrays, run, saved

from skdict_sup.demo.command import main


def _text(path):
    path.write_text("x_train, y_train\n1, 2\n")


def _truncated(path):
    saved(path)
    path.write_bytes(path.read_bytes()[:-200])


def _damaged(path):
    np.savez_compressed(path, **arrays())
    data = bytearray(path.read_bytes())
    data[200:400] = bytes(200)
    path.write_bytes(data)


def _one_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros((3, 3)))


def _no_array_inside(path):
    with zipfile.ZipFile(path, "w") as file:
        for key in arrays():
            file.writestr(f"{key}.txt", "no array")
            file.writestr(f"{key}.npy", "no array")


def _pipe(path):
    os.mkfifo(path)


def _swollen(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for key in arrays():
            with file.open(f"{key}.npy", "w", force_zip64=True) as member:
                member.write(bytes(2**26))


X, Y = arrays()["x_train"], arrays()["y_train"]
BAD_FILES = {
    "missing": (lambda path: None, "no such file"),
    "folder": (lambda path: path.mkdir(), "not an .npz file"),
    "empty": (lambda path: path.touch(), "not an .npz file"),
    "text": (_text, "not an .npz file"),
    "truncated": (_truncated, "not an .npz file"),
    "damaged": (_damaged, "not an .npz file"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps(arrays())), "not an .npz file"),
    "one_array": (_one_array, "not an .npz file"),
    "no_array_inside": (_no_array_inside, "missing: x_train"),
    "pipe": (_pipe, "not a regular file"),
    "swollen": (_swollen, "unpacks to 0.2 GiB, more than the limit of 0 GiB"),
    "no_keys": (
        lambda path: np.savez(path, X=X),
        "missing: x_train, y_train, x_test, y_test; it has: X",
    ),
    "no_labels": (lambda path: np.savez(path, x=X), "x and y; missing: y"),
    "other_lengths": (
        lambda path: np.savez(path, x=X, y=Y[:-1]),
        "x must hold n > 0 .* y n labels",
    ),
    "lonely_class": (
        lambda path: np.savez(path, x=X, y=np.arange(60) > 58),
        "two samples or more of each class, got one",
    ),
    "one_class": (lambda path: np.savez(path, x=X, y=0 * Y), "at least two classes"),
}
FINITE, LABELS = "x_train must hold finite", "y_train must hold labels"
BAD_ARRAYS = {
    "no_test_labels": ({"y_test": None}, "missing: y_test"),
    "lengths": ({"y_train": Y[:-1]}, r"x_train must hold n > 0 .* \(60, 6, 6\) and \(59,\)"),
    "widths": ({"x_test": np.zeros((20, 6, 5))}, r"one shape, got \(6, 6\) and \(6, 5\)"),
    "labels_in_columns": ({"y_train": Y[:, None]}, r"\(60, 1\)"),
    "scalars": ({"x_train": X[0, 0, 0], "y_train": Y[0]}, r"shapes \(\) and \(\)"),
    "no_samples": ({"x_test": X[:0], "y_test": Y[:0]}, "x_test must hold n > 0"),
    "no_pixels": ({"x_train": X[:, :0], "x_test": X[:20, :0]}, "x_train must hold n > 0"),
    "one_class": ({"y_train": np.zeros(60)}, "y_train must hold at least two classes"),
    "nan": ({"x_train": np.where(X > 0.2, np.nan, X)}, FINITE + " numbers.*got NaN"),
    "huge": ({"x_train": X * 1e300}, FINITE),
    "words": ({"x_train": X.astype(str)}, FINITE),
    "complex": ({"x_train": X + 1j}, FINITE),
    "objects": ({"x_train": X.astype(object)}, "x_train must hold numbers"),
    "object_labels": ({"y_train": Y.astype(object)}, r"store y_train.to_numpy\(dtype=str\)"),
    "measurements": ({"y_train": Y + 0.5 * X[:, 0, 0]}, LABELS),
    "mixed_labels": ({"y_train": np.where(Y, "1", "0")}, "both hold numbers, or both strings"),
    "nan_labels": ({"y_train": np.where(Y, np.nan, 1.0)}, LABELS),
}


def assert_refused(path, words, tmp_path, capsys):
    assert run(tmp_path / "out", "--data", path) == 2
    found = capsys.readouterr()
    assert re.fullmatch(rf"skdict_sup: .*data\.npz: .*{words}.*\n", found.err)
    assert found.out == ""
    assert not (tmp_path / "out" / "atoms.png").exists()


@pytest.mark.parametrize(("make", "words"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_cannot_be_read(tmp_path, capsys, monkeypatch, make, words):
    monkeypatch.setattr("skdict_sup.demo.data.MAX_BYTES", 2**26)
    make(tmp_path / "data.npz")
    assert_refused(tmp_path / "data.npz", words, tmp_path, capsys)


@pytest.mark.parametrize(("changed", "words"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_arrays_that_cannot_be_used(tmp_path, capsys, changed, words):
    assert_refused(saved(tmp_path / "data.npz", **changed), words, tmp_path, capsys)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--components", "0", "--components must be .* got 0"),
        ("--components", "-3", "--components must be .* got -3"),
        ("--components", "1000000", "--components must be .* got 1000000"),
        ("--epochs", "0", "--epochs must be .* got 0"),
        ("--lam", "-0.1", "--lam must be .* got -0.1"),
        ("--lam", "nan", "--lam must be .* got nan"),
        ("--lam", "inf", "--lam must be .* got inf"),
        ("--seed", "-1", "--seed must be .* got -1"),
        ("--seed", "4294967296", "--seed must be .* got 4294967296"),
    ],
)
def test_a_number_out_of_range(tmp_path, capsys, option, value, words):
    assert main(["--output", str(tmp_path), option, value]) == 2
    found = capsys.readouterr()
    assert re.fullmatch(rf"skdict_sup: {words}\n", found.err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options", [["--components", "many"], ["--epochs", "1.5"], ["--lam", "small"], ["--unknown"]]
)
def test_an_option_that_cannot_be_read(tmp_path, capsys, options):
    with pytest.raises(SystemExit) as stopped:
        main(["--output", str(tmp_path), *options])
    assert stopped.value.code == 2
    assert options[0] in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_quick_part_of_one_class(tmp_path, capsys):
    X, y = np.random.default_rng(0).random((5000, 4)), np.arange(5000) == 7
    path = saved(tmp_path / "data.npz", x_train=X, y_train=y, x_test=X[:9], y_test=y[:9])
    assert run(tmp_path / "out", "--quick", "--data", path) == 2
    assert re.fullmatch(r"skdict_sup: .*data\.npz: .* only one class\n", capsys.readouterr().err)


def test_an_output_that_is_a_file(tmp_path, capsys):
    (tmp_path / "taken").write_text("mine")
    for output in (tmp_path / "taken", tmp_path / "taken" / "below"):
        assert main(["--quick", "--output", str(output)]) == 2
        assert re.fullmatch(r"skdict_sup: --output .*taken.*\n", capsys.readouterr().err)
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_figure_that_cannot_be_written(tmp_path, capsys):
    path = saved(tmp_path / "stripes.npz")
    (tmp_path / "out" / "atoms.png").mkdir(parents=True)
    assert run(tmp_path / "out", "--data", path) == 2
    assert re.fullmatch(r"skdict_sup: .*atoms\.png.*\n", capsys.readouterr().err)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["atoms.png"]
