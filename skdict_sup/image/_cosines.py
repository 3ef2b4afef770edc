"""Atoms to start from: sampled cosines."""

from itertools import product

import numpy as np

_LEAST = 1e-3  # norm, relative to that of ones, below which a cosine counts as constant


def cosine_atoms(n_components, size, n_channels):
    """The cosines of lowest frequencies, less their means in each channel, of norm one.

    Frequencies are finer than those of a cosine transform, so that there may be more atoms than
    features. The result is a NumPy array (n_components, height * width * n_channels).
    """
    shape = (*size, n_channels)
    n_features = size[0] * size[1] * n_channels
    step = min(1.0, (n_features / (2 * n_components)) ** 0.5)
    spacings = zip(shape, (step, step, 1.0), strict=True)
    frequencies = list(product(*(np.arange(0, n, spacing) for n, spacing in spacings)))
    atoms: list[np.ndarray] = []
    for place in sorted(frequencies, key=lambda place: np.sum((np.array(place) / shape) ** 2)):
        atom = np.ones(())
        for frequency, n in zip(place, shape, strict=True):
            wave = np.cos(np.pi * frequency * (np.arange(n) + 0.5) / n)
            atom = np.multiply.outer(atom, wave)
        atom = atom - atom.mean(axis=(0, 1))
        norm = np.linalg.norm(atom)
        if norm > _LEAST * atom.size**0.5 and len(atoms) < n_components:
            atoms.append(atom.ravel() / norm)
    return np.asarray(atoms)
