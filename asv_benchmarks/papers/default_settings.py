"""Default settings on small data sets: supervised dictionaries beside common estimators.

python asv_benchmarks/papers/default_settings.py writes docs/results/default_settings.md: errors
by cross-validation on data that scikit-learn bundles or generates, nothing tuned. A run that was
stopped goes on where it was.
"""

import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from scipy.sparse import issparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.svm import SVC, SVR

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from _common import arguments, machine, opening, publish, table
from _default_data import SEED, data_sets, shapes
from _kept import Kept

from skdict_sup import KL, SupervisedDictionaryClassifier, SupervisedDictionaryRegressor
from skdict_sup._threads import effective_n_jobs

WIDTH, FOLDS, REPEATS = 100, 2, 5  # atoms, and hidden units of the network
PACKAGES = ("skdict-sup", "numpy", "numba", "scikit-learn")
OURS, LINEAR = "supervised", "linear"
PEERS = (LINEAR, "SVM (RBF)", "network", "boosted trees")
PLAIN = {"standardise": False, "fit_offset": False, "fit_linear": False}
ATTEMPTS = {  # what was tried where the default settings fall short
    "no choices": PLAIN,
    "all three": dict.fromkeys(PLAIN, True),
    "300 atoms": {"n_components": 300},
    "100 epochs": {"max_iter": 100},
    "KL prior": {"prior": KL(positive=True)},
    "signed halves": {"split_sign": True},
    "mu = 0.2": {"mu": 0.2},
}
N_FEW, N_CLASSES, DRAWS = 100, 26, 10  # labels, classes and random draws of "few labels"


def supervised(classes, **options):
    """Supervised dictionary with default settings, but for the options."""
    kind = SupervisedDictionaryClassifier if classes else SupervisedDictionaryRegressor
    return kind(**{"n_components": WIDTH, "random_state": SEED} | options)


def peers(X, y, classes):
    """Name -> estimator; those that need it with scaled signals and targets."""
    scaler = MaxAbsScaler() if issparse(X) else StandardScaler()
    width = {"hidden_layer_sizes": (WIDTH,), "max_iter": 1000, "random_state": SEED}
    if classes:
        found = LogisticRegression(max_iter=1000), SVC(), MLPClassifier(**width)
        trees = HistGradientBoostingClassifier(random_state=SEED)
    else:
        svm, trees = SVR(), HistGradientBoostingRegressor(random_state=SEED)
        if y.ndim > 1:
            svm, trees = MultiOutputRegressor(svm), MultiOutputRegressor(trees)
        found = [
            Ridge(),
            *(
                TransformedTargetRegressor(one, transformer=StandardScaler())
                for one in (svm, MLPRegressor(**width))
            ),
        ]
    scaled = [make_pipeline(scaler, one) for one in found]
    return dict(zip(PEERS, [*scaled, trees], strict=True))


def errors_of(make, X, y, classes, repeats=REPEATS):
    """Errors in %, or 100 (1 - R2), of the folds, and seconds."""
    folds = RepeatedStratifiedKFold if classes else RepeatedKFold
    folds, errors = folds(n_splits=FOLDS, n_repeats=repeats, random_state=SEED), []
    begin = time.perf_counter()
    for train, test in folds.split(X, y):
        model = make().fit(X[train], y[train])
        errors.append(100 * (1 - model.score(X[test], y[test])))
    return np.array(errors), time.perf_counter() - begin


def standard_error(differences):
    """Corrected standard error of a mean difference over repeated folds of two.

    C. Nadeau, Y. Bengio, "Inference for the generalization error", 2003: training sets overlap,
    so that the variance of the mean is (1 / n + n_test / n_train) times that of a difference.
    """
    spread = differences.std(ddof=1)
    return spread * (1 / len(differences) + 1 / (FOLDS - 1)) ** 0.5


def in_errors(errors, others):
    """By how many standard errors the first errors are above the second."""
    gap = errors - others
    if not gap.any():
        return 0.0
    return float(gap.mean() / max(standard_error(gap), 1e-9))


def measure(name, X, y, classes, kept):
    """Name of an estimator -> errors and seconds."""
    dense = X.toarray() if issparse(X) else X
    makers = {
        peer: (lambda peer=peer: peers(X, y, classes)[peer], dense if "trees" in peer else X)
        for peer in PEERS
    }
    makers = {OURS: (lambda: supervised(classes), X)} | makers
    found = {}
    for method, (make, signals) in makers.items():
        compute = partial(errors_of, make, signals, y, classes)
        found[method] = kept(f"{name}, {method}", compute)
        errors, seconds = found[method]
        print(f"  {method}: {errors.mean():.3g} ({seconds:.1f} s)", flush=True)
    return found


def standing(found):
    """Standard errors above the best other estimator, and above the linear model."""
    best = min(PEERS, key=lambda peer: found[peer][0].mean())
    ours = found[OURS][0]
    return best, in_errors(ours, found[best][0]), in_errors(ours, found[LINEAR][0])


def attempts(name, X, y, classes, kept):
    """Name of an attempt -> errors of the first two folds."""
    found = {}
    for attempt, options in ({"default": {}} | ATTEMPTS).items():
        make = partial(supervised, classes, **options)
        compute = partial(errors_of, make, X, y, classes, repeats=1)
        found[attempt] = kept(f"{name}, attempt {attempt}", compute)[0]
        print(f"  {attempt}: {found[attempt].mean():.3g}", flush=True)
    return found


