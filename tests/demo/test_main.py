"""The main job: its table, its figure, and what an interrupt leaves."""

import io
import re
import signal
import subprocess
import sys
import tempfile
import warnings
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image
from stripes import arrays, run, saved

import skdict_sup
from skdict_sup.demo import command, methods
from skdict_sup.demo.data import normalise, shifts
from skdict_sup.dictionary.start import ZeroCodesWarning

NAMES = ("linear on raw pixels", "linear on unsupervised codes", "supervised dictionary")


def assert_table_and_figure(text, folder, seen="pixels"):
    for name in (name.replace("pixels", seen) for name in NAMES):
        assert re.search(rf"^{name} +\d+\.\d\d %", text, re.MULTILINE), name
    codes = re.findall(r"%  +\d+\.\d  +(\d+e[+-]\d+)  +\d+\.\d$", text, re.MULTILINE)
    assert len(codes) == 2
    assert all(float(gap) <= 1e-5 for gap in codes)
    assert [path.name for path in folder.iterdir()] == ["atoms.png"]
    picture = imread(folder / "atoms.png")
    assert min(picture.shape[:2]) > 30
    assert picture[..., :3].std() > 0.05  # something is drawn
    assert (folder / "atoms.png").stat().st_mode & 0o777 == 0o644


def assert_fits_into_a_terminal(text):
    lines = [line for line in text.splitlines() if not line.endswith("atoms.png")]
    assert max(map(len, lines)) < 80


# --- what it makes ----------------------------------------------------------------------------


def test_the_command_on_the_digits(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "skdict_sup", "--quick", "--output", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(skdict_sup.__file__).parents[1],
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "digits of scikit-learn: 1000 signals of 8x8" in done.stdout
    assert_table_and_figure(done.stdout, tmp_path)
    assert_fits_into_a_terminal(done.stdout)
    assert re.search(r"took \d+\.\d s, which the table does not count", done.stdout)
    assert re.search(r"\d+ s in total, \d+ s of them for compilation", done.stdout)
    assert "The 50 atoms of a dictionary for digits of scikit-learn, learned" in done.stdout


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "60 signals of 6x6"),
        (arrays((17, 16)), "60 signals of 17x16"),  # large enough to be shifted
        ({k: v.reshape(len(v), -1) for k, v in arrays().items() if k[0] == "x"}, "signals of 36 "),
        ({k: (255 * v).astype(np.uint16) for k, v in arrays().items() if k[0] == "x"}, "6x6"),
        ({k: np.where(v, "yes", "no") for k, v in arrays().items() if k[0] == "y"}, "6x6"),
        (arrays(n_train=5), "5 signals of 6x6"),
    ],
    ids=["images", "large_images", "vectors", "integers", "strings", "few"],
)
def test_data_of_ones_own(tmp_path, capsys, changed, said):
    path = saved(tmp_path / "stripes.npz", **changed)
    output = tmp_path / "new" / "folder"
    assert run(output, "--data", path) == 0
    found = capsys.readouterr()
    assert found.err == ""
    assert re.search(rf"^stripes\.npz: .*{said}", found.out)
    assert "5 atoms, 2 epochs" in found.out
    assert_table_and_figure(found.out, output, "features" if "36" in said else "pixels")


