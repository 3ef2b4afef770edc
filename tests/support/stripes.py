"""A tiny data set for the main job, as a file, and a call of the main job."""

import numpy as np

from skdict_sup.demo.command import main


def stripes(n_samples, shape, seed):
    """Images of bright rows (class 0) or columns (class 1), shifted and noisy."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n_samples)
    y[:2] = 0, 1
    X = 0.3 * rng.random((n_samples, *shape))
    for image, label in zip(X, y, strict=True):
        if label:
            image[:, rng.integers(shape[1])] += 1
        else:
            image[rng.integers(shape[0]), :] += 1
    return X, y


def arrays(shape=(6, 6), n_train=60):
    x_train, y_train = stripes(n_train, shape, 0)
    x_test, y_test = stripes(20, shape, 1)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def saved(path, **changed):
    np.savez(path, **{k: v for k, v in {**arrays(), **changed}.items() if v is not None})
    return path


def run(path, *options):
    small = ["--components", "5", "--epochs", "2", "--output", str(path)]
    return main([*small, *map(str, options)])  # the last one of equal options counts
