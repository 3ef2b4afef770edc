"""Initial atoms of a dictionary, all of unit norm."""

from .._array import astype_like, device_of, namespace, take_rows, to_numpy
from .._linalg import unit_norm
from .._weighted_signals import filled_by_means

_PART = 2000  # signals, at least, that initial atoms are computed from if not from all
INITS = ("data", "svd", "kmeans")


def initial_dictionary(X, n_components, init, rng, positive=False):
    """Unit-norm atoms (n_components, n_features): data rows, singular vectors or cluster means.

    X are `Signals`; `positive` takes absolute values; `rng` is a NumPy generator.
    """
    X = _array_of(X, n_components, rng)
    if init == "svd":
        atoms = _singular_vectors(X, n_components, rng)
    elif init == "kmeans":
        atoms = _spherical_means(X, _rows(X, n_components, rng))
    else:
        atoms = _rows(X, n_components, rng)
    xp = namespace(X)
    return unit_norm(xp.abs(atoms) if positive else atoms)


def initial_projection(X, n_projected, rng):
    """Orthonormal rows (n_projected, n_features): leading singular vectors of the signals."""
    return _singular_vectors(_array_of(X, n_projected, rng), n_projected, rng)


def _array_of(X, n_vectors, rng):
    """Array of the signals, or of a random part if it would have to be made of many."""
    part = max(_PART, 4 * n_vectors)
    if not X.is_single_array and X.shape[0] > part:
        X = X.rows(rng.permutation(X.shape[0])[:part])
    return filled_by_means(X)


def _rows(X, n_components, rng):
    """Random nonzero signals, normalised; noisy copies where there are too few signals.

    The noise has a third of the norm of a signal.
    """
    xp = namespace(X)
    candidates = rng.permutation(X.shape[0])
    norms = to_numpy(xp.sum(X * X, axis=1))
    candidates = candidates[norms[candidates] > 0][:n_components]
    missing = n_components - len(candidates)
    atoms = unit_norm(take_rows(X, candidates))
    if missing:
        noise = rng.standard_normal((missing, X.shape[1]))
        noise /= (noise**2).sum(axis=1, keepdims=True) ** 0.5
        extra = astype_like(noise, X)
        if len(candidates):
            blurred = take_rows(atoms, rng.integers(len(candidates), size=missing)) + extra / 3
            extra = unit_norm(blurred)
        atoms = xp.concat([atoms, extra], axis=0)
    return atoms


def _singular_vectors(X, n_components, rng):
    """Right singular vectors of at most 10 000 signals, then random signals beyond the rank."""
    xp = namespace(X)
    sample = take_rows(X, rng.permutation(X.shape[0])[:10_000])
    _, values, vectors = xp.linalg.svd(sample, full_matrices=False)
    rank = int(xp.sum(xp.astype(values > 1e-6 * values[0], xp.int64))) if values[0] > 0 else 0
    vectors = vectors[: min(rank, n_components), :]
    missing = n_components - vectors.shape[0]
    return xp.concat([vectors, _rows(X, missing, rng)], axis=0) if missing else vectors


def _spherical_means(X, atoms, n_iter=10):
    """Spherical k-means: each atom becomes the mean direction of the signals nearest to it."""
    xp = namespace(X)
    X = unit_norm(X)
    for _ in range(n_iter):
        nearest = xp.argmax(X @ atoms.T, axis=1)
        columns = xp.arange(atoms.shape[0], device=device_of(X))
        member = xp.astype(nearest[:, None] == columns[None, :], X.dtype)
        means = member.T @ X
        empty = xp.sum(means * means, axis=1, keepdims=True) == 0
        atoms = xp.where(empty, atoms, unit_norm(means))
    return atoms
