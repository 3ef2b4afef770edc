"""Default settings on small data sets: supervised dictionaries beside common classifiers.

python asv_benchmarks/papers/default_settings.py writes docs/results/default_settings.md: errors
by cross-validation on data that scikit-learn bundles or generates, nothing tuned.
"""

import sys
import time
import warnings
from pathlib import Path

from sklearn import datasets
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from _common import arguments, machine, opening, publish, table

from skdict_sup import (
    ElasticNet,
    OnlineDictionaryLearning,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
)

WIDTH, SEED, FOLDS = 100, 0, 5  # atoms, and hidden units of the network
PACKAGES = ("skdict-sup", "numpy", "numba", "scikit-learn")
OURS, START, CODES = "supervised", "its start", "unsupervised + linear"
UNMOVED = {"learning_rate": 1e-12, "max_iter": 1}  # the best head on a dictionary without labels


def data_sets(quick):
    """Name -> (X, y, whether y are classes)."""
    found = {
        "iris": (*datasets.load_iris(return_X_y=True), True),
        "wine": (*datasets.load_wine(return_X_y=True), True),
        "breast cancer": (*datasets.load_breast_cancer(return_X_y=True), True),
        "digits": (*datasets.load_digits(return_X_y=True), True),
        "moons": (*datasets.make_moons(1000, noise=0.2, random_state=SEED), True),
        "20 features, 5 classes": (
            *datasets.make_classification(
                3000, 20, n_informative=10, n_classes=5, random_state=SEED
            ),
            True,
        ),
        "quantiles of a Gaussian": (
            *datasets.make_gaussian_quantiles(
                n_samples=2000, n_features=10, n_classes=3, random_state=SEED
            ),
            True,
        ),
        "diabetes": (*datasets.load_diabetes(return_X_y=True, scaled=False), False),
        "Friedman 1": (*datasets.make_friedman1(1500, noise=1.0, random_state=SEED), False),
        "linear, 50 features": (
            *datasets.make_regression(
                1000, 50, n_informative=20, n_targets=3, noise=20.0, random_state=SEED
            ),
            False,
        ),
    }
    return dict(list(found.items())[:2]) if quick else found


def methods(classes, n_targets):
    """Name -> estimator, for standardised signals."""
    prior = ElasticNet(
        lam2=0.1, positive=True
    )  # what prior="elastic_net" stands for in supervised estimators
    codes = OnlineDictionaryLearning(WIDTH, prior=prior, random_state=SEED)
    if classes:
        return {
            OURS: SupervisedDictionaryClassifier(WIDTH, random_state=SEED),
            START: SupervisedDictionaryClassifier(WIDTH, random_state=SEED, **UNMOVED),
            CODES: make_pipeline(codes, StandardScaler(), LogisticRegression(max_iter=1000)),
            "linear": LogisticRegression(max_iter=1000),
            "SVM (RBF)": SVC(),
            "network": MLPClassifier(hidden_layer_sizes=(WIDTH,), random_state=SEED),
        }
    several = MultiOutputRegressor(SVR(C=100.0)) if n_targets > 1 else SVR(C=100.0)
    return {
        OURS: SupervisedDictionaryRegressor(WIDTH, random_state=SEED),
        START: SupervisedDictionaryRegressor(WIDTH, random_state=SEED, **UNMOVED),
        CODES: make_pipeline(codes, StandardScaler(), Ridge()),
        "linear": Ridge(),
        "SVM (RBF)": several,
        "network": MLPRegressor(hidden_layer_sizes=(WIDTH,), max_iter=1000, random_state=SEED),
    }


def scores_of(estimator, X, y):
    """Scores of the folds, and seconds."""
    folds = StratifiedKFold if is_classifier(estimator) else KFold
    folds = folds(FOLDS, shuffle=True, random_state=SEED)
    begin = time.perf_counter()
    scores = cross_val_score(estimator, X, y, cv=folds)
    return scores, time.perf_counter() - begin


def measure(X, y, classes):
    """Name -> (mean, standard error, seconds): errors in %, or R2."""
    found = {}
    n_targets = 1 if y.ndim == 1 else y.shape[1]
    each = {
        name: make_pipeline(StandardScaler(), m) for name, m in methods(classes, n_targets).items()
    }
    each[f"{OURS}, raw"] = methods(classes, n_targets)[OURS]
    for name, estimator in each.items():
        scores, seconds = scores_of(estimator, X, y)
        scores = 100 * (1 - scores) if classes else scores
        found[name] = scores, seconds
        print(f"  {name}: {scores.mean():.3g} ({seconds:.1f} s)", flush=True)
    return found


def page(results, about, quick):
    """The page, as lines."""
    lines = opening(
        "Supervised dictionaries with default settings",
        "default_settings.py",
        about,
        quick,
        (),
        folder="papers",
    )
    lines += [
        f"Means over {FOLDS} folds of scikit-learn's bundled or generated data; nothing is tuned."
        f" Dictionaries have {WIDTH} atoms and the network {WIDTH} hidden units. Features are"
        f' standardised, but for the last column. "{START}" is the same estimator before its first'
        " step: a dictionary learned without labels, and the best linear model of its codes; in"
        " brackets, by how many standard errors of the difference the supervised one is better."
        f' "{CODES}" is such a dictionary with the default linear model on standardised codes.'
        " Seconds are those of all folds of the supervised estimator.",
        "",
    ]
    for title, classes in (("Error, %", True), ("R2", False)):
        rows = []
        names = [OURS, START, CODES, "linear", "SVM (RBF)", "network", f"{OURS}, raw"]
        for data, (kind, shape, found) in results.items():
            if kind == classes:
                gap = (found[OURS][0] - found[START][0]) * (-1 if classes else 1)
                error = gap.std(ddof=1) / len(gap) ** 0.5 or 1.0
                cells = [f"{found[name][0].mean():.3g}" for name in names]
                cells[0] += f" ({gap.mean() / error:+.1f})"
                rows.append([data, "x".join(map(str, shape)), *cells, f"{found[OURS][1]:.0f}"])
        if rows:
            lines += [f"## {title}", "", *table(["data", "shape", *names, "seconds"], rows), ""]
    return lines


def main():
    options = arguments(__doc__.splitlines()[0], "default_settings")
    # the linear models and networks may stop at their limits: what they reach there is the figure
    warnings.filterwarnings("ignore", category=ConvergenceWarning, module="sklearn")
    about = machine(PACKAGES, threads="2")
    results = {}
    for name, (X, y, classes) in data_sets(options.quick).items():
        print(name, X.shape, flush=True)
        results[name] = classes, X.shape, measure(X, y, classes)
    publish(page(results, about, options.quick), options.output)


if __name__ == "__main__":
    main()
