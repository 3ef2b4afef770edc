"""Ratings of texts from codes of their words: table 6 of Bradley and Bagnell, 2008.

python asv_benchmarks/papers/rated_texts.py [FOLDER] writes docs/results/rated_texts.md, for a
folder of rated texts (ratings.csv with the columns file and rating beside one file for each text,
or a folder for each reviewer with subj.NAME and rating.NAME), or without one for a generated
corpus. What is measured is kept in asv_benchmarks/.kept, and later runs go on from there.
"""

import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from _common import arguments, machine, opening, publish, table
from _kept import Kept
from _rated_corpus import distributions, generated_corpus, read_corpus

from skdict_sup import KL, OnlineDictionaryLearning, SupervisedDictionaryRegressor

LAMS, MEANS = (1e-2, 1e-3), (0.1,)  # lam and p of KL priors, without labels
RIDGES = np.logspace(-6, 1, 15)
HELD_OUT = 0.2  # share of training documents on which settings are chosen
N_FOLDS = 5
SEED = 0
PACKAGES = ("skdict-sup", "numpy", "numba", "scikit-learn")
PAPER = {  # the published values of table 6
    "L2 regression": 0.507,
    "64 atoms, unsupervised, then ridge": 0.264,
    "256 atoms, unsupervised, then ridge": 0.281,
    "256 atoms, supervised": 0.534,
}


def predictive_r2(y, predicted):
    """1 - sum (y - predicted)^2 / sum (y - mean y)^2, for held-out documents."""
    return 1.0 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum()


def folds(n_documents, n_folds=N_FOLDS):
    """Pairs of (training rows, test rows)."""
    return list(KFold(n_folds, shuffle=True, random_state=SEED).split(np.arange(n_documents)))


def models(n_train, options):
    """Models by name, which choose their settings on a validation part of their training rows."""
    split = [train_test_split(np.arange(n_train), test_size=HELD_OUT, random_state=SEED)]

    def searched(model, grid):
        return GridSearchCV(model, grid, scoring="r2", cv=split)

    found = {"L2 regression": searched(Ridge(), {"alpha": RIDGES})}
    for n_components in options.components:
        learner = OnlineDictionaryLearning(
            n_components,
            prior=KL(),
            transfer="softmax",
            max_iter=options.epochs,
            random_state=SEED,
        )
        name = "onlinedictionarylearning__prior__"
        grid = {f"{name}lam": options.lam, f"{name}p": options.p}
        steps = learner, StandardScaler(), RidgeCV(np.logspace(-1, 5, 13))
        unsupervised = searched(make_pipeline(*steps), grid)
        found[f"{n_components} atoms, unsupervised, then ridge"] = unsupervised
        limits = {} if options.max_iter is None else {"max_iter": options.max_iter}
        found[f"{n_components} atoms, supervised"] = SupervisedDictionaryRegressor(
            n_components, transfer="softmax", random_state=SEED, **limits
        )
    return found


def protocol(X, y, options):
    """Lines of (model, predictive R2, seconds, chosen settings of each fold)."""
    pairs, lines = folds(len(y))[: options.folds], []
    rows = np.concatenate([test for _, test in pairs])
    kept = Kept("rated_texts", keep=not options.quick)
    given = {key: value for key, value in vars(options).items() if key not in ("folds", "output")}
    for name in models(len(y), options):

        def fitted(fold, name=name):
            """Predictions of a fold, what its model has chosen, and its seconds."""
            (train, test), begin = pairs[fold], time.perf_counter()
            model = models(len(train), options)[name].fit(X[train], y[train])
            return model.predict(X[test]), _chosen(model), time.perf_counter() - begin

        found = [
            kept(f"{name} {fold} {X.shape} {y.sum():.9g} {given}", lambda fold=fold: fitted(fold))
            for fold in range(len(pairs))
        ]
        predicted, chosen, seconds = zip(*found, strict=True)
        score = predictive_r2(y[rows], np.concatenate(predicted))
        lines.append((name, score, sum(seconds), "; ".join(chosen)))
        print(f"{sum(seconds):6.0f} s  R2 {score:.3f}  {name}", flush=True)
    return lines


def _chosen(model):
    if not isinstance(model, GridSearchCV):
        return "defaults"
    values = model.best_params_.items()
    return ", ".join(f"{name.rsplit('__', 1)[-1]}={value:.0e}" for name, value in values)


def page(lines, options, shape, n_empty):
    """The page, as lines of Markdown."""
    corpus = "a generated corpus" if options.folder is None else "a folder of texts"
    about = machine(PACKAGES, threads=str(joblib.cpu_count()))
    title = "Ratings of texts"
    text = opening(title, "rated_texts.py", about, options.quick, (), folder="papers")
    text += [
        f"{shape[0]} documents of {corpus}, normalised counts of {shape[1]} words ({n_empty}"
        f" documents have none of them, and are left out). Predictive R2 on held-out documents:"
        f" {options.folds} of {N_FOLDS} folds. Settings are chosen on {HELD_OUT:.0%} of the"
        " training documents alone: the ridge of the regression, and the prior of unsupervised"
        " codes (KL); the supervised regressor has its default settings. Unsupervised dictionaries"
        f" are learned in {options.epochs} epochs, for each prior that is tried. The values of the"
        " paper (Bradley and Bagnell, 2008, table 6) are those of movie reviews. Seconds are those"
        " of a machine that may have had other work, too.",
        "",
    ]
    rows = [[n, f"{r2:.3f}", PAPER.get(n, "-"), f"{s:.0f}", c] for n, r2, s, c in lines]
    return text + table(["model", "predictive R2", "paper", "seconds", "chosen"], rows)


OPTIONS = {
    "folder": {"type": Path, "nargs": "?", "help": "folder of texts and ratings"},
    "--components": {"type": int, "nargs": "+", "default": (64, 256), "help": "atoms"},
    "--folds": {"type": int, "default": 1, "help": f"folds of {N_FOLDS} that are tested"},
    "--words": {"type": int, "default": 5000, "help": "size of the vocabulary"},
    "--epochs": {"type": int, "default": 20, "help": "epochs of unsupervised learning"},
    "--max-iter": {"type": int, "help": "epochs of supervised learning"},
    "--lam": {"type": float, "nargs": "+", "default": LAMS, "help": "values to choose from"},
    "--p": {"type": float, "nargs": "+", "default": MEANS, "help": "values to choose from"},
}


def read_options(given=None):
    """Options of the command line."""
    options = arguments(__doc__.splitlines()[0], "rated_texts", more=OPTIONS, given=given)
    if options.quick:
        options.components, options.epochs, options.max_iter = [6], 1, 2
        options.lam, options.words = LAMS[:1], 100
    return options


def corpus_of(options):
    """Texts and ratings that the options name."""
    if options.folder is not None:
        return read_corpus(options.folder)
    if options.quick:
        return generated_corpus(n_documents=120, n_words=120, n_topics=4, length=60)
    return generated_corpus(n_words=options.words)


def main(given=None):
    options = read_options(given)
    texts, y = corpus_of(options)
    X, seen = distributions(texts, options.words)
    n_empty = int((~seen).sum())
    print(f"{len(texts)} documents, {n_empty} of them without any of the words: left out")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", category=ConvergenceWarning)
        lines = protocol(X, y[seen], options)
    for kind, number in Counter(warning.category.__name__ for warning in caught).items():
        print(f"{number} times {kind}")
    publish(page(lines, options, X.shape, n_empty), options.output)
    return lines


if __name__ == "__main__":
    main()
