"""Digits by task-driven dictionaries: the error rates of Mairal's paper, and few labels.

python asv_benchmarks/papers/task_driven_digits.py measures all and writes docs/results/mnist.md;
--only measures and prints one part. All of it takes hours; what is measured is kept in
asv_benchmarks/.kept, and later runs go on from there. Settings were chosen on 10 000 training
images held out; the test images give the figures alone.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from _common import arguments, machine, opening, publish, table
from _kept import Kept
from benchmarks import common

from skdict_sup import (
    ElasticNet,
    OnlineDictionaryLearning,
    SupervisedDictionaryClassifier,
    encode,
)
from skdict_sup.augment import Compose, RandomShift
from skdict_sup.demo.data import normalise, renormalised

PARTS = ("unsupervised", "shared", "one each", "few labels")
SIZES = (50, 100, 200, 300)
PAPER = {"unsupervised": (5.27, 3.92, 2.95, 2.36), "one each": (0.96, 0.73, 0.57, 0.54)}
UNSUPERVISED = {"dictionary's lam": 0.1, "lam": 0.015, "lam2": 0.3, "C": 1.0, "shifts": 4}
SHARED = {"lam": 0.1, "lam2": 0.2, "smoothing": 0.1, "dropout": 0.15, "epochs": 80}
ONE_EACH = {"lam": 0.07, "lam2": 0.2, "smoothing": 0.1, "dropout": 0.15, "epochs": 40}
FEW = {"atoms": 200, "lam": 0.15, "lam2": 0.1, "epochs": 20}
MUS, LABELS = (None, 0.0, 0.5, 0.9), (300, 1000)
PACKAGES = ("skdict-sup", "numpy", "numba", "scikit-learn")


class Digits:
    """Images with mean zero and norm one; `few` of them for a quick run."""

    def __init__(self, quick):
        (X, self.y), (X_test, self.y_test) = map(common.stored_digits, ("train", "test"))
        if quick:
            X, self.y, X_test, self.y_test = (
                X[:1500],
                self.y[:1500],
                X_test[:500],
                self.y_test[:500],
            )
        self.X, self.X_test = (normalise(part.astype(np.float32)) for part in (X, X_test))
        side = round(X.shape[1] ** 0.5)
        shift = RandomShift((side, side), pixels=1, fill="edge")
        self.shift = Compose([shift, renormalised])

    def error(self, model):
        return 100 * (1 - model.score(self.X_test, self.y_test))


def halves(code):
    """Positive and negative parts of codes, side by side."""
    return np.hstack([np.maximum(code, 0), np.maximum(-code, 0)])


def unsupervised(data, p, seed):
    """Error of a linear classifier on codes of a dictionary that has seen no labels."""
    rng = np.random.default_rng(seed)
    X = [data.X] + [data.shift(data.X, rng) for _ in range(UNSUPERVISED["shifts"])]
    X, y = np.concatenate(X), np.tile(data.y, len(X))
    prior = ElasticNet(UNSUPERVISED["dictionary's lam"])
    learner = OnlineDictionaryLearning(p, prior=prior, max_iter=1, random_state=seed).fit(X)
    prior = ElasticNet(UNSUPERVISED["lam"], UNSUPERVISED["lam2"])
    train, test = (
        halves(encode(part, learner.components_, prior=prior).code) for part in (X, data.X_test)
    )
    size = np.sqrt((train[:10_000] ** 2).sum() / (train[:10_000] != 0).sum())
    model = LogisticRegression(C=UNSUPERVISED["C"], tol=1e-3, max_iter=200)
    model.fit(train / size, y)
    return 100 * (1 - model.score(test / size, data.y_test))


def shared(data, p, seed, shifted=True, epochs=None):
    """Error of one dictionary for all classes."""
    model = SupervisedDictionaryClassifier(
        p,
        prior=ElasticNet(SHARED["lam"], SHARED["lam2"], positive=True),
        label_smoothing=SHARED["smoothing"],
        dropout=SHARED["dropout"],
        max_iter=epochs or SHARED["epochs"],
        augment=data.shift if shifted else None,
        random_state=seed,
    )
    return data.error(model.fit(data.X, data.y))


def one_each(data, p, seed, epochs=None):
    """Error of a dictionary for each class against the rest."""
    model = SupervisedDictionaryClassifier(
        p,
        prior=ElasticNet(ONE_EACH["lam"], ONE_EACH["lam2"], positive=True),
        multi_class="ovr",
        label_smoothing=ONE_EACH["smoothing"],
        dropout=ONE_EACH["dropout"],
        max_iter=epochs or ONE_EACH["epochs"],
        augment=data.shift,
        random_state=seed,
    )
    return data.error(model.fit(data.X, data.y))


def few_labels(data, n, mu, seed, epochs=None):
    """Error with n labels, the other images unlabelled.

    mu = 0 uses them for the dictionary to begin with, mu = None for nothing.
    """
    order = np.random.default_rng(seed).permutation(len(data.X))
    y = np.full(len(data.X), -1)
    y[order[:n]] = data.y[order[:n]]
    prior = ElasticNet(FEW["lam"], FEW["lam2"], positive=True)
    model = SupervisedDictionaryClassifier(
        FEW["atoms"],
        prior=prior,
        mu=mu or 0.0,
        max_iter=epochs or FEW["epochs"],
        random_state=seed,
    )
    if mu is not None:
        start = OnlineDictionaryLearning(FEW["atoms"], prior=prior, max_iter=1, random_state=seed)
        model.set_params(init=start.fit(data.X).components_)
    labelled = slice(None) if mu else y >= 0
    return data.error(model.fit(data.X[labelled], y[labelled]))


def cases_of(part, quick):
    """What a part measures: (columns of its row, function, its arguments, seeds)."""
    sizes = SIZES[:1] if quick else SIZES
    epochs = {"epochs": 1} if quick else {}
    if part == "unsupervised":
        return [({"atoms": p}, unsupervised, {"p": p}, (0,)) for p in sizes]
    if part == "one each":
        return [({"atoms": p}, one_each, {"p": p} | epochs, (0,)) for p in sizes]
    if part == "few labels":
        return [
            (
                {"labels": n, "mu": "labelled alone" if mu is None else mu},
                few_labels,
                {"n": n, "mu": mu} | epochs,
                (0, 1, 2),
            )
            for n in LABELS
            for mu in MUS
        ]
    return [
        (
            {"atoms": p, "shifts": shifted},
            shared,
            {"p": p, "shifted": shifted} | epochs,
            (0, 1, 2) if p == sizes[-1] and shifted else (0,),
        )
        for shifted in (True, False)
        for p in sizes
    ]


SETTINGS = {
    "unsupervised": UNSUPERVISED,
    "shared": SHARED,
    "one each": ONE_EACH,
    "few labels": FEW,
}


def measure(part, data, kept, quick):
    """Rows of one part: (columns, errors by seed, seconds of the first)."""
    rows = []
    for named, function, given, seeds in cases_of(part, quick):
        found = []
        for seed in seeds[: 1 if quick else None]:

            def timed(function=function, given=given, seed=seed):
                begin = time.perf_counter()
                error = function(data, **given, seed=seed)
                return error, time.perf_counter() - begin

            found.append(kept(f"{part} {SETTINGS[part]} {given} {seed}", timed))
            print(f"  {part} {named}: {found[-1][0]:.2f} ({found[-1][1]:.0f} s)", flush=True)
        rows.append((named, [error for error, _ in found], found[0][1]))
    return rows


def page(results, about, quick):
    """The page, as lines."""
    lines = opening(
        "Digits by task-driven dictionaries",
        "task_driven_digits.py",
        about,
        quick,
        ("mnist.npz",),
        folder="papers",
    )
    lines += [
        "MNIST, images centred and scaled to norm one, float32; all 60000 training images, test"
        " error in % for seeds 0, 1, 2 or 0 alone. Shifts are random ones by up to a pixel, new in"
        f" each epoch ({UNSUPERVISED['shifts']} fixed ones for dictionaries without labels, whose"
        " linear models see the positive and the negative parts of codes)."
        " Settings were chosen on 10000 training images held out"
        " ([attempts](digit_attempts.md)). Seconds are those of one seed, on one thread of a"
        " machine that had other work, too.",
        "",
    ]
    titles = {
        "unsupervised": "A dictionary without labels, and a linear model",
        "shared": "One dictionary for all classes",
        "one each": "One dictionary for each class",
        "few labels": "Few labels, all images",
    }
    for part, found in results.items():
        settings = ", ".join(f"{name} {value}" for name, value in SETTINGS[part].items())
        rows = []
        for number, (named, errors, seconds) in enumerate(found):
            paper = [f"{PAPER[part][number]:.2f}"] if part in PAPER and not quick else []
            shown = ", ".join(f"{error:.2f}" for error in errors)
            rows.append([*named.values(), shown, *paper, f"{seconds:.0f}"])
        head = [*named, "test error", *(["paper"] if paper else []), "seconds"]
        lines += [f"## {titles[part]}", "", f"Settings: {settings}.", "", *table(head, rows), ""]
    return lines


def main():
    options = arguments(__doc__.splitlines()[0], "mnist", PARTS)
    # the linear models and networks may stop at their limits: what they reach there is the figure
    warnings.filterwarnings("ignore", category=ConvergenceWarning, module="sklearn")
    data, kept = Digits(options.quick), Kept("mnist", keep=not options.quick)
    about = machine(PACKAGES, threads="1")
    parts = [options.only] if options.only else PARTS
    results = {part: measure(part, data, kept, options.quick) for part in parts}
    publish(page(results, about, options.quick), options.output)


if __name__ == "__main__":
    main()
