"""Small estimators of every kind to store, and what they do when they go on.

`python tests/support/storable.py FOLDER` goes on with all that lies in a folder.
"""

import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import joblib
import numpy as np
from learners import digits, outputs
from sklearn.base import clone

from skdict_sup import (
    KL,
    ElasticNet,
    LISTAEncoder,
    Lp,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
)
from skdict_sup.encoders import ARCHITECTURES

FEW = {"max_iter": 2, "random_state": 0}
TAUGHT = FEW | {"learning_rate": 0.05, "init_max_iter": 1}
NETWORK = FEW | {"n_components": 4, "n_layers": 3, "init_max_iter": 1, "prior": ElasticNet(0.1)}
ATOMS = np.random.default_rng(0).standard_normal((4, 16)) / 4


def classifier(**params):
    return SupervisedDictionaryClassifier(4, **TAUGHT | params)


def regressor(**params):
    return SupervisedDictionaryRegressor(4, **TAUGHT | params)


def network(**params):
    return LISTAEncoder(**NETWORK | params)


LEARNERS = {
    "coder": SparseCoder(ATOMS, prior=ElasticNet(0.1)),
    "coder_lp": SparseCoder(ATOMS, prior=Lp(0.1)),
    "unsupervised": OnlineDictionaryLearning(4, **FEW),
    "unsupervised_softmax": OnlineDictionaryLearning(4, prior="kl", transfer="softmax", **FEW),
    "classifier": classifier(),
    "classifier_ovr": classifier(multi_class="ovr", label_smoothing=0.1),
    "classifier_bilinear": classifier(head="bilinear", n_projected=6, prior=KL(), split_sign=True),
    "classifier_mairal": classifier(learning_rate="mairal", loss="squared_hinge"),
    "classifier_softmax": classifier(prior="kl", transfer="softmax", mu=0.5),
    "regressor": regressor(fit_linear=True, fit_offset=True, standardise=True),
    "regressor_poisson": regressor(loss="poisson", early_stopping=True),
    **{f"network_{name}": network(architecture=name) for name in ARCHITECTURES},
    "network_tied": network(dictionary_update="tied"),
    "network_adadelta": network(optimizer="adadelta", safeguard=True),
    "network_classes": network(loss="softmax"),
    "network_numbers": network(loss="square", dictionary_update=True),
}


def samples(learner):
    """Signals and targets that a learner can be fitted to."""
    X, y = digits(120, n_classes=3)
    X = X.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    if learner.transfer == "softmax":
        X = X / X.sum(axis=1, keepdims=True)
    return X, y


def fitted(name):
    """A learner of `LEARNERS`, newly fitted, or one whose fit was interrupted and is to go on."""
    if name == "interrupted":
        return interrupted()
    learner = clone(LEARNERS[name])
    return learner.fit(*samples(learner))


@cache
def once_fitted(name):
    """The same, fitted once: for tests that learn with copies of it alone."""
    return fitted(name)


EVERY = (*LEARNERS, "interrupted")


def interrupted(**params):
    """A classifier whose fit was interrupted."""
    left = iter(range(5))

    def stop(X, rng):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return X

    learner = classifier(max_iter=4, augment=stop, early_stopping=True, **params)
    with suppress(KeyboardInterrupt):
        learner.fit(*samples(learner))
    assert learner.n_iter_ < 4
    return learner.set_params(augment=None, warm_start=True)


@cache
def expected(name):
    """What a learner says that was never stored."""
    return going_on(lambda: fitted(name))


def going_on(fresh):
    """What an estimator, of which `fresh` gives one after another, says now and after learning."""
    estimator = fresh()
    X, y = samples(estimator)
    found = outputs(estimator, X)
    if hasattr(estimator, "partial_fit") and not _has_an_end(estimator):
        more = outputs(fresh().partial_fit(X[:64], y[:64]), X)
        found |= {f"{name} after partial_fit": value for name, value in more.items()}
    if "warm_start" in estimator.get_params():
        more = outputs(fresh().set_params(warm_start=True).fit(X, y), X)
        found |= {f"{name} after a warm start": value for name, value in more.items()}
    return found


def _has_an_end(estimator):
    """Whether the step sizes depend on how long learning will last."""
    return getattr(estimator, "learning_rate", None) == "mairal"


def main(folder):
    files = sorted(Path(folder).glob("*.joblib"))
    found = {path.stem: going_on(lambda path=path: joblib.load(path)) for path in files}
    joblib.dump(found, Path(folder) / "found")


if __name__ == "__main__":
    main(sys.argv[1])
