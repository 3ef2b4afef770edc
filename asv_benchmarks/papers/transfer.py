"""Letters by a dictionary of digits: table 5 of Bradley and Bagnell, 2008.

python asv_benchmarks/papers/transfer.py writes docs/results/transfer.md, from the digits of MNIST
(or rendered ones) to letters rendered from the fonts of Matplotlib, and from the digits 0 to 4 to
5 to 9. `--source` and `--target` name .npz files instead: arrays x (n, height, width) and y (n,),
and for the target also writers (n,), if they are known; or x_train, y_train, x_test and y_test.
Images of other sizes are padded and scaled. A fifth of the training writers (or images) is held
out, on which all settings are chosen; those of the test set give the figures alone. What is
computed is kept in asv_benchmarks/.kept, and a run that was stopped goes on from there.
"""

import sys
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from _common import arguments, machine, publish
from _kept import Kept
from _transfer_data import Images, Task, distortion, read_images
from _transfer_page import page
from benchmarks import common
from differentiable_sparse_coding import features, maxent

from skdict_sup import KL, ElasticNet, OnlineDictionaryLearning, SupervisedDictionaryClassifier

SEED = 0
COSTS = (0.03, 0.1, 0.3, 1.0, 3.0)  # C of the maxent classifier, for features of typical size one
N_DISTORTED = 10_000  # distorted copies of a draw of few labels, up to 20 of each signal
L1_PRIORS = (ElasticNet(0.05), ElasticNet(0.1))
KL_PRIORS = (KL(0.1, 0.01), KL(0.03, 0.01))
PARTS = ("letters", "digits")
PACKAGES = ("skdict-sup", "numpy", "scipy", "numba", "scikit-learn", "matplotlib")


@dataclass(frozen=True)
class Way:
    """How to learn from the dictionary of the source with the labels of the target."""

    prior: Any
    rate: float
    distort: bool

    def __str__(self):
        words = "distorted" if self.distort else "not distorted"
        return f"`{self.prior!r}`, rate {self.rate:g}, {words}"


WAYS = (
    Way(KL(0.1, 0.003), 0.01, False),
    Way(KL(0.1, 0.003), 0.04, True),
    Way(KL(0.1, 0.003), 0.16, True),
    Way(KL(0.03, 0.01), 0.04, True),
)


@dataclass(frozen=True)
class Settings:
    """Sizes of the comparison, and what is tried."""

    atoms: int = 300
    components: int = 180
    sizes: tuple = (100, 500, 1000, 5000, 20_000)
    draws: tuple = (5, 3, 3, 1, 1)  # random choices of labels, for each size
    epochs: tuple = (60, 40, 30, 12, 8)  # passes of backpropagation, for each size
    l1: tuple = L1_PRIORS
    kl: tuple = KL_PRIORS
    ways: tuple = WAYS
    defaults: tuple = ()  # pairs of names and values that differ from the defaults, in quick runs


DEFAULTS = (("n_components", 12), ("max_iter", 2))
QUICK = Settings(12, 20, (60,), (1,), (5,), L1_PRIORS[:1], KL_PRIORS[:1], WAYS[1:2], DEFAULTS)


@dataclass(frozen=True)
class Result:
    """Test accuracies in % for the draws of labels, what was chosen, and processor seconds."""

    test: tuple
    validation: float
    chosen: str
    seconds: float  # time of one fit with the chosen setting, including codes of its signals