def few_labels():
    """Errors in % of 100 labels for 26 classes: supervised and linear model, by draw."""
    X, y, _ = shapes()
    errors = []
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        # one sample of each class, so that no class is missing, and others
        order = rng.permutation(len(y))
        first = order[np.unique(y[order], return_index=True)[1]]
        train = np.concatenate([first, np.setdiff1d(order, first)[: N_FEW - N_CLASSES]])
        test = np.setdiff1d(order, train)
        models = (
            supervised(True),
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        )
        errors.append(
            [100 * (1 - m.fit(X[train], y[train]).score(X[test], y[test])) for m in models]
        )
    return np.array(errors)


def seconds_of_small_fits(sizes=(500, 1000)):
    """Seconds of fits of few samples with 300 atoms and the KL prior."""
    X, y, _ = shapes()
    seconds = {}
    for n in sizes:
        model = supervised(True, n_components=300, prior=KL(), split_sign=True)
        begin = time.perf_counter()
        model.fit(X[:n], y[:n])
        seconds[n] = time.perf_counter() - begin
    return seconds


def page(results, tried, few, seconds, about, quick):
    """The page, as lines."""
    title = "Supervised dictionaries with default settings"
    lines = opening(title, "default_settings.py", about, quick, (), folder="papers")
    standings = {name: standing(found) for name, (_, _, found) in results.items()}
    n, gaps = len(standings), np.array([gap for _, gap, _ in standings.values()])
    to_linear = np.array([gap for *_, gap in standings.values()])
    lines += [
        f"Means over {REPEATS} times {FOLDS} folds; nothing is tuned. Supervised dictionaries get"
        f" the signals as they are, with {WIDTH} atoms; the network has {WIDTH} hidden units."
        " Signals of the linear model, of the SVM and of the network are standardised (divided by"
        " their largest value where they are sparse), and so are targets of the last two."
        " Differences are in standard errors of the mean paired difference, corrected for"
        " overlapping training sets (Nadeau and Bengio, 2003): 1.05 times the standard deviation"
        " over the ten folds. Seconds are those of all fits and scores, with whatever else the"
        " machine did meanwhile, pauses of the run included: most are too long.",
        "",
        "Default settings are within one standard error of the best other estimator on"
        f" {(gaps <= 1).sum()} of {n} data sets, within two on {(gaps <= 2).sum()}, and worse than"
        f" the linear model by more than one on {(to_linear > 1).sum()}.",
        "",
    ]
    for title, classes in (("Error, %", True), ("100 (1 - R2)", False)):
        rows = []
        for name, (kind, shape, found) in results.items():
            if kind == classes:
                best, gap, linear_gap = standings[name]
                cells = [f"{found[method][0].mean():.3g}" for method in (OURS, *PEERS)]
                shape = "x".join(map(str, shape))
                more = [best, f"{gap:+.1f}", f"{linear_gap:+.1f}", f"{found[OURS][1]:.0f}"]
                rows.append([name, shape, *cells, *more])
        if rows:
            heads = ["best other", "above it", "above linear", "seconds"]
            lines += [f"## {title}", "", *table(["data", "shape", OURS, *PEERS, *heads], rows), ""]
    if tried:
        rows = [
            [name, *(f"{e.mean():.3g}" for e in found.values())] for name, found in tried.items()
        ]
        lines += [
            "## Attempts where they fall short",
            "",
            "Data sets on which default settings are more than one standard error above the best"
            " other estimator, with other settings; the same measures, on the first two folds."
            ' "no choices" is without standardisation, offset and linear path, "all three" with'
            " all of them.",
            "",
            *table(["data", *next(iter(tried.values()))], rows),
            "",
        ]
    if few is not None:
        ours, linear = few.T
        lines += [
            "## Few labels",
            "",
            f"{N_FEW} labelled samples of the {N_CLASSES} shifted shapes, {DRAWS} draws: error"
            f" {ours.mean():.1f} %, of the linear model {linear.mean():.1f} %; the difference is"
            f" {(ours - linear).mean():+.2f} ± {(ours - linear).std(ddof=1) / DRAWS**0.5:.2f}.",
            "",
            "Seconds of a fit with 300 atoms and `prior=KL(), split_sign=True`: "
            + ", ".join(f"{s:.0f} for {n} samples" for n, s in seconds.items())
            + ".",
            "",
        ]
    return lines


def main():
    options = arguments(__doc__.splitlines()[0], "default_settings")
    # the linear models and networks may stop at their limits: what they reach there is the figure
    warnings.filterwarnings("ignore", category=ConvergenceWarning, module="sklearn")
    about = machine(PACKAGES, threads=str(effective_n_jobs(None)))
    kept, results, tried = Kept("default_settings", keep=not options.quick), {}, {}
    data = data_sets(options.quick)
    for name, (X, y, classes) in data.items():
        print(name, X.shape, flush=True)
        results[name] = classes, X.shape, measure(name, X, y, classes, kept)
    for name, (X, y, classes) in data.items():
        if standing(results[name][2])[1] > 1 and not options.quick:
            print(name, "attempts", flush=True)
            tried[name] = attempts(name, X, y, classes, kept)
    few, seconds = None, None
    if not options.quick:
        few, seconds = kept("few labels", few_labels), kept("seconds", seconds_of_small_fits)
    publish(page(results, tried, few, seconds, about, options.quick), options.output)


if __name__ == "__main__":
    main()
