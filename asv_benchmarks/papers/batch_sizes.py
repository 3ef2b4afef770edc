"""Batch sizes of supervised estimators: errors by cross-validation on training data, and time.

python asv_benchmarks/papers/batch_sizes.py writes docs/results/batch_sizes.md in half an hour;
what is computed is kept in asv_benchmarks/.kept. Labels of test data are never read.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from _common import arguments, machine, opening, publish, table
from _default_data import SEED, data_sets
from _kept import Kept
from benchmarks import common
from default_settings import WIDTH

from skdict_sup import SupervisedDictionaryClassifier, SupervisedDictionaryRegressor

SIZES = ("auto", 32, 64, 128, 256, 512)
FOLDS, LEFT_OUT = 5, ("iris", "quantiles of a Gaussian")  # the first has too few for most sizes
SUBSETS = {"MNIST, 2000": 2000}
PACKAGES = ("skdict-sup", "numpy", "numba", "scikit-learn")


def problems(quick):
    """Name -> (X, y, whether y are classes): small data sets, and digits to learn from."""
    found = {
        name: data
        for name, data in data_sets(False).items()
        if name not in LEFT_OUT and not issparse(data[0])
    }
    for name, n in SUBSETS.items():
        found[name] = (*common.digits_to_learn(n), True)
    return dict(list(found.items())[:1]) if quick else found


def measured(X, y, classes, size, is_scaled):
    """Errors of the folds (% or 1 - R2 in hundredths), and seconds of a fit."""
    kind = SupervisedDictionaryClassifier if classes else SupervisedDictionaryRegressor
    model = kind(WIDTH, batch_size=size, random_state=SEED, n_jobs=1)
    if is_scaled:
        model = make_pipeline(StandardScaler(), model)
    folds = (StratifiedKFold if classes else KFold)(FOLDS, shuffle=True, random_state=SEED)
    found = cross_validate(model, X, y, cv=folds)
    return 100 * (1 - found["test_score"]), float(found["fit_time"].min())


def resolved(n):
    """What "auto" stands for in a fold."""
    return min(256, max(32, n * (FOLDS - 1) // FOLDS // 40))


def page(results, about, quick):
    """The page, as lines."""
    lines = opening("Batch sizes", "batch_sizes.py", about, quick, ("mnist.npz",), folder="papers")
    lines += [
        f"Errors in % (for targets that are numbers 100 (1 - R2)) of {FOLDS} folds, {WIDTH} atoms,"
        " default settings but for the size of mini-batches; in brackets the mean difference to"
        ' "auto", in its standard errors: positive is worse. Folds are of training data alone;'
        " features are standardised, but for MNIST. Seconds are those of the fastest fit.",
        "",
    ]
    errors, seconds = [], []
    for name, (n, by_size) in results.items():
        base = by_size["auto"][0]
        cells = []
        for size, (error, _) in by_size.items():
            gap = error - base
            spread = gap.std(ddof=1) / len(gap) ** 0.5
            bracket = "" if size == "auto" else f" ({gap.mean() / (spread or 1.0):+.1f})"
            cells.append(f"{error.mean():.3g}{bracket}")
        errors.append([name, resolved(n), *cells])
        seconds.append([name, resolved(n), *(f"{took:.1f}" for _, took in by_size.values())])
    header = ["data", "auto is", *SIZES]
    lines += ["## Error", "", *table(header, errors), ""]
    lines += ["## Seconds of a fit", "", *table(header, seconds), "", *summary(results)]
    return lines


def summary(results):
    """Lines with each size against "auto" over all data sets."""
    rows = []
    for size in SIZES[1:]:
        gaps, ratios = [], []
        for _, by_size in results.values():
            error, base = by_size[size][0], by_size["auto"][0]
            gap = error - base
            gaps.append(gap.mean() / (gap.std(ddof=1) / len(gap) ** 0.5 or 1.0))
            ratios.append(by_size[size][1] / by_size["auto"][1])
        worse, better = (sum(sign * g > 1 for g in gaps) for sign in (1, -1))
        mean = float(np.exp(np.mean(np.log(ratios))))
        rows.append([size, worse, better, f"{mean:.2f}"])
    header = ["size", "worse by a standard error", "better by one", "time / auto"]
    return ["## All data sets", "", *table(header, rows), ""]


def main():
    options = arguments(__doc__.splitlines()[0], "batch_sizes")
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    about, kept, results = machine(PACKAGES, threads="1"), Kept("batch_sizes"), {}
    kept.keep = not options.quick
    for name, (X, y, classes) in problems(options.quick).items():
        results[name] = len(X), {}
        for size in SIZES:
            arguments_ = X, y, classes, size, name not in SUBSETS
            value = kept(f"{name} {len(X)} {size}", lambda a=arguments_: measured(*a))
            results[name][1][size] = value
            print(f"  {name}, {size}: {value[0].mean():.3g}, {value[1]:.1f} s", flush=True)
    publish(page(results, about, options.quick), options.output)


if __name__ == "__main__":
    main()
