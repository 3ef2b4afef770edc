"""lam by the gradient of a validation loss beside lam by grid search: time and result.

python asv_benchmarks/papers/tuned_priors.py writes docs/results/tuned_priors.md, on data that
scikit-learn bundles or generates.
"""

import sys
import time
from pathlib import Path

from _default_data import SEED, data_sets
from default_settings import WIDTH
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from _common import arguments, machine, opening, publish, table

from skdict_sup import (
    ElasticNet,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    tune_prior,
)

SHARES = (0.05, 0.1, 0.2, 0.4, 0.8)  # of lam_max
FOLDS, SPLITS = 3, 2
NAMES = ("digits", "20 features, 5 classes", "quantiles of a Gaussian", "diabetes", "Friedman 1")
PACKAGES = ("skdict-sup", "numpy", "numba", "scikit-learn")


def prior(share):
    return ElasticNet(f"{share:g}*lam_max", lam2=0.1, positive=True)


def by_grid(model, X, y):
    """Best of a grid of lam by cross-validation, fitted again on all."""
    grid = {"prior": [prior(share) for share in SHARES]}
    found = GridSearchCV(model, grid, cv=FOLDS).fit(X, y)
    return found.best_estimator_


def by_gradient(model, X, y):
    """The estimator with a tuned lam, fitted on all."""
    return tune_prior(model, X, y, random_state=SEED).estimator.fit(X, y)


def by_default(model, X, y):
    return model.fit(X, y)


METHODS = {"default lam": by_default, "tune_prior": by_gradient, "GridSearchCV": by_grid}


def measure(X, y, classes, n_splits):
    """Method -> (scores on test parts, seconds), over random splits."""
    kind = SupervisedDictionaryClassifier if classes else SupervisedDictionaryRegressor
    found = {name: ([], 0.0) for name in METHODS}
    for seed in range(n_splits):
        parts = train_test_split(X, y, random_state=seed, stratify=y if classes else None)
        X_train, X_test, y_train, y_test = parts
        scaler = StandardScaler().fit(X_train)
        X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
        for name, method in METHODS.items():
            begin = time.perf_counter()
            model = method(kind(WIDTH, random_state=SEED), X_train, y_train)
            seconds = time.perf_counter() - begin
            scores, total = found[name]
            found[name] = [*scores, model.score(X_test, y_test)], total + seconds
    return found


def shown(scores, seconds, classes):
    mean = sum(scores) / len(scores)
    value = f"{100 * (1 - mean):.1f} %" if classes else f"R2 {mean:.3f}"
    return f"{value}, {seconds:.0f} s"


def main():
    options = arguments(__doc__.splitlines()[0], "tuned_priors")
    about = machine(PACKAGES, threads="2")
    names, n_splits = (NAMES[-2:-1], 1) if options.quick else (NAMES, SPLITS)
    rows = []
    for name, (X, y, classes) in data_sets(False).items():
        if name in names:
            found = measure(X, y, classes, n_splits)
            rows.append([name, *(shown(*found[method], classes) for method in METHODS)])
            print(rows[-1], flush=True)
    lines = opening(
        "lam by its gradient and by grid search",
        "tuned_priors.py",
        about,
        options.quick,
        (),
        folder="papers",
    )
    lines += [
        f"Supervised dictionaries of {WIDTH} atoms on standardised features. Test error or R2,"
        f" mean over {n_splits} random splits, and seconds of all of them, the last fit included."
        f" The grid has lam at {', '.join(f'{s:g}' for s in SHARES)} times lam_max, judged in"
        f" {FOLDS} folds: {FOLDS * len(SHARES)} fits; `tune_prior` makes two. Test parts give the"
        " figures alone.",
        "",
        *table(["data", *METHODS], rows),
    ]
    publish(lines, options.output)


if __name__ == "__main__":
    main()
