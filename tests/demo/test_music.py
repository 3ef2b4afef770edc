"""The script of music: sounds in files, their spectra, and pieces that are in one set alone."""

import importlib
import sys

import numpy as np
import pytest
from scipy.io import wavfile
from scripts import imported_paper, needs_scripts

pytestmark = needs_scripts


@pytest.fixture(scope="module")
def music():
    with imported_paper("music") as module:
        yield module


@pytest.fixture(scope="module")
def sounds(music):
    return sys.modules["_sounds"]


@pytest.mark.parametrize("rate", [11_025, 16_000, 44_100])
def test_a_tone_has_one_peak_at_its_frequency_for_every_rate(sounds, rate):
    t = np.arange(rate) / rate
    found = sounds.spectra(np.sin(2 * np.pi * 1000 * t), rate)
    assert found.shape == (20, 276)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(found.argmax(axis=1), 50)  # bins of 20 Hz


def test_silent_snippets_are_left_out(sounds):
    sound = np.random.default_rng(0).normal(size=11_025)
    sound[:5513] *= 1e-4
    assert len(sounds.spectra(sound, 11_025)) == 10


def test_sounds_that_are_too_short_or_too_coarse_are_refused(sounds):
    with pytest.raises(ValueError, match="rate must be at least 11000"):
        sounds.spectra(np.zeros(8000), 8000)
    with pytest.raises(ValueError, match="must have at least 551 samples"):
        sounds.spectra(np.ones(100), 11_025)


def write(folder, sounds, n_styles, n_pieces):
    for number in range(n_styles):
        genre = folder / f"genre{number}"
        genre.mkdir(parents=True)
        for seed in range(n_pieces):
            sound = sounds.piece(number, 1.0, seed)
            sound = np.round(3e4 * sound / np.abs(sound).max()).astype(np.int16)
            wavfile.write(genre / f"{seed}.wav", sounds.RATE, np.stack([sound, sound], axis=1))


def test_files_have_the_spectra_of_their_sounds(sounds, tmp_path):
    write(tmp_path, sounds, 3, 3)
    found = sounds.read_folder(tmp_path)
    assert list(found) == ["genre0", "genre1", "genre2"]
    for number, pieces in enumerate(found.values()):
        for seed, spectra in enumerate(pieces):
            expected = sounds.spectra(sounds.piece(number, 1.0, seed), sounds.RATE)
            np.testing.assert_allclose(spectra, expected, atol=2e-3)


def test_folders_of_too_few_pieces_are_refused(sounds, tmp_path):
    write(tmp_path, sounds, 3, 2)
    with pytest.raises(ValueError, match=r"at least three folders.* too few in .*genre0"):
        sounds.read_folder(tmp_path)


def test_sets_share_no_piece(music):
    rng = np.random.default_rng(0)
    by_genre = {f"g{i}": [rng.random((4, 5)) for _ in range(15)] for i in range(17)}
    found = music.Music(by_genre)
    assert len(found.unlabelled) == 10 * 15 * 4
    assert len(found.names) == 7
    counts = {key: len(pieces) for key, pieces in found.sets.items()}
    assert counts == {"fit": 7 * 7, "held out": 7 * 3, "test": 7 * 5}
    seen = [id(part) for pieces in found.sets.values() for part, _ in pieces]
    labelled = [id(part) for name in found.names for part in by_genre[name]]
    assert sorted(seen) == sorted(labelled)


def test_the_protocol_learns_from_generated_sounds(music, sounds, monkeypatch):
    monkeypatch.setattr(music, "KL_PAIRS", music.KL_PAIRS[:1])
    monkeypatch.setattr(music, "L1_LAMS", music.L1_LAMS[1:2])
    monkeypatch.setattr(music, "COSTS", (0.1, 1.0))
    monkeypatch.setattr(music, "RATES", (0.1,))
    data = music.Music(sounds.generated(4, 3, 1.0))
    settings = {"atoms": 8, "components": 5, "epochs": 1}
    kept = importlib.import_module("_kept").Kept("music", keep=False)
    found = music.measure(data, settings, (30,), (0,), kept, "")
    assert list(found[30]) == ["spectra", "PCA", "L1", "KL", "KL + backprop"]
    for ((test, validation, chosen),) in found[30].values():
        assert 0 <= test <= 100
        assert 0 <= validation <= 100
        assert isinstance(chosen, str)
    lines = music.page(data, found, settings, ["- about"], True, "Generated.")
    assert any(line.startswith("| 30 |") for line in lines)
