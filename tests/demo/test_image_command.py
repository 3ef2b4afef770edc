"""The job that restores photographs: its table, its files, and what it refuses."""

import io
import os
import re
from contextlib import redirect_stdout
from dataclasses import replace

import numpy as np
import pytest
from pictures import as_bytes, picture
from PIL import Image

import skdict_sup.__main__ as entry
from skdict_sup.demo import image_command, image_figure, image_methods
from skdict_sup.demo.image_command import main
from skdict_sup.demo.image_inpainting import Inpainting
from skdict_sup.demo.image_methods import LinkedDictionaries
from skdict_sup.demo.image_tasks import TASKS
from skdict_sup.demo.photographs import read_photograph
from skdict_sup.image._stored_model import load_model

SHAPE = (33, 40)
DB = r"\d+\.\d\d dB +\d\.\d{3}"


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Settings of --quick that take no time, and no figure."""
    few = {"n_components": 8, "patch_size": 6, "n_patches": 300, "epochs": 1}
    for method in (LinkedDictionaries, Inpainting):
        monkeypatch.setattr(method, "quick", lambda self: replace(self, **few))
    monkeypatch.setattr(image_command, "warm_up", lambda method: 0.0)
    monkeypatch.setattr(
        image_command, "draw_photographs", lambda path, *shown: path.write_bytes(b"drawn")
    )


def saved(path, seed=0, shape=SHAPE):
    Image.fromarray(as_bytes(picture(shape, seed))).save(path)
    return path


def run(folder, *options):
    """Exit code of the job with photographs of its own, and with a figure in a folder."""
    given = {"--train": saved(folder / "train.png"), "--apply": saved(folder / "apply.png", 1)}
    words = [word for pair in given.items() if pair[0] not in options for word in pair]
    if "--load" in options:
        words = words[2:]
    output = [] if "--output" in options else ["--output", folder / "out" / "restored.png"]
    (folder / "out").mkdir(exist_ok=True)
    return main([str(word) for word in ("--quick", *words, *output, *options)])


def files_of(folder):
    return sorted(path.name for path in (folder / "out").iterdir())


# --- what it makes ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:lam=.* makes")  # settings are for larger patches
@pytest.mark.parametrize("task", TASKS)
def test_table_and_figure_of_each_task(tmp_path, capsys, monkeypatch, task):
    monkeypatch.setattr(image_command, "draw_photographs", image_figure.draw_photographs)
    assert run(tmp_path, "--task", task) == 0
    found = capsys.readouterr()
    assert found.err == ""
    assert found.out.startswith(f"{task}: 8 atoms of 6 x 6, 1 epoch on train.png (40 x 3")
    rows = re.findall(rf"^(.+?)  +{DB}(  +\d+\.\d)?$", found.out, re.MULTILINE)
    other = 1 + bool(TASKS[task].baseline)
    method, names = TASKS[task].method, [row[0] for row in rows]
    assert names[:1] + names[other:] == [TASKS[task].input_name, *method.others(None), method.name]
    assert [bool(row[1]) for row in rows] == [False] + [True] * (len(rows) - 1)
    assert files_of(tmp_path) == ["restored.png"]
    with Image.open(tmp_path / "out" / "restored.png") as figure:
        assert min(figure.size) > 300
        assert np.asarray(figure.convert("L")).std() > 10  # something is drawn
    assert (tmp_path / "out" / "restored.png").stat().st_mode & 0o777 == 0o644


def test_the_photographs_of_scikit_learn(tmp_path, capsys):
    assert entry.main(["image", "--quick", "--output", str(tmp_path / "restored.png")]) == 0
    found = capsys.readouterr()
    heading = " ".join(found.out.split())  # in lines that fit into a terminal
    assert re.match(r"halftone: .* on china\.jpg .*; applied to flower\.jpg", heading)
    assert max(len(line) for line in found.out.splitlines() if str(tmp_path) not in line) < 80
    assert len(re.findall(DB + r"(?:  +\d+\.\d)?$", found.out, re.MULTILINE)) == 5


def test_the_first_word_selects_the_job_and_its_help_fits_into_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for words, expected in ((["image", "--help"], "photograph"), (["--help"], "raw pixels")):
        with pytest.raises(SystemExit) as stopped:
            entry.main(words)
        assert stopped.value.code == 0
        shown = capsys.readouterr().out
        assert expected in shown
        assert max(map(len, shown.splitlines())) < 80


def test_several_photographs_for_training(tmp_path, capsys):
    others = saved(tmp_path / "a.png", 2), saved(tmp_path / "b.png", 3, (20, 25))
    assert run(tmp_path, "--train", *others) == 0
    heading = " ".join(capsys.readouterr().out.split())
    assert "on a.png (40 x 33), b.png (25 x 20); applied" in heading


def last_row(text):
    return re.findall(rf"^.+?  +({DB})", text, re.MULTILINE)[-1]


@pytest.mark.parametrize("task", ["halftone", "deblur", "inpaint"])
def test_a_stored_model_gives_the_same_numbers(tmp_path, capsys, task):
    model = tmp_path / "out" / "model.npz"
    assert run(tmp_path, "--task", task, "--save", model) == 0
    first = capsys.readouterr().out
    assert files_of(tmp_path) == ["model.npz", "restored.png"]
    about = load_model(model)[1]
    assert about["quick"] is True
    assert about["task"] == task
    assert about["settings"]["n_components"] == 8
    assert run(tmp_path, "--load", model) == 0
    second = capsys.readouterr().out
    assert f"{task}: a stored model; applied to apply.png (40 x 33)" in second
    assert last_row(second) == last_row(first)
    assert "unsupervised linked" not in second


@pytest.mark.parametrize(("task", "factor"), [("halftone", 1), ("zoom", 2)])
def test_a_photograph_that_is_already_degraded(tmp_path, capsys, task, factor):
    model, output = tmp_path / "out" / "model.npz", tmp_path / "out" / "restored.png"
    assert run(tmp_path, "--task", task, "--degraded", "--save", model) == 0
    out = capsys.readouterr().out
    assert "PSNR" not in out
    assert "restored photograph: " in out
    degraded = TASKS[task].prepared(read_photograph(tmp_path / "apply.png").pixels)
    expected = as_bytes(load_model(model)[0].predict(degraded))
    with Image.open(output) as found:
        assert (found.mode, found.size) == ("L", (40 * factor, 33 * factor))
        difference = np.abs(np.asarray(found, int) - expected)
        assert difference.max() <= 1


def test_a_photograph_with_missing_pixels(tmp_path, capsys):
    options, mask = ["--task", "inpaint", "--degraded"], np.full(SHAPE, 255, np.uint8)
    mask[5:20:3, ::2] = 0
    for wrong, words in ((mask[1:], "have the size of apply.png"), (0 * mask, "have white pixel")):
        Image.fromarray(wrong).save(tmp_path / "mask.png")
        named = "--mask", tmp_path / "mask.png"
        assert_refused(tmp_path, capsys, f"mask.png: must {words}", *options, *named)
    assert_refused(tmp_path, capsys, "--degraded needs --mask", *options)
    assert_refused(tmp_path, capsys, "--mask is for --degraded", *named)
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert run(tmp_path, *options, *named) == 0
    paths = tmp_path / "apply.png", tmp_path / "out" / "restored.png"
    before, after = (read_photograph(path).pixels for path in paths)
    np.testing.assert_array_equal(before[mask == 255], after[mask == 255])
    assert (before != after)[mask == 0].mean() > 0.5


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("L", "png"), ("RGB", "png"), ("RGBA", "png"), ("LA", "png"), ("P", "gif"), ("L", "jpg")],
)
def test_gray_levels_of_any_mode(tmp_path, mode, suffix):
    levels = as_bytes(picture())
    Image.fromarray(levels).convert(mode).save(tmp_path / f"photograph.{suffix}")
    found = read_photograph(tmp_path / f"photograph.{suffix}")
    assert (found.was_colour, found.pixels.dtype) == (False, np.float32)
    np.testing.assert_allclose(found.pixels, levels / 255, atol=0.05 if suffix == "jpg" else 1e-6)


def test_colours_become_the_luma(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "photograph.png")
    found = read_photograph(tmp_path / "photograph.png")
    np.testing.assert_allclose(found.pixels, colours @ [0.299, 0.587, 0.114] / 255, atol=1e-6)
    assert found.describe() == "photograph.png (8 x 9, made gray)"


def test_gray_levels_of_16_bits_and_of_one(tmp_path):
    levels = np.random.default_rng(0).integers(0, 2**16, (9, 8), dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    found = read_photograph(tmp_path / "deep.png").pixels
    np.testing.assert_allclose(found, levels / 65535, atol=1e-6)
    Image.fromarray(levels > 9000).save(tmp_path / "halftone.png")
    found = read_photograph(tmp_path / "halftone.png").pixels
    np.testing.assert_array_equal(found, levels > 9000)


def test_a_photograph_lies_as_its_camera_says(tmp_path):
    about = Image.Exif()
    about[0x0112] = 6  # turned by 90 degrees
    Image.fromarray(as_bytes(picture())).save(tmp_path / "turned.jpg", exif=about)
    assert read_photograph(tmp_path / "turned.jpg").pixels.shape == (30, 24)


# --- what it refuses --------------------------------------------------------------------------


def assert_refused(folder, capsys, words, *options):
    assert run(folder, *options) == 2
    found = capsys.readouterr()
    assert re.fullmatch(rf"skdict_sup: .*{words}.*\n", found.err)
    assert found.out == ""
    assert files_of(folder) == []


def _nan(path):
    levels = np.full(SHAPE, 0.5, np.float32)
    levels[0, 0] = np.nan
    Image.fromarray(levels).save(path, format="TIFF")


def _cut(path):
    saved(path)
    path.write_bytes(path.read_bytes()[:-400])


BAD_FILES = {
    "missing": (lambda path: None, "no such file"),
    "folder": (lambda path: path.mkdir(), "not an image"),
    "empty": (lambda path: path.touch(), "not an image"),
    "text": (lambda path: path.write_text("no image"), "not an image"),
    "cut": (_cut, "not an image"),
    "pipe": (os.mkfifo, "not a regular file"),
    "nan": (_nan, "gray levels must be"),
    "small": (lambda path: saved(path, shape=(5, 40)), r"at least \d+ x \d+ pixels, has 40 x 5"),
}


@pytest.mark.parametrize("option", ["--train", "--apply"])
@pytest.mark.parametrize(("make", "words"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_cannot_be_used(tmp_path, capsys, option, make, words):
    make(tmp_path / "bad.png")
    assert_refused(tmp_path, capsys, rf"bad\.png: .*{words}", option, tmp_path / "bad.png")


def test_a_file_of_too_many_pixels(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("skdict_sup.demo.photographs._MOST_PIXELS", 1000)
    assert_refused(tmp_path, capsys, r"train\.png: has 40 x 33 pixels, more than")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--output", "missing/restored.png"], "restored.png cannot be written"),
        (["--output", "."], "--output must be a file that ends in .png"),
        (["--output", "restored.jpg"], "--output must be a file that ends in .png"),
        (["--save", "model.joblib"], "--save must be a file that ends in .npz"),
        (["--save", "missing/model.npz"], "model.npz cannot be written"),
        (["--output", "apply.png"], "--output must not be a photograph that is read"),
        (["--load", "missing.npz"], "missing.npz: no such file"),
        (["--load", "m.npz", "--train", "a.png"], "--train is for a new model"),
        (["--load", "m.npz", "--save", "b.npz"], "--save is for a new model"),
    ],
)
def test_options_that_cannot_be_used(tmp_path, capsys, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    assert_refused(tmp_path, capsys, words, *options)


def test_degraded_without_a_file(tmp_path, capsys):
    assert main(["--degraded", "--output", str(tmp_path / "restored.png")]) == 2
    assert "--degraded needs a file given with --apply" in capsys.readouterr().err


def test_an_output_that_is_a_folder(tmp_path, capsys):
    (tmp_path / "restored.png").mkdir()
    words = r"restored\.png cannot be written: it is a folder"
    assert_refused(tmp_path, capsys, words, "--output", tmp_path / "restored.png")


def test_an_unknown_task(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path, "--task", "colourise")
    assert stopped.value.code == 2
    assert "colourise" in capsys.readouterr().err
    assert files_of(tmp_path) == []


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A stored model for halftones."""
    folder = tmp_path_factory.mktemp("stored")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()):
        tiny.__wrapped__(patch)
        assert run(folder, "--save", folder / "model.npz") == 0
    return folder / "model.npz"