class Comparison:
    """All methods on one task."""

    def __init__(self, task, settings, kept):
        self.task, self.settings, self.kept = task, settings, kept
        self.key = f"{task.key} {settings.atoms} {settings.components}"
        self.D = kept(f"dictionary {self.key}", self._dictionary)
        self._codes = {}  # features of the held-out and test signals, by prior and set

    def _dictionary(self):
        learner = OnlineDictionaryLearning(
            self.settings.atoms, prior=ElasticNet(0.1), max_iter=3, random_state=SEED
        )
        return learner.fit(self.task.source).components_

    def columns(self):
        """Name of a method -> function from n and draws to its result, and what it depends on."""
        settings, found = self.settings, {}
        for name, priors in {"PCA": (None,), "L1": settings.l1, "KL": settings.kl}.items():
            method = partial(self.unsupervised, priors)
            found[name] = method, (priors, COSTS)
        method = partial(self.unsupervised, (None,), distorted=True)
        found["PCA, distorted"] = method, (COSTS, N_DISTORTED)
        found["KL + backprop"] = self.supervised, (settings.ways, settings.epochs)
        found["defaults"] = self.defaults, settings.defaults
        return found

    def _features(self, prior, X):
        return X if prior is None else features(X, self.D, prior, halves=True)

    def _kept_features(self, prior, part):
        """Features of all held-out or test signals, which are computed once."""
        if (prior, part) not in self._codes:
            self._codes[prior, part] = self._features(prior, getattr(self.task, part)[0])
        return self._codes[prior, part]

    def _drawn(self, n, draw, distorted=False):
        """Signals and labels of a draw, and where asked for distorted copies of them."""
        X, y = (part[self.task.draw(n, draw)] for part in self.task.train)
        if not distorted:
            return X, y
        n_copies = int(np.clip(N_DISTORTED // n, 1, 20))
        change, rng = distortion(self.task), np.random.default_rng(draw)
        parts = [X, *(change(X, rng) for _ in range(n_copies))]
        return np.concatenate(parts), np.tile(y, len(parts))

    def unsupervised(self, priors, n, draws, distorted=False):
        """Maxent on features whose dictionary has seen no labels."""
        tried, drawn = {}, [self._drawn(n, draw, distorted) for draw in range(draws)]
        for prior in priors:
            begin = time.process_time()
            inputs = [self._features(prior, X) for X, _ in drawn]
            coding = time.process_time() - begin
            held_out = self._kept_features(prior, "held_out")
            for C in COSTS:
                begin = time.process_time()
                pairs = zip(inputs, (y for _, y in drawn), strict=True)
                models = [maxent(C).fit(*pair) for pair in pairs]
                seconds = (time.process_time() - begin + coding) / draws
                errors = [model.error(held_out, self.task.held_out[1]) for model in models]
                tried[100 - np.mean(errors), -C, repr(prior)] = prior, models, seconds
        best = max(tried)
        prior, models, seconds = tried[best]
        test = self._kept_features(prior, "test")
        accuracies = tuple(100 - model.error(test, self.task.test[1]) for model in models)
        chosen = "" if prior is None else f"`{prior!r}`, "
        return Result(accuracies, best[0], f"{chosen}C {-best[1]:g}", seconds)

    def _learned(self, way, n, draw, epochs):
        """Classifier that begins with the dictionary of the source, and seconds."""
        X, y = self._drawn(n, draw)
        model = SupervisedDictionaryClassifier(
            len(self.D),
            prior=way.prior,
            split_sign=True,
            init=self.D,
            learning_rate=way.rate,
            label_smoothing=0.1,
            fit_linear=False,
            augment=distortion(self.task) if way.distort else None,
            max_iter=epochs,
            random_state=SEED,
        )
        begin = time.process_time()
        model.fit(X, y)
        return model, time.process_time() - begin

    def supervised(self, n, draws):
        """The dictionary of the source, learned further with the labels."""
        epochs = self.settings.epochs[self.settings.sizes.index(n)]
        tried, models = [], {}
        for way in self.settings.ways:
            models[way] = self._learned(way, n, 0, epochs)
            accuracy = 100 * models[way][0].score(*self.task.held_out)
            tried.append((accuracy, way))
            print(f"  {n} labels, {way}: {accuracy:.2f}", flush=True)
        accuracy, way = max(tried, key=lambda found: found[0])
        first, seconds = models[way]
        others = [self._learned(way, n, draw, epochs)[0] for draw in range(1, draws)]
        test = tuple(100 * model.score(*self.task.test) for model in (first, *others))
        return Result(test, accuracy, f"{way}, {epochs} epochs", seconds)

    def defaults(self, n, draws):
        """Default settings, without the source."""
        accuracies, validation, seconds = [], [], []
        for draw in range(draws):
            X, y = self._drawn(n, draw)
            begin = time.process_time()
            model = SupervisedDictionaryClassifier(random_state=SEED)
            model.set_params(**dict(self.settings.defaults)).fit(X, y)
            seconds.append(time.process_time() - begin)
            accuracies.append(100 * model.score(*self.task.test))
            validation.append(100 * model.score(*self.task.held_out))
        return Result(tuple(accuracies), np.mean(validation), "-", np.mean(seconds))

    def measure(self, labels=None):
        """{n: {method: result}}, for all sizes (or those given) that the training set has."""
        found = {}
        for n, draws in zip(self.settings.sizes, self.settings.draws, strict=True):
            if n > len(self.task.train[0]) or n not in (labels or self.settings.sizes):
                continue
            found[n] = {}
            for name, (method, depends) in self.columns().items():
                key = f"{name} {n} {draws} {depends} {self.key}"
                result = self.kept(key, partial(method, n, draws))
                found[n][name] = result
                shown = f"{np.mean(result.test):.1f} %, {result.seconds:.1f} s, {result.chosen}"
                print(f"{self.task.name}, {n} labels, {name}: {shown}", flush=True)
        return found


def rendered_letters(quick):
    """Letters of writers with fonts of their own in training and test set, and digits."""
    from _letters import DIGITS, LETTERS, TEST_FONTS, TRAIN_FONTS, written  # needs the fonts

    n, n_test = (400, 100) if quick else (26_000, 5000)
    fonts, test_fonts = (TRAIN_FONTS[:2], TEST_FONTS[:1]) if quick else (TRAIN_FONTS, TEST_FONTS)
    letters = LETTERS[: 5 if quick else None]
    sets = written(letters, fonts, 64, n, 1), written(letters, test_fonts, 20, n_test, 2)
    X, y, writers = (np.concatenate(parts) for parts in zip(*sets, strict=True))
    is_test = np.arange(len(X)) >= n
    target = Images("rendered letters", X, y, writers + 64 * is_test, is_test)
    if not quick and common.data_file("mnist.npz") is not None:
        return digits("train"), target
    X, y, _ = written(DIGITS, fonts, 64, 300 if quick else 20_000, 3)
    return Images("rendered digits", X, y), target


def digits(part):
    """Digits of MNIST, or of scikit-learn, as images."""
    X, y = common.stored_digits(part)
    side = round(X.shape[1] ** 0.5)
    return Images(common.digits_name(), X.reshape(-1, side, side) / np.float32(X.max()), y)


def digits_of_classes():
    """The digits 0 to 4, without labels, and 5 to 9."""
    train, test = digits("train"), digits("test")
    X, y = (np.concatenate([getattr(part, name) for part in (train, test)]) for name in "Xy")
    whole = Images(train.name, X, y, None, np.arange(len(X)) >= len(train.X))
    return train.rows(train.y < 5), whole.rows(y >= 5)


def tasks(options):
    """Name and arguments of each task."""
    if (options.source is None) != (options.target is None):
        raise ValueError("--source and --target must be given together.")
    if options.source is not None:
        source, target = read_images(options.source), read_images(options.target)
        return {f"{options.source.name} to {options.target.name}": (source, target)}
    found = {}
    if options.only in (None, "letters"):
        found["digits to rendered letters"] = rendered_letters(options.quick)
    if options.only in (None, "digits"):
        found["digits 0 to 4 to digits 5 to 9"] = digits_of_classes()
    return found


OPTIONS = {
    "--source": {"type": Path, "help": "npz file of images to learn a dictionary from"},
    "--target": {"type": Path, "help": "npz file of images to classify"},
    "--labels": {"type": int, "nargs": "+", "help": "some of the numbers of labels"},
}


def main(given=None):
    options = arguments(__doc__.splitlines()[0], "transfer", PARTS, OPTIONS, given)
    # the linear models may stop at their limits: what they reach there is the figure
    warnings.filterwarnings("ignore", category=ConvergenceWarning, module="sklearn")
    about = machine(PACKAGES, threads="those of the processor")
    settings, kept = QUICK if options.quick else Settings(), Kept("transfer", not options.quick)
    found = []
    for name, (source, target) in tasks(options).items():
        task = Task(name, source, target, settings.components)
        found.append((task, Comparison(task, settings, kept).measure(options.labels)))
    publish(page(found, settings, about, options.quick), options.output)
    return found


if __name__ == "__main__":
    main()
