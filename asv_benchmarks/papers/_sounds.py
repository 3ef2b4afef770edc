"""Sounds of several styles, made at random, and the spectra of sounds in files."""

from pathlib import Path

import numpy as np
from scipy.io import wavfile

RATE = 11_025  # samples per second of generated sounds
SNIPPET = 0.05  # seconds
TOP = 5500.0  # Hz: the highest frequency that is used
SILENCE = 1e-3  # energy of a snippet, relative to the mean of its piece, below which it is dropped
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10), tuple(range(12)))


def style(number):
    """Settings of a style: timbre, register, scale, speed, voices, drums and noise."""
    rng = np.random.default_rng([17, number])
    return {
        "falloff": rng.uniform(0.4, 0.9),  # ratio of the amplitudes of neighbouring harmonics
        "even": rng.choice([0.1, 1.0]),  # strength of even harmonics
        "register": rng.uniform(48, 72),  # mean pitch, in semitones
        "scale": SCALES[rng.integers(len(SCALES))],
        "notes": rng.uniform(1.5, 6),  # in a second
        "voices": int(rng.integers(1, 4)),
        "decay": rng.uniform(0.08, 0.8),  # seconds
        "drums": rng.choice([0.0, 0.3, 1.0]),
        "noise": rng.uniform(0.005, 0.05),
        "vibrato": rng.choice([0.0, 0.006]),
    }


def piece(number, seconds, seed):
    """A piece of a style, with its own key, speed, timbre, tone control and noise."""
    rng, settings = np.random.default_rng([seed, number]), style(number)
    n = int(seconds * RATE)
    sound, time = np.zeros(n), np.arange(n) / RATE
    key, register = rng.integers(12), settings["register"] + rng.normal(scale=3)
    falloff = np.clip(settings["falloff"] + rng.normal(scale=0.08), 0.2, 0.95)
    speed = settings["notes"] * rng.uniform(0.75, 1.35)
    harmonics = np.arange(1, 13)
    strengths = falloff**harmonics * np.where(harmonics % 2, 1.0, settings["even"])
    for start in np.arange(0, seconds, 1 / speed):
        where = slice(int(start * RATE), int((start + 4 * settings["decay"]) * RATE))
        t = time[where] - start
        envelope = np.minimum(np.abs(t) / 0.01, 1) * np.exp(-t / settings["decay"])
        for _ in range(settings["voices"]):
            pitch = _near(register + rng.normal(scale=5), key, settings["scale"])
            frequency = 440 * 2 ** ((pitch - 69) / 12)
            wobble = settings["vibrato"] * np.sin(2 * np.pi * 5.5 * t) / 5.5
            heard = harmonics[harmonics * frequency < RATE / 2]
            phases = 2 * np.pi * frequency * heard[:, None] * (t + wobble)
            sound[where] += envelope * (strengths[: len(heard)] @ np.sin(phases))
        if rng.random() < settings["drums"]:
            burst = np.diff(rng.normal(size=len(t) + 1))
            sound[where] += rng.uniform(0.3, 1.0) * burst * np.exp(-t / 0.03)
    tone = rng.uniform(-0.4, 0.6)  # a one-pole filter, as of a tone control
    sound[1:] = sound[1:] + tone * sound[:-1]
    return sound + settings["noise"] * sound.std() * 10 * rng.normal(size=n)


def _near(pitch, key, scale):
    """Pitch of a scale that is nearest to one."""
    around = np.arange(np.floor(pitch) - 6, np.floor(pitch) + 7)
    allowed = around[np.isin((around - key) % 12, scale)]
    return allowed[np.argmin(np.abs(allowed - pitch))]


def spectra(sound, rate):
    """Magnitudes of the spectra of snippets with norm one: (n_snippets, 20 Hz steps up to TOP).

    The number of samples in a snippet follows the rate, so that bins are the same frequencies for
    all rates.
    """
    length = round(SNIPPET * rate)
    n_bins = int(TOP * SNIPPET) + 1
    if n_bins > length // 2 + 1:
        raise ValueError(f"the rate must be at least {2 * TOP:g} samples per second, got {rate}.")
    n = len(sound) // length
    if n == 0:
        raise ValueError(f"a sound must have at least {length} samples, got {len(sound)}.")
    snippets = np.reshape(sound[: n * length], (n, length)) * np.hanning(length)
    magnitudes = np.abs(np.fft.rfft(snippets, axis=1)[:, :n_bins])
    norms = np.linalg.norm(magnitudes, axis=1)
    heard = norms**2 > SILENCE * np.mean(norms**2)
    return (magnitudes[heard] / norms[heard, None]).astype(np.float32)


def read_sound(path):
    """A sound in one channel, and its rate."""
    rate, sound = wavfile.read(path)
    sound = sound.astype(np.float64)
    return (sound.mean(axis=1) if sound.ndim == 2 else sound), rate


def generated(n_styles, n_pieces, seconds):
    """Style -> list of the spectra of its pieces."""
    return {
        f"style {number + 1:02d}": [
            spectra(piece(number, seconds, seed), RATE) for seed in range(n_pieces)
        ]
        for number in range(n_styles)
    }


def read_folder(folder):
    """Genre -> list of the spectra of its pieces: a folder of .wav files for each genre."""
    found = {}
    for genre in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
        paths = sorted(path for path in genre.iterdir() if path.suffix.lower() == ".wav")
        if paths:
            found[genre.name] = [spectra(*read_sound(path)) for path in paths]
    few = {name: len(pieces) for name, pieces in found.items() if len(pieces) < 3}
    if len(found) < 3 or few:
        raise ValueError(
            f"{folder} must hold at least three folders, one for each genre, with three .wav"
            f" files or more each; got {len(found)} folders"
            + (f", with too few in {few}." if few else ".")
        )
    return found
