"""Digits by task-driven dictionaries: the error rates of Mairal's paper, and few labels.

python asv_benchmarks/papers/task_driven_digits.py measures all and writes docs/results/mnist.md;
--only measures one part. Measurements are kept in docs/results/mnist.json, from which the page is
made: parts may be measured one after another. Settings were chosen on the last 10 000 training
images; the test images give the figures alone.
"""

import json
import sys
import time
import warnings
from datetime import date
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from _common import ROOT, arguments, machine, opening, publish, table
from benchmarks import common

from skdict_sup import (
    ElasticNet,
    OnlineDictionaryLearning,
    SupervisedDictionaryClassifier,
    encode,
)
from skdict_sup.demo.data import normalise, shifts

PARTS = ("unsupervised", "shared", "one each", "few labels")
SIZES = (50, 100, 200, 300)
PAPER = {"unsupervised": (5.27, 3.92, 2.95, 2.36), "one each": (0.96, 0.73, 0.57, 0.54)}
UNSUPERVISED = {"lam": 0.1, "C": 1.0, "shifts": 4}
SHARED = {"lam": 0.15, "epochs": 40, "smoothing": 0.1}
ONE_EACH = {"lam": 0.075, "epochs": 30}
FEW = {"atoms": 200, "lam": 0.15, "epochs": 20, "mus": (0.0, 0.1, 0.3), "labels": (300, 1000)}
KEPT = ROOT / "docs" / "results" / "mnist.json"
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
        self.shift = shifts((side, side))

    def error(self, model):
        return 100 * (1 - model.score(self.X_test, self.y_test))


def unsupervised(data, p, seed):
    """Error of a linear classifier on codes of a dictionary that has seen no labels."""
    rng = np.random.default_rng(seed)
    X = [data.X] + [data.shift(data.X, rng) for _ in range(UNSUPERVISED["shifts"])]
    X, y = np.concatenate(X), np.tile(data.y, len(X))
    prior = ElasticNet(UNSUPERVISED["lam"])
    learner = OnlineDictionaryLearning(p, prior=prior, max_iter=1, random_state=seed).fit(X)
    train, test = (
        encode(part, learner.components_, prior=prior).code for part in (X, data.X_test)
    )
    size = np.sqrt((train[:10_000] ** 2).sum() / (train[:10_000] != 0).sum())
    model = LogisticRegression(C=UNSUPERVISED["C"], tol=1e-3, max_iter=200)
    model.fit(train / size, y)
    return 100 * (1 - model.score(test / size, data.y_test))


def shared(data, p, seed, shifted=True, epochs=None):
    """Error of one dictionary for all classes."""
    model = SupervisedDictionaryClassifier(
        p,
        prior=ElasticNet(SHARED["lam"], lam2=0.1, positive=True),
        label_smoothing=SHARED["smoothing"],
        max_iter=epochs or SHARED["epochs"],
        augment=data.shift if shifted else None,
        random_state=seed,
    )
    return data.error(model.fit(data.X, data.y))


def one_each(data, p, seed, epochs=None):
    """Error of a dictionary for each class against the rest."""
    model = SupervisedDictionaryClassifier(
        p,
        prior=ElasticNet(ONE_EACH["lam"], lam2=0.1),
        multi_class="ovr",
        max_iter=epochs or ONE_EACH["epochs"],
        augment=data.shift,
        random_state=seed,
    )
    return data.error(model.fit(data.X, data.y))


def few_labels(data, n, mu, seed, epochs=None):
    """Error with n labels, the other images unlabelled (unused for mu = 0 but by the start)."""
    order = np.random.default_rng(seed).permutation(len(data.X))
    y = np.full(len(data.X), -1)
    y[order[:n]] = data.y[order[:n]]
    prior = ElasticNet(FEW["lam"], lam2=0.1)
    start = OnlineDictionaryLearning(FEW["atoms"], prior=prior, max_iter=1, random_state=seed)
    model = SupervisedDictionaryClassifier(
        FEW["atoms"],
        prior=prior,
        mu=mu,
        init=start.fit(data.X).components_,
        max_iter=epochs or FEW["epochs"],
        random_state=seed,
    )
    labelled = slice(None) if mu else y >= 0
    return data.error(model.fit(data.X[labelled], y[labelled]))


def measure(part, data, seeds, quick):
    """Rows of one part: what was measured, errors by seed, seconds of the last."""
    sizes = SIZES[:1] if quick else SIZES
    few = {"epochs": 1} if quick else {}
    cases = {
        "unsupervised": [({"atoms": p}, unsupervised, (p,), {}) for p in sizes],
        "shared": [
            ({"atoms": p, "shifts": s}, shared, (p,), {"shifted": s} | few)
            for s in (True, False)
            for p in sizes
        ],
        "one each": [({"atoms": p}, one_each, (p,), few) for p in sizes],
        "few labels": [
            ({"labels": n, "mu": mu}, few_labels, (n, mu), few)
            for n in FEW["labels"]
            for mu in FEW["mus"]
        ],
    }[part]
    for named, function, given, options in cases:
        errors = []
        for seed in seeds:
            begin = time.perf_counter()
            errors.append(round(function(data, *given, seed=seed, **options), 2))
            seconds = time.perf_counter() - begin
        print(f"  {part} {named}: {errors} ({seconds:.0f} s)", flush=True)
        yield named | {"errors": errors, "seconds": round(seconds), "date": str(date.today())}


def page(kept, about, quick):
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
        " error in % for each seed. Shifts are random ones by up to a pixel, new in each epoch"
        f" ({UNSUPERVISED['shifts']} fixed ones for dictionaries without labels). Settings were"
        " chosen on 10000 training images held out. Seconds are those of one seed, on 2 cores.",
        "",
    ]
    titles = {
        "unsupervised": f"A dictionary without labels, and a linear model ({UNSUPERVISED})",
        "shared": f"One dictionary for all classes ({SHARED})",
        "one each": f"One dictionary for each class ({ONE_EACH})",
        "few labels": "Few labels, and all images",
    }
    for part, title in titles.items():
        if part not in kept:
            continue
        rows = []
        for number, row in enumerate(kept[part]):
            named = {k: v for k, v in row.items() if k not in ("errors", "seconds", "date")}
            paper = [f"{PAPER[part][number]:.2f}"] if part in PAPER and not quick else []
            errors = ", ".join(f"{e:.2f}" for e in row["errors"])
            rows.append([*named.values(), errors, *paper, row["seconds"], row["date"]])
        head = [*named, "test error", *(["paper"] if paper else []), "seconds", "date"]
        lines += [f"## {title}", "", *table(head, rows), ""]
    return lines


def main():
    options = arguments(__doc__.splitlines()[0], "mnist", PARTS)
    # the linear models and networks may stop at their limits: what they reach there is the figure
    warnings.filterwarnings("ignore", category=ConvergenceWarning, module="sklearn")
    data = Digits(options.quick)
    kept = {} if options.quick or not KEPT.exists() else json.loads(KEPT.read_text("utf-8"))
    about = machine(PACKAGES, threads="2")
    for part in [options.only] if options.only else PARTS:
        kept[part] = list(measure(part, data, (0,), options.quick))
        if not options.quick:
            KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    target = options.output if options.quick else ROOT / "docs" / "results" / "mnist.md"
    publish(page(kept, about, options.quick), target)


if __name__ == "__main__":
    main()