def test_codes_of_zero_are_told_of(tmp_path, capsys):
    path = saved(tmp_path / "stripes.npz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroCodesWarning)  # the learner says so, too
        assert run(tmp_path / "out", "--data", path, "--lam", "10") == 0
    assert "codes are all zero: lam is too large" in capsys.readouterr().out


def test_without_matplotlib_there_is_a_table_without_a_figure(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run(tmp_path / "out", "--data", saved(tmp_path / "stripes.npz")) == 0
    found = capsys.readouterr()
    assert found.err == ""
    before, _, table = found.out.partition("compiling")
    assert 'no figure: matplotlib is missing (pip install "skdict-sup[demo]" has it)' in before
    assert all(name in table for name in NAMES)
    assert "in total" in table
    assert not list((tmp_path / "out").iterdir())


def test_samples_that_are_not_split_get_stratified_splits(tmp_path, capsys):
    given = arrays()
    for n_samples, n_splits in ((60, 5), (8, 3)):
        path = tmp_path / "whole.npz"
        y = np.arange(n_samples) % 2 if n_samples == 60 else np.arange(n_samples) < 3
        np.savez(path, x=given["x_train"][:n_samples], y=y)
        assert run(tmp_path / "out", "--data", path, "--epochs", 1) == 0
        out = capsys.readouterr().out
        assert f"{n_splits} splits 5 atoms" in " ".join(out.split())
        assert out.count("supervised dictionary") == n_splits + 1
        assert_table_and_figure(out, tmp_path / "out")
        assert_fits_into_a_terminal(out)


def test_the_lines_of_the_help_make_a_file_of_images(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = arrays((40, 30))
    for number, (image, label) in enumerate(zip(given["x_test"], given["y_test"], strict=True)):
        folder = tmp_path / "photos" / ("columns" if label else "rows")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((190 * image).astype(np.uint8)).save(folder / f"{number}.png")
    lines = re.findall(r"^  (\w+ = .*|np\.savez.*)$", command.parser().format_help(), re.MULTILINE)
    assert len(lines) == 3
    exec("\n".join(lines), {"np": np, "Path": Path, "Image": Image})
    assert run(tmp_path / "out", "--data", "photos.npz", "--epochs", 1) == 0
    assert re.search(r"^photos\.npz: 16 signals of 28x28", capsys.readouterr().out)
    readme = Path(skdict_sup.__file__).parents[1] / "README.md"
    assert "\n".join(lines) in readme.read_text(encoding="utf-8")


def test_a_seed_decides_about_everything_that_is_random(tmp_path, capsys):
    path, found = tmp_path / "whole.npz", []
    given = arrays()
    np.savez(path, x=given["x_train"], y=given["y_train"])
    for seed in (1, 1, 2):
        assert run(tmp_path / "out", "--quick", "--data", path, "--epochs", 1, "--seed", seed) == 0
        lines = capsys.readouterr().out
        assert f"5 atoms, 1 epochs, seed {seed}\n" in lines
        picture = (tmp_path / "out" / "atoms.png").read_bytes()
        found.append((re.findall(r"\d+\.\d+ %", lines), picture))
    assert found[0] == found[1]
    assert found[0] != found[2]


@cache
def table_of_stripes():
    """Errors of the methods on the stripes as they are."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()) as out:
        assert run(Path(folder), "--data", saved(Path(folder) / "stripes.npz")) == 0
    return re.findall(r"\d+\.\d\d %", out.getvalue())


@pytest.mark.parametrize("scale", [1e38, 3e38, 1e-38])
def test_the_scale_of_the_signals_is_no_matter(tmp_path, capsys, scale):
    changed = {k: v * np.float64(scale / 1.3) for k, v in arrays().items() if k[0] == "x"}
    assert run(tmp_path, "--data", saved(tmp_path / "stripes.npz", **changed)) == 0
    found = capsys.readouterr()
    assert found.err == ""
    assert re.findall(r"\d+\.\d\d %", found.out) == table_of_stripes()


@pytest.mark.parametrize(
    "labels",
    [np.array([0, 1e300]), np.array([2**63, 2**64 - 1], np.uint64), np.array([-1, 2**62])],
    ids=["floats", "unsigned", "negative"],
)
def test_labels_may_be_any_number(tmp_path, capsys, labels):
    changed = {k: labels[v] for k, v in arrays().items() if k[0] == "y"}
    assert run(tmp_path, "--data", saved(tmp_path / "stripes.npz", **changed)) == 0
    assert re.findall(r"\d+\.\d\d %", capsys.readouterr().out) == table_of_stripes()


@pytest.mark.filterwarnings("ignore:lam=2 makes 100% of the training codes zero")  # as meant
@pytest.mark.filterwarnings("ignore:All codes of the .* signals are zero. ElasticNet.lam=2")
def test_lam_is_that_of_the_codes(tmp_path, capsys):
    path = saved(tmp_path / "stripes.npz")
    counts = []
    for lam in (0.05, 0.6, 2.0):
        assert run(tmp_path / "out", "--data", path, "--lam", lam) == 0
        found = re.findall(r"%  +(\d+\.\d)  +\d+e", capsys.readouterr().out)
        counts.append([float(count) for count in found])
    few, some, none = counts[1], counts[0], counts[2]
    assert none == [0.0, 0.0]  # signals and atoms have norm one: lam_max is at most one
    assert all(0 < f < s for f, s in zip(few, some, strict=True))


def moved_point(side):
    """A bright point in the middle of an image, moved 200 times."""
    image = np.zeros((1, side, side))
    image[0, side // 2, side // 2] = 1.0
    X = np.repeat(normalise(image.reshape(1, -1)), 200, axis=0)
    moved = shifts((side, side))(X, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1.0)
    np.testing.assert_allclose(moved.mean(axis=1), 0.0, atol=1e-15)
    return moved.reshape(200, side, side)


def test_shifts_move_large_images_by_at_most_a_whole_pixel():
    moved = moved_point(17)
    places = {tuple(map(int, np.unravel_index(m.argmax(), m.shape))) for m in moved}
    assert places == {(i, j) for i in (7, 8, 9) for j in (7, 8, 9)}


def test_shifts_move_small_images_by_at_most_half_a_pixel():
    moved = moved_point(5)
    ink = moved - moved.min(axis=(1, 2), keepdims=True)
    ink /= ink.sum(axis=(1, 2), keepdims=True)
    centres = np.stack([ink.sum(axis=2) @ np.arange(5), ink.sum(axis=1) @ np.arange(5)])
    assert np.abs(centres - 2).max() <= 0.5 + 1e-12
    assert (centres.std(axis=1) > 0.2).all()  # 1 / sqrt(12) for a uniform move


# --- interrupts -------------------------------------------------------------------------------


def _interrupt(*arguments, **options):
    raise KeyboardInterrupt


def _interrupt_half_way(path, *arguments):
    Path(path).write_bytes(b"half a picture")
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("module", "name", "replacement"),
    [
        (command, "load_file", _interrupt),
        (methods, "encode", _interrupt),
        (methods.SupervisedDictionaryClassifier, "fit", _interrupt),
        (command, "draw_atoms", _interrupt_half_way),
    ],
)
@pytest.mark.parametrize("before", [None, b"an older picture"])
def test_an_interrupt_leaves_no_file_behind(
    tmp_path, capsys, monkeypatch, module, name, replacement, before
):
    path = saved(tmp_path / "stripes.npz")
    output = tmp_path / "out"
    output.mkdir()
    if before is not None:
        (output / "atoms.png").write_bytes(before)
    monkeypatch.setattr(module, name, replacement)
    assert run(output, "--data", path) == 130
    assert "interrupted" in capsys.readouterr().err
    assert [p.read_bytes() for p in output.iterdir()] == ([] if before is None else [before])


def started(tmp_path, script, **options):
    """The main job in another process, after some lines of Python."""
    path = saved(tmp_path / "stripes.npz")
    (tmp_path / "out").mkdir()
    script += (
        "\nimport sys\nfrom skdict_sup.demo.command import main\nsys.exit(main(["
        f"'--data', {str(path)!r}, '--components', '5', '--epochs', '2', "
        f"'--output', {str(tmp_path / 'out')!r}]))"
    )
    root = Path(skdict_sup.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        **options,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without a signal")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_process_ended_while_it_draws_leaves_no_picture(tmp_path, number, code):
    script = """
import time
from pathlib import Path
from skdict_sup.demo import command
def draw_half(path, *arguments):
    Path(path).write_bytes(b"half a picture")
    print("drawing", flush=True)
    time.sleep(60)
command.draw_atoms = draw_half
"""
    with started(tmp_path, script) as process:
        while process.stdout.readline() not in ("drawing\n", ""):
            pass
        process.send_signal(number)
        error = process.communicate()[1]
    assert process.returncode == code
    assert "Traceback" not in error
    left = [path.suffix for path in (tmp_path / "out").iterdir()]
    assert left == ([] if number == signal.SIGTERM else [".part"])


def test_a_reader_that_leaves_early_ends_the_job_quietly(tmp_path):
    with started(tmp_path, "") as process:
        process.stdout.close()
        error = process.stderr.read()
    assert (process.returncode, error) == (141, "")
    assert list((tmp_path / "out").iterdir()) == []
