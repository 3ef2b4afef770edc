"""Ratings of movie reviews from KL codes of their words: table 6 of Bradley and Bagnell, 2008.

python asv_benchmarks/papers/sentiment.py FOLDER prints predictive R2 for a folder of texts: either
ratings.csv (columns file, rating) and the files it names, or the scale data of Pang and Lee (a
folder per reviewer, with one review a line in subj.NAME and its rating in rating.NAME).
"""

import argparse
import csv
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, diags_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LassoCV, Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdict_sup import KL, OnlineDictionaryLearning, SupervisedDictionaryRegressor

LAMS, MEANS = (1e-2, 1e-3, 1e-4), (0.1, 1.0)  # of the KL prior, for rows that sum to one
RIDGES = np.logspace(-6, 1, 15)
HELD_OUT = 0.2  # of the training folds, to choose lam and p
SEED = 0


def read_corpus(folder):
    """Texts and ratings in a folder of either layout."""
    folder = Path(folder)
    if (folder / "ratings.csv").is_file():
        with open(folder / "ratings.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        texts = [(folder / row["file"]).read_text("utf-8", errors="replace") for row in rows]
        return texts, np.array([float(row["rating"]) for row in rows])
    texts, ratings = [], []
    for path in sorted(folder.rglob("subj.*")):
        reviews, own = _lines(path), _lines(path.with_name("rating." + path.name[5:]))
        if len(reviews) != len(own):
            raise ValueError(f"{path} has {len(reviews)} reviews, but {len(own)} ratings.")
        texts += reviews
        ratings += map(float, own)
    if not texts:
        raise ValueError(f"{folder} has neither ratings.csv nor subj.NAME files.")
    return texts, np.array(ratings)


def _lines(path):
    # not splitlines: other separators occur within reviews
    return path.read_text("latin-1").rstrip("\n").split("\n")


def artificial_corpus(n_documents=240, n_words=300, n_topics=6, length=80, noise=0.1):
    """Texts drawn from a topic model, and ratings that are linear in their topics' weights."""
    rng = np.random.default_rng(SEED)
    topics = rng.dirichlet(np.full(n_words, 0.1), n_topics)
    weights = rng.dirichlet(np.full(n_topics, 0.5), n_documents)
    words = np.array([f"word{number}" for number in range(n_words)])
    lengths = 5 + rng.poisson(length, n_documents)
    texts = [
        " ".join(rng.choice(words, size, p=weight @ topics))
        for size, weight in zip(lengths, weights, strict=True)
    ]
    ratings = 3.0 + 2.0 * weights @ np.linspace(-1, 1, n_topics)
    return texts, ratings + noise * rng.standard_normal(n_documents)


def distributions(texts, n_words):
    """Normalised counts of the words with the highest tf-idf, and which texts have any."""
    counts = CountVectorizer(dtype=np.float64).fit_transform(texts)
    n_with = np.bincount(counts.indices, minlength=counts.shape[1])
    score = np.asarray(counts.sum(axis=0)).ravel() * np.log(len(texts) / n_with)
    counts = counts[:, np.sort(np.argsort(-score, kind="stable")[:n_words])]
    totals = np.asarray(counts.sum(axis=1)).ravel()
    seen = totals > 0
    return csr_matrix(diags_array(1.0 / totals[seen]) @ counts[seen]), seen


def predictive_r2(y, predicted):
    """1 - sum (y - predicted)^2 / sum (y - mean y)^2, for out-of-fold predictions."""
    return 1.0 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum()


def folds(n_documents, n_folds):
    """Pairs of (training rows, test rows)."""
    return list(KFold(n_folds, shuffle=True, random_state=SEED).split(np.arange(n_documents)))


def models(n_train, options):
    """Models by name, which choose their settings on a validation part of their training rows."""
    split = [train_test_split(np.arange(n_train), test_size=HELD_OUT, random_state=SEED)]
    dictionary = {
        "n_components": options.components,
        "prior": KL(),
        "transfer": "softmax",
        "max_iter": options.epochs,
        "random_state": SEED,
    }
    unsupervised = make_pipeline(
        OnlineDictionaryLearning(**dictionary),
        StandardScaler(),
        RidgeCV(np.logspace(-1, 5, 13)),
    )

    def searched(model, prefix=""):
        grid = {f"{prefix}prior__lam": options.lam, f"{prefix}prior__p": options.p}
        return GridSearchCV(model, grid, scoring="r2", cv=split)

    return {
        "L2-regularised regression": GridSearchCV(
            Ridge(), {"alpha": RIDGES}, scoring="r2", cv=split
        ),
        "L1-regularised regression": LassoCV(cv=split, max_iter=10_000),
        "unsupervised KL codes": searched(unsupervised, "onlinedictionarylearning__"),
        "supervised KL codes": searched(SupervisedDictionaryRegressor(**dictionary)),
    }


def protocol(X, y, options):
    """Lines of (model, predictive R2, seconds, chosen settings of each fold)."""
    pairs = folds(len(y), options.folds)
    lines = []
    for name in models(len(y), options):
        begin, predicted, chosen = time.perf_counter(), np.full(len(y), np.nan), []
        for train, test in pairs:
            model = models(len(train), options)[name].fit(X[train], y[train])
            predicted[test] = model.predict(X[test])
            chosen.append(_chosen(model))
        seconds = time.perf_counter() - begin
        print(f"{seconds:6.0f} s  {name}", flush=True)
        lines.append((name, predictive_r2(y, predicted), seconds, "; ".join(chosen)))
    return lines


def _chosen(model):
    if isinstance(model, LassoCV):
        return f"alpha={model.alpha_:.0e}"
    values = model.best_params_.items()
    return ", ".join(f"{name.rsplit('__', 1)[-1]}={value:.0e}" for name, value in values)


def table(lines, options, shape):
    """The result, as Markdown."""
    settings = f"{options.components} atoms, {options.epochs} epochs, {options.folds} folds"
    text = f"{shape[0]} documents, {shape[1]} words, {settings}; a choice for each fold.\n\n"
    text += "| model | predictive R2 | seconds | chosen |\n| --- | ---: | ---: | --- |\n"
    return text + "".join(f"| {n} | {r2:.3f} | {s:.0f} | {c} |\n" for n, r2, s, c in lines)


def arguments(given=None):
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="folder of texts and ratings")
    parser.add_argument("--artificial", action="store_true", help="a small corpus, made up")
    parser.add_argument("--components", type=int, default=256, help="atoms")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--words", type=int, default=5000, help="size of the vocabulary")
    parser.add_argument("--epochs", type=int, default=20, help="of either kind of learning")
    parser.add_argument("--lam", type=float, nargs="+", default=LAMS, help="values to choose from")
    parser.add_argument("--p", type=float, nargs="+", default=MEANS, help="values to choose from")
    parser.add_argument("--output", type=Path, help="file for the table, which is printed anyway")
    options = parser.parse_args(given)
    if options.artificial == (options.folder is not None):
        parser.error("either FOLDER or --artificial is needed")
    return options


def main(given=None):
    options = arguments(given)
    texts, y = artificial_corpus() if options.artificial else read_corpus(options.folder)
    X, seen = distributions(texts, options.words)
    print(f"{len(texts)} documents, {(~seen).sum()} of them without any of the words: left out")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", category=ConvergenceWarning)
        lines = protocol(X, y[seen], options)
    text = table(lines, options, X.shape)
    print(text)
    for kind, number in Counter(warning.category.__name__ for warning in caught).items():
        print(f"{number} times {kind}")
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text, encoding="utf-8")
    return lines


if __name__ == "__main__":
    main()
