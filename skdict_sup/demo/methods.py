"""The three classifiers that the demo compares."""

import time
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from .._threads import one_blas_thread
from .._validation import ConvergenceWarning
from ..coding import encode
from ..estimators import OnlineDictionaryLearning, SupervisedDictionaryClassifier
from ..priors import ElasticNet
from .data import normalise, shifts

_C_VALUES = (0.1, 1.0, 10.0, 100.0)  # candidates for C, compared on held-out training samples
MOST_SHOWN = 6  # atoms of the example
_MAX_VALIDATION_ROWS = 5_000  # training samples used for this comparison


@dataclass(frozen=True)
class Row:
    """One row of the table: means over the splits."""

    name: str
    error: float
    nonzeros: float | None
    gap: float | None
    seconds: float


@dataclass(frozen=True, eq=False)
class Example:
    """A test signal, the atoms that add most to the score of its class, and what they add.

    These are the largest contributions that are above zero, at least one.
    """

    signal: np.ndarray
    atoms: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True, eq=False)
class Comparison:
    """Rows of the table; of the first split, atoms before and after supervision and an example."""

    rows: list
    atoms: tuple
    example: Example


def compare(data, n_components, lam, epochs, seed, progress):
    """Fit the three classifiers to each split: a `Comparison`."""
    signals = normalise(data.X)
    raw_name = "raw pixels" if data.image_shape else "raw features"
    records, atoms, example = [], None, None
    for number, (train, test) in enumerate(data.splits, start=1):
        X, y, X_test, y_test = signals[train], data.y[train], signals[test], data.y[test]
        prefix = f"split {number}/{data.n_splits}: " if data.n_splits > 1 else ""
        start = time.perf_counter()
        raw = data.X / max(np.abs(data.X).max(), 1e-30)
        model = _linear(raw[train], y, seed)
        error = 1 - model.score(raw[test], y_test)
        records.append((f"linear on {raw_name}", error, None, None, time.perf_counter() - start))
        progress(f"{prefix}{raw_name} {100 * error:.2f} %")

        start = time.perf_counter()
        prior = "elastic_net" if lam is None else ElasticNet(lam=lam)
        learner = OnlineDictionaryLearning(n_components, prior=prior, random_state=seed).fit(X)
        model = _linear(learner.transform(X), y, seed)
        seconds = time.perf_counter() - start
        solution = encode(X_test, learner.components_, prior=learner.prior_)
        error = 1 - model.score(solution.code, y_test)
        records.append(("linear on unsupervised codes", error, *_quality(solution), seconds))
        progress(f"{prefix}unsupervised codes {100 * error:.2f} %")

        start = time.perf_counter()
        classifier = SupervisedDictionaryClassifier(
            n_components,
            prior=prior,
            max_iter=epochs,
            standardise=False,  # the other methods of the comparison see signals as they are
            fit_offset=False,
            fit_linear=False,
            augment=None if data.image_shape is None else shifts(data.image_shape),
            random_state=seed,
            verbose=int(data.n_splits == 1),
        ).fit(X, y)
        seconds = time.perf_counter() - start
        solution = encode(X_test, classifier.components_, prior=classifier.prior_)
        error = 1 - classifier.score(X_test, y_test)
        records.append(("supervised dictionary", error, *_quality(solution), seconds))
        progress(f"{prefix}supervised dictionary {100 * error:.2f} %")
        atoms = atoms or (classifier.initial_components_, classifier.components_)
        example = example or _example(classifier, X_test, y_test)
    return Comparison(_means(records), atoms, example)


def _example(classifier, X, y):
    """`Example` of the first signal of the right class, or of the first one."""
    row = int(np.argmax(classifier.predict(X) == y))
    signal = X[row : row + 1]
    atoms = classifier.contributions(signal).atoms[0]
    number = int(np.searchsorted(classifier.classes_, classifier.predict(signal)[0]))
    shares = atoms[number] if atoms.ndim == 2 else (2 * number - 1) * atoms
    order = np.argsort(-shares, kind="stable")[: max(1, min(MOST_SHOWN, (shares > 0).sum()))]
    return Example(signal[0], classifier.components_[order], shares[order])


def prepare():
    """Compile the kernels by fits to a few small signals; return the time in seconds."""
    start = time.perf_counter()
    rng = np.random.default_rng(0)
    X, y = normalise(rng.standard_normal((64, 8)).astype(np.float32)), np.arange(64) % 2
    OnlineDictionaryLearning(4, max_iter=1, random_state=0).fit(X).transform(X)
    SupervisedDictionaryClassifier(4, max_iter=1, random_state=0).fit(X, y).predict(X)
    return time.perf_counter() - start


def _linear(X, y, seed):
    """Fit logistic regression, with C chosen on held-out training samples if there are enough."""
    rows = np.random.default_rng(seed).permutation(len(X))[:_MAX_VALIDATION_ROWS]
    counts = np.unique(y[rows], return_counts=True)[1]
    if len(rows) < 5 * len(counts) or counts.min() < 2:
        return LogisticRegression(max_iter=300).fit(X, y)
    X_train, X_valid, y_train, y_valid = train_test_split(
        X[rows], y[rows], test_size=0.2, random_state=seed, stratify=y[rows]
    )
    models = [LogisticRegression(C=C, max_iter=300) for C in _C_VALUES]
    with warnings.catch_warnings(), one_blas_thread():
        # after 300 iterations, the error no longer depends on exact convergence
        warnings.simplefilter("ignore", ConvergenceWarning)
        scores = [model.fit(X_train, y_train).score(X_valid, y_valid) for model in models]
        return models[int(np.argmax(scores))].fit(X, y)


def _quality(solution):
    """Mean number of nonzeros of a code, and largest duality gap."""
    return float((solution.code != 0).sum(axis=1).mean()), float(solution.duality_gap.max())


def _means(records):
    names = list(dict.fromkeys(record[0] for record in records))
    rows = []
    for name in names:
        errors, nonzeros, gaps, seconds = zip(
            *(record[1:] for record in records if record[0] == name), strict=True
        )
        coded = nonzeros[0] is not None
        rows.append(
            Row(
                name,
                float(np.mean(errors)),
                float(np.mean(nonzeros)) if coded else None,
                float(np.max(gaps)) if coded else None,
                float(np.sum(seconds)),
            )
        )
    return rows
