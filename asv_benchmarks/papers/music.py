"""Genres of music by KL codes of spectra: table 7 of Bradley and Bagnell, 2008 (appendix E).

python asv_benchmarks/papers/music.py writes docs/results/music.md, from generated sounds.
`--data` names a folder of recordings instead: a folder for each genre, with a .wav file for each
piece. Each piece is cut into snippets of 50 ms, whose magnitudes of the spectrum are the signals.
Of 17 genres the first 10 are without labels, for the dictionary; of the others two thirds of the
pieces are for training, the rest for testing. Settings are chosen on a third of the training
pieces; the test pieces give the figures alone. What is computed is kept in asv_benchmarks/.kept.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np
from differentiable_sparse_coding import features, maxent
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from _common import arguments, machine, opening, publish, table
from _kept import Kept
from _sounds import generated, read_folder

from skdict_sup import KL, ElasticNet, OnlineDictionaryLearning, SupervisedDictionaryClassifier

SEED, SEEDS = 0, (0, 1, 2)  # draws of training snippets
SIZES = (200, 2000, 10_000)
PAPER = {200: (32, 31, 33), 2000: (43, 43, 45), 10_000: (48, 49, 50)}  # PCA, L1, KL
COSTS = (0.01, 0.1, 1.0, 10.0)
L1_LAMS = (0.03, 0.1, 0.2)
KL_PAIRS = ((0.1, 0.01), (0.1, 0.001), (0.03, 0.01), (0.03, 0.001), (0.01, 0.01))
RATES, SMOOTHING = (0.04, 0.16), 0.1
FULL = {"styles": 17, "pieces": 15, "seconds": 20, "atoms": 200, "components": 100, "epochs": 10}
QUICK = {"styles": 6, "pieces": 6, "seconds": 3, "atoms": 30, "components": 20, "epochs": 3}
PACKAGES = ("skdict-sup", "numpy", "scipy", "numba", "scikit-learn")


class Music:
    """Spectra of unlabelled genres, and of three sets of pieces of the others."""

    def __init__(self, by_genre):
        names = list(by_genre)
        n_unlabelled = max(1, len(names) * 10 // 17)
        self.unlabelled_names, self.names = names[:n_unlabelled], names[n_unlabelled:]
        self.unlabelled = np.concatenate(
            [part for name in self.unlabelled_names for part in by_genre[name]]
        )
        sets = {"fit": [], "held out": [], "test": []}
        for label, name in enumerate(self.names):
            pieces = by_genre[name]
            order = np.random.default_rng(SEED).permutation(len(pieces))
            n_train = len(pieces) * 2 // 3
            n_fit = n_train - max(1, n_train // 3)
            parts = np.split(order, [n_fit, n_train])
            for key, numbers in zip(sets, parts, strict=True):
                sets[key] += [(pieces[number], label) for number in numbers]
        self.sets = sets

    def all(self, *keys):
        """Spectra and labels of whole sets of pieces."""
        chosen = [pair for key in keys for pair in self.sets[key]]
        X = np.concatenate([part for part, _ in chosen])
        return X, np.concatenate([np.full(len(part), label) for part, label in chosen])

    def some(self, n, seed, *keys):
        """Snippets drawn from sets of pieces."""
        X, y = self.all(*keys)
        rows = np.random.default_rng(seed).permutation(len(X))[:n]
        return X[rows], y[rows]


def candidates(pca, D):
    """Column -> {name of a setting: function from spectra to features}."""
    priors = {"L1": map(ElasticNet, L1_LAMS), "KL": (KL(lam, p) for lam, p in KL_PAIRS)}
    found = {"spectra": {"": lambda X: X}, "PCA": {"": pca.transform}}
    for column, these in priors.items():
        found[column] = {
            repr(prior): lambda X, prior=prior: features(X, D, prior, halves=True)
            for prior in these
        }
    return found


def unsupervised(music, functions, n, seed):
    """(test accuracy in %, validation accuracy, chosen) for the best of some features and C."""
    X, y = music.some(n, seed, "fit")
    X_held_out, y_held_out = music.some(5000, SEED, "held out")
    tried = []
    for name, function in functions.items():
        train, held_out = (function(part) for part in (X, X_held_out))
        tried += [
            (100 - maxent(C).fit(train, y).error(held_out, y_held_out), -C, name) for C in COSTS
        ]
    accuracy, C, name = max(tried)
    X, y = music.some(n, seed, "fit", "held out")
    X_test, y_test = music.all("test")
    model = maxent(-C).fit(functions[name](X), y)
    return 100 - model.error(functions[name](X_test), y_test), accuracy, f"{name} C {-C:g}"


def supervised(music, D, prior, n, seed, epochs):
    """The same for a dictionary that is learned with the labels, begun at one without."""

    def learned(rate, X, y):
        model = SupervisedDictionaryClassifier(
            len(D),
            prior=prior,
            split_sign=True,
            init=D,
            learning_rate=rate,
            label_smoothing=SMOOTHING,
            max_iter=epochs,
            random_state=SEED,
        )
        return model.fit(X, y)

    X, y = music.some(n, seed, "fit")
    held_out = music.some(5000, SEED, "held out")
    tried = [(100 * learned(rate, X, y).score(*held_out), -rate) for rate in RATES]
    accuracy, rate = max(tried)
    model = learned(-rate, *music.some(n, seed, "fit", "held out"))
    return 100 * model.score(*music.all("test")), accuracy, f"{prior!r}, rate {-rate:g}"


def measure(music, settings, sizes, seeds, kept, key):
    """{n: {column: list of results for the seeds}}."""
    pca = PCA(settings["components"], random_state=SEED).fit(music.unlabelled)
    learner = OnlineDictionaryLearning(
        settings["atoms"], prior=ElasticNet(0.1), max_iter=3, random_state=SEED
    )
    D = kept(f"dictionary {key}", lambda: learner.fit(music.unlabelled).components_)
    columns, found = candidates(pca, D), {}
    for n in sizes:
        found[n] = {}
        for column, functions in columns.items():
            name = f"{column} {list(functions)} {n} {COSTS} {key}"
            found[n][column] = [
                kept(f"{name} {s}", lambda f=functions, n=n, s=s: unsupervised(music, f, n, s))
                for s in seeds
            ]
        best = [result[2].rsplit(" C ", 1)[0] for result in found[n]["KL"]]
        learning = []
        for s, prior in zip(seeds, map(eval, best), strict=True):
            name = f"learn {prior!r} {RATES} {n} {s} {key}"
            learning.append(
                kept(
                    name,
                    lambda prior=prior, n=n, s=s: supervised(
                        music, D, prior, n, s, settings["epochs"]
                    ),
                )
            )
        found[n]["KL + backprop"] = learning
        shown = {column: np.mean([r[0] for r in results]) for column, results in found[n].items()}
        print(f"  {n}: " + ", ".join(f"{c} {v:.1f}" for c, v in shown.items()), flush=True)
    return found


def page(music, found, settings, about, quick, source):
    """The page, as lines."""
    lines = opening("Genres of music", "music.py", about, quick, folder="papers")
    counts = {key: len(pieces) for key, pieces in music.sets.items()}
    n_test = len(music.all("test")[0])
    columns = list(next(iter(found.values())))
    rows, chosen = [], []
    for n, by_column in found.items():
        paper = dict(zip(("PCA", "L1", "KL"), PAPER.get(n, ()), strict=False))
        cells = []
        for column in columns:
            values = [result[0] for result in by_column[column]]
            spread = f" ± {np.std(values):.1f}" if len(values) > 1 else ""
            beside = f" ({paper[column]})" if column in paper and not quick else ""
            cells.append(f"{np.mean(values):.1f}{spread}{beside}")
            chosen.append([n, column, f"{by_column[column][0][1]:.1f}", by_column[column][0][2]])
        rows.append([n, *cells])
    lines += [
        f"{source} Each piece is cut into snippets of 50 ms; signals are magnitudes of their"
        f" spectra ({music.unlabelled.shape[1]} bins of 20 Hz), scaled to norm one. The genres"
        f" {', '.join(music.unlabelled_names)} ({len(music.unlabelled)} snippets) are without"
        f" labels: PCA ({settings['components']} components) and a dictionary of"
        f" {settings['atoms']} atoms, by l1 (`ElasticNet(lam=0.1)`), are learned from them. Of the"
        f" other {len(music.names)} genres {counts['fit']} pieces are for fitting,"
        f" {counts['held out']} for choosing lam, p, C and the rate, and {counts['test']}"
        f" ({n_test} snippets) for testing. The classifiers of the figures learn from the first"
        " two. No piece is in two sets.",
        "",
        "Accuracy of snippets in %, mean and standard deviation over"
        f" {len(next(iter(found.values()))[columns[0]])} draws of the training snippets;"
        f" chance is {100 / len(music.names):.1f}. In brackets the figures of the paper, for"
        " recordings of 7 genres. Codes are handed on as their two halves; the classifier is"
        " maxent. The last column learns the dictionary with the labels"
        f" ({settings['epochs']} epochs), from the same one.",
        "",
        *table(["training snippets", *columns], rows),
        "",
        "## What was chosen",
        "",
        "For the first draw, with the validation accuracy in %:",
        "",
        *table(["training snippets", "column", "validation", "setting"], chosen),
    ]
    return lines


def main():
    more = {"--data": {"type": Path, "help": "folder of .wav files by genre"}}
    options = arguments(__doc__.splitlines()[0], "music", more=more)
    # the linear models may stop at their limits: what they reach there is the figure
    warnings.filterwarnings("ignore", category=ConvergenceWarning, module="sklearn")
    about = machine(PACKAGES, threads="those of the processor")
    settings = QUICK if options.quick else FULL
    begin = time.perf_counter()
    if options.data is None:
        made = [settings[name] for name in ("styles", "pieces", "seconds")]
        by_genre, key = generated(*made), f"generated {settings}"
        source = (
            "The sounds are generated: {} styles that differ in timbre, register, scale, speed,"
            " number of voices, drums and noise, with {} pieces of {} seconds each, of which each"
            " has its own key, speed, timbre and tone. Figures are not those of recordings."
        ).format(*made)
    else:
        by_genre, key = read_folder(options.data), f"{options.data.resolve()} {settings}"
        source = f"Recordings of {len(by_genre)} genres."
    music = Music(by_genre)
    print(f"sounds ready after {time.perf_counter() - begin:.0f} s", flush=True)
    sizes, seeds = ((100,), SEEDS[:1]) if options.quick else (SIZES, SEEDS)
    found = measure(music, settings, sizes, seeds, Kept("music", not options.quick), key)
    publish(page(music, found, settings, about, options.quick, source), options.output)


if __name__ == "__main__":
    main()
