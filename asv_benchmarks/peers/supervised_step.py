"""A supervised step: time against coding alone, by us and by SPAMS.

python asv_benchmarks/peers/supervised_step.py writes docs/results/supervised_step.md.
"""

import inspect
import time
import warnings

import numpy as np
from _common import THREADS, Contender, arguments, interleaved, machine, publish
from _peers import objective, spams, spams_lasso
from _supervised_step_page import page
from benchmarks import common
from sklearn.exceptions import ConvergenceWarning

from skdict_sup import ElasticNet, SupervisedDictionaryClassifier, encode
from skdict_sup.supervised import data, step

ATOMS, BATCH = 300, 256
LAMS = (0.15, 0.05, 0.02)
RATES = (1e-3, 1e-4)  # for the dictionary and the head: their size does not change the time
# options of the classifier that change how an epoch runs; those it does not have are skipped
VARIANTS = {"defaults": {}}
PACKAGES = ("skdict-sup", "numpy", "scipy", "numba", "scikit-learn", "spams-bin")


def classifier(dictionary, lam, **options):
    """Classifier that starts from a dictionary, with one epoch unless the options say more."""
    return SupervisedDictionaryClassifier(
        len(dictionary),
        prior=ElasticNet(lam=lam),
        init=dictionary,
        batch_size=BATCH,
        n_jobs=THREADS,
        random_state=0,
        **{"max_iter": 1, **options},
    )


def production_step(model, X, y):
    """The step that fit and partial_fit take, on one batch, from a fitted classifier's state."""
    state, settings = model._training.state, model._training.settings
    target = np.eye(len(model.classes_))[np.searchsorted(model.classes_, y)].astype(X.dtype)
    batch = data.Batch(X, target, np.ones(len(X), X.dtype))

    def run():
        return step.step(state, batch, settings, RATES)

    return run


def step_contenders(X, y, model, dictionary, lam):
    """What is timed for one batch."""
    prior, n = ElasticNet(lam=lam), len(X)
    step = production_step(model, X, y)
    model.set_params(learning_rate=RATES[0])  # the calls of partial_fit then leave D near itself
    found = {
        "X @ D.T": Contender(lambda: X @ dictionary.T, n, THREADS),
        "encode": Contender(lambda: encode(X, dictionary, prior=prior, n_jobs=THREADS), n, 1),
        # one thread of BLAS, as in fit
        "step": Contender(step, n, 1),
        "partial_fit": Contender(lambda: model.partial_fit(X, y), n, THREADS),
    }
    if spams:
        found["SPAMS"] = Contender(lambda: spams_lasso(X, dictionary, lam), n, THREADS)
    return found


def measure_step(X, y, dictionary, lam, repeats):
    """Times of one batch, as a dictionary."""
    fit_X, fit_y, X, y = X[BATCH:], y[BATCH:], X[:BATCH], y[:BATCH]
    model = classifier(dictionary, lam).fit(fit_X, fit_y)
    dictionary = model.components_
    state, _, code, _ = production_step(model, X, y)()
    found = step_contenders(X, y, model, dictionary, lam)
    results = interleaved(found, repeats)
    ours = results["encode"][1].code
    row = {
        "lam": lam,
        "dtype": X.dtype.name,
        "signals": len(X),
        "nonzeros": (ours != 0).sum() / len(X),
        "moved": float(np.abs(state.dictionary - dictionary).max()),
        "codes": float(np.abs(code - ours).max()),
        "above": int((~results["encode"][1].converged).sum()),
        "times": {name: 1e6 * seconds / len(X) for name, (seconds, _) in results.items()},
    }
    if spams:
        theirs = objective(X, dictionary, results["SPAMS"][1].T.toarray(), lam).sum()
        row["SPAMS"] = theirs / objective(X, dictionary, ours, lam).sum() - 1.0
    return row


def known(options):
    """Whether the classifier has all of these options."""
    return set(options) <= set(inspect.signature(SupervisedDictionaryClassifier).parameters)


def epoch_contenders(X, y, dictionary, lam):
    """What is timed for an epoch; a fit with some options and epochs by (name, epochs)."""
    prior, n = ElasticNet(lam=lam), len(X)
    model = classifier(dictionary, lam).partial_fit(X[:BATCH], y[:BATCH], classes=np.unique(y))
    trained = classifier(dictionary, lam, max_iter=3).fit(X, y).components_
    found = {
        "encode": Contender(lambda: encode(X, dictionary, prior=prior, n_jobs=THREADS), n, 1),
        "encode, trained": Contender(
            lambda: encode(X, trained, prior=prior, n_jobs=THREADS), n, 1
        ),
        "partial_fit": Contender(lambda: model.partial_fit(X, y), n, THREADS),
    }
    if spams:
        found["SPAMS"] = Contender(lambda: spams_lasso(X, dictionary, lam), n, THREADS)
    for variant, options in VARIANTS.items():
        for n_epochs in (1, 3) if known(options) else ():

            def fit(n_epochs=n_epochs, options=options):
                return classifier(dictionary, lam, max_iter=n_epochs, **options).fit(X, y)

            found[variant, n_epochs] = Contender(fit, n, THREADS)
    return found


def measure_epoch(X, y, dictionary, lam, repeats):
    """Seconds of an epoch, as a dictionary; a later one is half of what three take beyond one."""
    results = interleaved(epoch_contenders(X, y, dictionary, lam), repeats)
    seconds = {name: value for name, (value, _) in results.items()}
    later = {
        variant: 0.5 * (seconds[variant, 3] - seconds[variant, 1])
        for variant in VARIANTS
        if (variant, 3) in seconds
    }
    return {
        "lam": lam,
        "dtype": X.dtype.name,
        "signals": len(X),
        "later": later,
        "times": {name: value for name, value in seconds.items() if isinstance(name, str)},
    }


def main():
    options = arguments(__doc__.splitlines()[0], "supervised_step", parts=("steps", "epochs"))
    quick, begin = options.quick, time.perf_counter()
    about = machine(PACKAGES)
    what = {"digits": common.digits_name(), "batch": BATCH}
    atoms, lams, n = (100, LAMS[:2], 1000) if quick else (ATOMS, LAMS, 10_000)
    X, y = common.digits_to_learn(max(n, 10 * BATCH))
    what["atoms"] = atoms
    dictionary = common.learn(common.digits_to_learn(2000 if quick else 20_000)[0], atoms)
    steps, epochs = [], []
    with warnings.catch_warnings():
        # single precision may stop above its tolerance at small lam: the page counts them
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        for dtype in ("float64", "float32"):
            D = dictionary.astype(dtype)
            for lam in lams:
                few = X[: 10 * BATCH].astype(dtype)
                if options.only != "epochs":
                    steps.append(measure_step(few, y[: len(few)], D, lam, 3 if quick else 31))
                signals, labels = X[:n].astype(dtype), y[:n]
                if options.only != "steps":
                    epochs.append(measure_epoch(signals, labels, D, lam, 1 if quick else 5))
                print(f"{time.perf_counter() - begin:5.0f} s  lam {lam}, {dtype}", flush=True)
    lines = page(steps, epochs, about, what, quick)
    publish(lines, options.output)


if __name__ == "__main__":
    main()
