"""Digits by task-driven dictionaries: what was tried for a smaller error.

python asv_benchmarks/papers/digit_attempts.py writes docs/results/digit_attempts.md: the error on
10 000 training images that no attempt has learned from. No test image is read. What is measured is
kept in asv_benchmarks/.kept, and later runs go on from there; --only measures and prints one part.
"""

import sys
import time
from copy import copy
from pathlib import Path

import joblib
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from _common import arguments, machine, opening, publish, table
from _kept import Kept
from task_driven_digits import PACKAGES, Digits

from skdict_sup import ElasticNet, SupervisedDictionaryClassifier

HELD_OUT = 10_000  # images
SIZES = {"shared": 300, "one each": 100}
BASE = {
    "shared": {"lam": 0.1, "lam2": 0.2, "smoothing": 0.1, "dropout": 0.15, "epochs": 40},
    "one each": {"lam": 0.07, "lam2": 0.2, "smoothing": 0.1, "epochs": 20, "dropout": 0.0},
}
ATTEMPTS = {  # what is changed
    "shared": {
        "nothing": {},
        "twice the epochs": {"epochs": 80},
        "lam2 0.3": {"lam2": 0.3},
        "lam 0.05": {"lam": 0.05},
        "signed codes, whose halves the head sees": {"split_sign": True, "lam2": 0.3},
        "the same at a small lam": {"split_sign": True, "lam2": 0.3, "lam": 0.03},
    },
    "one each": {
        "nothing": {},
        "dropout 0.15": {"dropout": 0.15},
        "dropout 0.15, twice the epochs": {"dropout": 0.15, "epochs": 40},
        "lam2 0.3": {"lam2": 0.3},
        "signed codes at a small lam": {"split_sign": True, "lam2": 0.3, "lam": 0.03},
    },
}
LEARNED = "components_", "coef_", "intercept_", "linear_coef_"


class Averaged:
    """A callback of scikit-learn: the mean of what was learned after the epochs of the last half.

    The mean of the iterates of stochastic gradient descent has less noise than the last one.
    """

    def __init__(self, n_epochs):
        self.first, self.sums, self.n = n_epochs // 2, {}, 0

    def setup(self, estimator, context):
        """Do nothing."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator, **_):
        """Add what an epoch has learned."""
        if context.task_name == "epoch" and context.task_id >= self.first:
            learned = {name: getattr(fitted_estimator, name, None) for name in LEARNED}
            for name, value in learned.items():
                if value is not None:  # there may be no linear model
                    self.sums[name] = self.sums.get(name, 0.0) + value
            self.n += 1

    def teardown(self, estimator, context):
        """Do nothing."""

    def of(self, model):
        """Copy of a fitted model with the means."""
        averaged = copy(model)
        for name, total in self.sums.items():
            mean = total / self.n
            setattr(averaged, name, mean.astype(getattr(model, name).dtype))
        return averaged


def fitted(data, p, settings, *, one_each, epochs, seed=0):
    """Errors of the model after its last epoch, and of the mean of later epochs."""
    (X, y), (held_out, labels) = data
    prior = ElasticNet(
        settings["lam"], settings["lam2"], positive=not settings.get("split_sign", False)
    )
    averaged = Averaged(epochs)
    model = SupervisedDictionaryClassifier(
        p,
        prior=prior,
        multi_class="ovr" if one_each else "shared",
        label_smoothing=settings["smoothing"],
        dropout=settings["dropout"],
        split_sign=settings.get("split_sign", False),
        max_iter=epochs,
        augment=settings["shift"],
        random_state=seed,
    ).set_callbacks(averaged)
    model.fit(X, y)
    return [100 * (1 - one.score(held_out, labels)) for one in (model, averaged.of(model))]


def measure(part, digits, kept, quick):
    """Rows of a part: what was changed, both errors, and seconds."""
    order = np.random.default_rng(0).permutation(len(digits.X))
    n = len(order) // 6 if quick else HELD_OUT
    data = [(digits.X[rows], digits.y[rows]) for rows in (order[n:], order[:n])]
    p, rows = 20 if quick else SIZES[part], []
    for name, changed in ATTEMPTS[part].items():
        settings = BASE[part] | changed
        epochs = 2 if quick else settings["epochs"]

        def timed(settings=settings, epochs=epochs):
            begin = time.perf_counter()
            options = {"one_each": part == "one each", "epochs": epochs}
            errors = fitted(data, p, settings | {"shift": digits.shift}, **options)
            return errors, time.perf_counter() - begin

        errors, seconds = kept(f"attempts {part} {p} {settings}", timed)
        print(f"  {part}, {name}: {errors[0]:.2f}, {errors[1]:.2f} ({seconds:.0f} s)", flush=True)
        rows.append([name, *(f"{error:.2f}" for error in errors), f"{seconds:.0f}"])
        if quick:
            break
    return rows


def page(results, about, quick):
    """The page, as lines."""
    script, data = "digit_attempts.py", ("mnist.npz",)
    lines = opening("Attempts on digits", script, about, quick, data, folder="papers")
    lines += [
        "What was tried for the errors of [digits by task-driven dictionaries](mnist.md): error in"
        f" % on {HELD_OUT} training images held out, seed 0, shifts by up to a pixel in all. A"
        f" difference below some {100 * (0.009 / HELD_OUT) ** 0.5:.1f} % is within the error of so"
        " few images. Means are those of what was learned after each epoch of the last half."
        " Seconds are those of a machine that may have had other work, too.",
        "",
    ]
    for part, rows in results.items():
        settings = ", ".join(f"{name} {value}" for name, value in BASE[part].items())
        of = "one dictionary for all classes" if part == "shared" else "one for each class"
        lines += [f"## {SIZES[part]} atoms, {of}", "", f"Settings: {settings}; but for:", ""]
        lines += [*table(["changed", "last epoch", "mean of epochs", "seconds"], rows), ""]
    return lines


def main():
    options = arguments(__doc__.splitlines()[0], "digit_attempts", tuple(BASE))
    digits, kept = Digits(options.quick), Kept("mnist", keep=not options.quick)
    about = machine(PACKAGES, threads=str(joblib.cpu_count()))
    parts = [options.only] if options.only else BASE
    results = {part: measure(part, digits, kept, options.quick) for part in parts}
    publish(page(results, about, options.quick), options.output)


if __name__ == "__main__":
    main()
