"""Scikit-learn's own checks of its estimator contract: all of them, no expected failures."""

import functools

import numpy as np
import pytest
from problems import unit_atoms

from skdict_sup import (
    LISTAEncoder,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
)

# scikit-learn 1.6 refuses to import its checks beside SciPy from 1.14 on without this
with pytest.MonkeyPatch.context() as patch:
    patch.setenv("SCIPY_ARRAY_API", "1")
    from sklearn.utils.estimator_checks import estimator_checks_generator

# no trials of rates, which others ask for
FEW = {"max_iter": 3, "init_max_iter": 1, "learning_rate": 0.16, "random_state": 0}
LEARNERS = [
    OnlineDictionaryLearning(5, max_iter=5, random_state=0),
    SupervisedDictionaryRegressor(5, **FEW),
    SupervisedDictionaryClassifier(5, **FEW),
    LISTAEncoder(n_components=5, n_layers=2, max_iter=3, random_state=0),
    LISTAEncoder(n_components=5, n_layers=2, max_iter=3, architecture="facnet", safeguard=True),
    LISTAEncoder(n_components=5, n_layers=2, max_iter=3, architecture="step", loss="square"),
]


def check_name(value):
    return value.func.__name__ if hasattr(value, "func") else type(value).__name__


# a list: the generator that scikit-learn 1.6 makes of it is none that pytest from 9 on takes
@pytest.mark.parametrize(
    ("estimator", "check"),
    [case for learner in LEARNERS for case in estimator_checks_generator(learner)],
    ids=check_name,
)
def test_estimators_that_learn(estimator, check):
    check(estimator)


# The dictionary of a coder fixes the width of signals, and each check brings signals of its own.

WIDTHS = range(1, 25)


def coder(n_features):
    return SparseCoder(unit_atoms(np.random.default_rng(0), 6, n_features))


@pytest.fixture(name="misfits")
def _misfits(monkeypatch):
    """Shapes of the dictionaries that the signals of a fit did not fit."""
    fit, seen = SparseCoder.fit, []

    @functools.wraps(fit)
    def noting(self, X, y=None):
        try:
            return fit(self, X, y)
        except ValueError as error:
            if "one column per feature" in str(error):
                seen.append(self.dictionary.shape)
            raise

    monkeypatch.setattr(SparseCoder, "fit", noting)
    return seen


@pytest.mark.parametrize(
    "check",
    [check for _, check in estimator_checks_generator(coder(2))],
    ids=check_name,
)
def test_a_coder_whose_dictionary_fits_the_signals(check, misfits):
    for width in WIDTHS:
        misfits.clear()
        try:
            check(coder(width))
        except Exception:
            if not misfits:
                raise
        if not misfits:
            return
    pytest.fail(f"{check_name(check)} has signals of no width in {WIDTHS}: {misfits}")
