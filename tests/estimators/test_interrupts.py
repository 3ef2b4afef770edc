"""An interrupt at any line of a fit: the estimator predicts, and threads are what they were."""

import copy
import linecache
import sys
from pathlib import Path

import numpy as np
import pytest
from learners import digits
from sklearn.base import clone
from threadpoolctl import threadpool_info

import skdict_sup
from skdict_sup import (
    LISTAEncoder,
    OnlineDictionaryLearning,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
)
from skdict_sup._threads import one_blas_thread

PACKAGE = str(Path(skdict_sup.__file__).parent)
FEW = {"max_iter": 2, "random_state": 0}
LEARNERS = {
    "unsupervised": OnlineDictionaryLearning(5, **FEW),
    "classifier": SupervisedDictionaryClassifier(5, learning_rate=0.05, init_max_iter=1, **FEW),
    "regressor": SupervisedDictionaryRegressor(5, learning_rate=0.05, init_max_iter=1, **FEW),
    "encoder": LISTAEncoder(n_components=5, n_layers=2, init_max_iter=1, loss="softmax", **FEW),
}
SAMPLED = 12  # lines of each call


class Interrupter:
    """Count the lines of the package's own files that run, and interrupt at one of them."""

    def __init__(self, at=None, files=("estimators", "_threads.py")):
        self.at, self.count = at, 0
        self.files = tuple(f"{PACKAGE}/{name}" for name in files)

    def __enter__(self):
        self.previous = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *_):
        sys.settrace(self.previous)

    def __call__(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(self.files):
            return None
        if event == "line" and not begins_with(frame):
            self.count += 1
            if self.count == self.at:
                raise KeyboardInterrupt
        return self


def begins_with(frame):
    """Whether a `with` or `try` statement is about to begin, or a `with` statement to end.

    The interpreter looks for interrupts after calls and at jumps, and so never there, where a
    trace function could raise.
    """
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    return line.strip().startswith(("with ", "try:"))


def threads():
    return [library["num_threads"] for library in threadpool_info()]


def sampled(run):
    """Line numbers, counted over a whole run, at which to interrupt others."""
    with Interrupter() as counter:
        run()
    rng = np.random.default_rng(0)
    ends = [1, 2, counter.count - 1, counter.count]
    return sorted({*ends, *rng.integers(1, counter.count, SAMPLED).tolist()})


def in_use(estimator, X):
    return (estimator.predict if hasattr(estimator, "predict") else estimator.transform)(X)


@pytest.mark.parametrize("way", ["fit", "partial_fit"])
@pytest.mark.parametrize("name", LEARNERS)
def test_an_interrupted_fit_leaves_an_estimator_that_predicts(name, way):
    X, y = digits(64, n_classes=3)
    other, labels = X[::2] * 0.5, y[::2]
    before = threads()

    first = clone(LEARNERS[name]).fit(X, y)

    def fitted():
        return copy.deepcopy(first)

    fitted_once = fitted()
    expected = in_use(fitted_once, X)
    for at in sampled(lambda: getattr(fitted_once, way)(other, labels)):
        model = fitted()
        try:
            with Interrupter(at):
                getattr(model, way)(other, labels)
        except KeyboardInterrupt:
            pass
        assert threads() == before, at
        found = in_use(model, X)
        assert found.shape == expected.shape, at
        assert "_known_classes" not in vars(model)


def test_an_interrupt_at_any_line_of_the_limit_restores_the_threads():
    before = threads()

    def run():
        with one_blas_thread():
            pass

    with Interrupter() as counter:
        run()
    for at in range(1, counter.count + 1):
        try:
            with Interrupter(at):
                run()
        except KeyboardInterrupt:
            pass
        assert threads() == before, at
