"""Data sets that scikit-learn bundles or generates: tables, images and texts."""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_matrix
from sklearn import datasets

SEED = 0
N_PATCHES, PATCH = 1500, 8  # patches of photographs, and their size


def data_sets(quick=False):
    """Name -> (X, y, whether y are classes)."""
    if quick:
        return {name: make() for name, make in list(MAKERS.items())[:2]}
    return {name: make() for name, make in MAKERS.items()}


def _classes(X, y):
    # numbers from 0: a label -1 would be none where mu is above 0
    return X, np.unique(y, return_inverse=True)[1], True


def _numbers(X, y):
    return X, y, False


def _photographs():
    """The two sample photographs in grey, in [0, 1]."""
    return [image.mean(axis=2) / 255 for image in datasets.load_sample_images().images]


def _patches(image, rng, n, size=PATCH):
    """Positions and patches, as rows, of an image."""
    rows = rng.integers(image.shape[0] - size, size=n)
    columns = rng.integers(image.shape[1] - size, size=n)
    window = np.arange(size)
    index = rows[:, None, None] + window[:, None], columns[:, None, None] + window
    return image[index].reshape(n, -1)


def textures():
    """Patches of two photographs, without their means: which photograph is it?"""
    rng = np.random.default_rng(SEED)
    X = np.concatenate([_patches(image, rng, N_PATCHES // 2) for image in _photographs()])
    y = np.repeat([0, 1], N_PATCHES // 2)
    return _classes(X - X.mean(axis=1, keepdims=True), y)


def noisy_patches():
    """Noisy patches of a photograph, and the pixel in their middle without noise."""
    rng = np.random.default_rng(SEED)
    clean = _patches(_photographs()[0], rng, N_PATCHES)
    X = clean + 0.1 * rng.standard_normal(clean.shape)
    return _numbers(X, clean[:, PATCH * PATCH // 2 + PATCH // 2])


def rows_of_digits():
    """Upper halves of a thousand digits, and the two rows of pixels below."""
    X, _ = datasets.load_digits(return_X_y=True)
    return _numbers(X[:1000, :32], X[:1000, 32:48])


def shapes(n=1040, n_classes=26, size=12, noise=1.8):
    """Images of smooth shapes, shifted by a pixel and noisy: 26 classes."""
    rng = np.random.default_rng(SEED)
    fields = rng.standard_normal((n_classes, size + 2, size + 2))
    prototypes = np.array([gaussian_filter(field, 1.5) for field in fields])
    prototypes /= prototypes.std(axis=(1, 2), keepdims=True)
    y, shifts = np.arange(n) % n_classes, rng.integers(3, size=(n, 2))
    X = np.array(
        [prototypes[k, i : i + size, j : j + size] for k, (i, j) in zip(y, shifts, strict=True)]
    )
    X = X + noise * rng.standard_normal(X.shape)
    return _classes(X.reshape(n, -1), y)


def _texts(n=1000, n_words=400, n_topics=6, length=60):
    """Counts of words in texts, as rows of norm one, and the weights of their topics."""
    rng = np.random.default_rng(SEED)
    topics = rng.dirichlet(np.full(n_words, 0.1), n_topics)
    weights = rng.dirichlet(np.full(n_topics, 0.5), n)
    counts = np.array([rng.multinomial(length, p) for p in weights @ topics], float)
    return csr_matrix(counts / np.linalg.norm(counts, axis=1, keepdims=True)), weights, rng


def topics_of_texts():
    """Sparse frequencies of words, and the topic with the largest weight."""
    X, weights, _ = _texts()
    return _classes(X, weights.argmax(axis=1))


def ratings_of_texts():
    """Sparse frequencies of words, and a noisy rating, linear in the weights of topics."""
    X, weights, rng = _texts()
    return _numbers(
        X, weights @ np.arange(weights.shape[1]) + 0.3 * rng.standard_normal(len(weights))
    )


MAKERS = {
    "iris": lambda: _classes(*datasets.load_iris(return_X_y=True)),
    "wine": lambda: _classes(*datasets.load_wine(return_X_y=True)),
    "breast cancer": lambda: _classes(*datasets.load_breast_cancer(return_X_y=True)),
    "moons": lambda: _classes(*datasets.make_moons(1000, noise=0.2, random_state=SEED)),
    "circles": lambda: _classes(
        *datasets.make_circles(1000, noise=0.1, factor=0.6, random_state=SEED)
    ),
    "20 features, 5 classes": lambda: _classes(
        *datasets.make_classification(2000, 20, n_informative=10, n_classes=5, random_state=SEED)
    ),
    "quantiles of a Gaussian": lambda: _classes(
        *datasets.make_gaussian_quantiles(
            n_samples=2000, n_features=10, n_classes=3, random_state=SEED
        )
    ),
    "ten Gaussians (Hastie)": lambda: _classes(
        *datasets.make_hastie_10_2(2000, random_state=SEED)
    ),
    "digits": lambda: _classes(*datasets.load_digits(return_X_y=True)),
    "26 shifted shapes": shapes,
    "patches of two photographs": textures,
    "topics of texts": topics_of_texts,
    "diabetes": lambda: _numbers(*datasets.load_diabetes(return_X_y=True, scaled=False)),
    "Friedman 1": lambda: _numbers(*datasets.make_friedman1(1500, noise=1.0, random_state=SEED)),
    "Friedman 2": lambda: _numbers(*datasets.make_friedman2(1000, noise=100.0, random_state=SEED)),
    "Friedman 3": lambda: _numbers(*datasets.make_friedman3(1000, noise=0.1, random_state=SEED)),
    "linear, 50 features": lambda: _numbers(
        *datasets.make_regression(
            1000, 50, n_informative=20, n_targets=3, noise=20.0, random_state=SEED
        )
    ),
    "Swiss roll": lambda: _numbers(*datasets.make_swiss_roll(1000, noise=1.0, random_state=SEED)),
    "noisy patches": noisy_patches,
    "rows of digits": rows_of_digits,
    "ratings of texts": ratings_of_texts,
}