def test_a_model_of_another_task(tmp_path, capsys, stored):
    words = r"a model of --task halftone, not of zoom"
    assert_refused(tmp_path, capsys, words, "--load", stored, "--task", "zoom")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"metadata": '{"format": 1, "task": "sing"}'}, "a model of 'sing'"),
        ({"metadata": '{"format": 1, "task": []}'}, r"a model of \[\]"),
        ({"metadata": '{"format": 1, "task": "halftone"}'}, "numbers of the baseline"),
        ({"metadata": "{}"}, "not a stored model"),
        ({"stage0_coef": np.zeros(3)}, "not a stored model"),
    ],
)
def test_a_model_with_other_arrays(tmp_path, capsys, stored, changed, words):
    with np.load(stored) as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(tmp_path / "model.npz", **{**arrays, **changed})
    assert_refused(tmp_path, capsys, words, "--load", tmp_path / "model.npz")


def test_a_broken_model(tmp_path, capsys, stored):
    (tmp_path / "model.npz").write_bytes(stored.read_bytes()[:-100])
    words = r"model\.npz: not a stored model"
    assert_refused(tmp_path, capsys, words, "--load", tmp_path / "model.npz")


def test_an_interrupt_leaves_no_file_behind(tmp_path, capsys, monkeypatch):
    def draw(path, *arguments):
        path.write_bytes(b"half a picture")
        raise KeyboardInterrupt

    monkeypatch.setattr(image_command, "draw_photographs", draw)
    assert run(tmp_path) == 130
    assert "interrupted" in capsys.readouterr().err
    assert files_of(tmp_path) == []


def test_libraries_that_are_missing(tmp_path, capsys, monkeypatch):
    def missing(name):
        raise ImportError(f"scikit-image is needed for {name}")

    monkeypatch.setattr(image_command, "from_skimage", missing)
    assert_refused(tmp_path, capsys, "scikit-image is needed")


def test_pixels_at_the_edges_do_not_count():
    clean = picture((30, 31))
    other = clean + 0.1
    other[:4], other[-4:], other[:, :4], other[:, -4:] = 9, 9, 9, 9
    psnr, ssim = image_methods.quality(clean, other)
    assert psnr == pytest.approx(20.0)
    assert 0 < ssim < 1
