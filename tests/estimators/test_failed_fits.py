"""Fits that fail or are interrupted: nothing lost, nothing half-done."""

import copy
from functools import cache

import numpy as np
import pytest
from learners import (
    EVERY,
    LEARNERS,
    assert_same,
    classifier,
    coder,
    digits,
    heights,
    learned,
    outputs,
    regressor,
    target_of,
    unsupervised,
)
from sklearn.exceptions import ConvergenceWarning

from skdict_sup import ElasticNet, LISTAEncoder
from skdict_sup.dictionary import learner

SUPERVISED = (regressor, classifier)
PRIOR = ElasticNet(lam=0.5, lam2=0.01)


@cache
def _fitted_once(make, **params):
    return make(**params).fit(digits()[0], target_of(make))


def fitted(make, **params):
    """An estimator of its own for each test: a copy of what is fitted once."""
    return copy.deepcopy(_fitted_once(make, **params))


def _nan(X, y):
    X = X.copy()
    X[3, 5] = np.nan
    return X, y


BAD_DATA = {
    "nan": _nan,
    "one_dimension": lambda X, y: (X[0], y),
    "strings": lambda X, y: (np.full(X.shape, "ink"), y),
    "no_samples": lambda X, y: (X[:0], None if y is None else y[:0]),
}
BAD_TARGETS = {
    "too_few": lambda X, y: (X, y[:-1]),
    "missing": lambda X, y: (X, None),
    "not_finite": lambda X, y: (X, np.full(y.shape, np.inf)),
}
BAD_PARAMETERS = [
    *((make, {"prior__lam": -1.0}) for make in EVERY),
    *((make, {"prior__lam2": "large"}) for make in EVERY),
    (coder, {"dictionary": np.ones((6, 63))}),
    *((make, {"max_iter": 0}) for make in LEARNERS),
    *((make, {"n_components": 2.5}) for make in LEARNERS),
    *((make, {"init": np.ones((6, 63))}) for make in LEARNERS),
    *((make, {"batch_size": 0}) for make in LEARNERS),
    (unsupervised, {"forgetting": -1.0}),
    *((make, {"learning_rate": 0.0}) for make in SUPERVISED),
    *((make, {"nu": "small"}) for make in SUPERVISED),
    *((make, {"augment": lambda X, rng: X[:, 1:]}) for make in SUPERVISED),
    *((make, {"early_stopping": True, "validation_fraction": 1.0}) for make in SUPERVISED),
]


def _assert_refused(call, estimator, data):
    """A failing call changes no attribute and no prediction."""
    X = digits()[0]
    attributes, expected = dict(vars(estimator)), outputs(estimator, X)
    kept = copy.deepcopy(learned(estimator))
    with pytest.raises((ValueError, TypeError)):
        call(*data)
    assert vars(estimator).keys() == attributes.keys()
    assert all(vars(estimator)[name] is value for name, value in attributes.items())
    assert_same(learned(estimator), kept)
    assert_same(outputs(estimator, X), expected)


@pytest.mark.parametrize("spoil", BAD_DATA.values(), ids=BAD_DATA)
@pytest.mark.parametrize("make", EVERY)
def test_bad_signals_leave_a_fitted_estimator_as_it_was(make, spoil):
    estimator = fitted(make)
    data = spoil(digits()[0], target_of(make))
    _assert_refused(estimator.fit, estimator, data)
    if make is not coder:
        _assert_refused(estimator.partial_fit, estimator, data)


@pytest.mark.parametrize("spoil", BAD_TARGETS.values(), ids=BAD_TARGETS)
@pytest.mark.parametrize("make", SUPERVISED)
def test_bad_targets_leave_a_fitted_estimator_as_it_was(make, spoil):
    estimator = fitted(make)
    data = spoil(digits()[0], target_of(make))
    _assert_refused(estimator.fit, estimator, data)
    _assert_refused(estimator.partial_fit, estimator, data)


def test_a_single_class_leaves_a_fitted_classifier_as_it_was():
    estimator = fitted(classifier)
    _assert_refused(estimator.fit, estimator, (digits()[0], np.zeros(160, int)))


@pytest.mark.parametrize(("make", "params"), BAD_PARAMETERS)
def test_bad_parameters_leave_a_fitted_estimator_as_it_was(make, params):
    estimator = fitted(make, prior=PRIOR).set_params(**params)
    data = digits()[0], target_of(make)
    _assert_refused(estimator.fit, estimator, data)


# the codes of atoms that are no numbers, until the pass ends
@pytest.mark.filterwarnings("ignore:.* codes have not converged to a relative duality gap")
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("make", SUPERVISED)
def test_a_loss_that_leaves_the_finite_numbers_is_refused(make, method):
    estimator = fitted(make).set_params(learning_rate=1e200, batch_size=2)
    data = digits()[0], target_of(make)
    with pytest.raises(ValueError, match=r"learning_rate must be small enough .* of 1e\+200"):
        getattr(estimator, method)(*data)
    _assert_refused(getattr(estimator, method), estimator, data)


def test_a_cost_that_leaves_the_finite_numbers_leaves_the_best_epoch():
    X = digits()[0].astype(np.float32)
    settings = {"n_components": 6, "max_iter": 2, "init_max_iter": 1, "random_state": 0}
    model = LISTAEncoder(**settings, learning_rate=1e30)
    with pytest.warns(ConvergenceWarning, match=r"choose a smaller learning_rate, it was 1e\+30"):
        model.fit(X)
    assert np.isfinite(model.loss_curve_[0])
    assert not np.isfinite(model.loss_curve_[-1])
    begun = LISTAEncoder(**settings, learning_rate=1e-30).fit(X)
    np.testing.assert_allclose(model.transform(X), begun.transform(X), atol=1e-6)


@pytest.mark.parametrize("make", LEARNERS)
def test_signals_of_another_width_are_refused_where_learning_goes_on(make):
    X, y = digits()[0], target_of(make)
    estimator = fitted(make)
    _assert_refused(estimator.partial_fit, estimator, (X[:, 1:], y))
    if make in SUPERVISED:
        estimator.set_params(warm_start=True)
        _assert_refused(estimator.fit, estimator, (X[:, 1:], y))
    with pytest.raises(ValueError, match=r"63 features, but .* is expecting 64"):
        estimator.transform(X[:, 1:])


@pytest.mark.parametrize("make", LEARNERS)
def test_a_fit_from_scratch_may_bring_signals_of_another_width(make):
    X, y = digits()[0], target_of(make)
    assert fitted(make).fit(X[:, 1:], y).components_.shape == (6, 63)


@pytest.mark.parametrize("make", EVERY)
def test_a_failing_first_fit_leaves_nothing_behind(make):
    estimator = make()
    before = dict(vars(estimator))
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(*_nan(digits()[0], target_of(make)))
    assert vars(estimator) == before


# --- interrupts -------------------------------------------------------------------------------


class Interrupted:
    """A function of anything that raises KeyboardInterrupt at its n-th call."""

    def __init__(self, calls, function):
        self.left, self.function = calls, function

    def __call__(self, *arguments):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.function(*arguments)


def _interrupt_online_learning(monkeypatch, calls):
    monkeypatch.setattr(learner, "learn", Interrupted(calls, learner.learn))


@pytest.mark.parametrize("make", LEARNERS)
def test_an_interrupt_before_anything_is_learned_leaves_it_unfitted(make, monkeypatch):
    _interrupt_online_learning(monkeypatch, 0)
    estimator = make()
    before = dict(vars(estimator))
    for call in (estimator.fit, estimator.partial_fit):
        with pytest.raises(KeyboardInterrupt):
            call(digits()[0], target_of(make))
        assert vars(estimator) == before


@pytest.mark.parametrize("make", LEARNERS)
def test_an_early_interrupt_leaves_a_fitted_estimator_as_it_was(make, monkeypatch):
    estimator, X = fitted(make), digits()[0]
    expected, kept = outputs(estimator, X), copy.deepcopy(learned(estimator))
    _interrupt_online_learning(monkeypatch, 0)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X[:, 1:], target_of(make))
    assert_same(learned(estimator), kept)
    assert_same(outputs(estimator, X), expected)


def test_an_interrupt_keeps_the_complete_passes_of_online_learning(monkeypatch):
    X = digits()[0]
    expected = unsupervised(max_iter=2, tol=0.0).fit(X)
    _interrupt_online_learning(monkeypatch, 2)
    estimator = unsupervised(max_iter=5, tol=0.0)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X)
    monkeypatch.undo()
    assert_same(learned(estimator), learned(expected))
    assert_same(learned(estimator.partial_fit(X)), learned(expected.partial_fit(X)))


@pytest.mark.parametrize("complete", [0, 2])
@pytest.mark.parametrize("make", SUPERVISED)
def test_an_interrupt_keeps_the_complete_epochs(make, complete):
    X, y = digits()[0], target_of(make)
    n_batches = 5  # of 32 samples each
    augment = Interrupted(complete * n_batches + 2, lambda X, rng: X)
    estimator = make(max_iter=4, augment=augment)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == complete
    whole = make(max_iter=4, augment=None).fit(X, y)
    assert estimator.loss_curve_ == whole.loss_curve_[:complete]
    if not complete:
        np.testing.assert_array_equal(estimator.components_, estimator.initial_components_)
    # consistent: what it says is what its attributes say
    scores = estimator.transform(X) @ estimator.coef_.T + estimator.intercept_
    said = estimator.predict(X) if make is regressor else estimator.decision_function(X)
    np.testing.assert_allclose(said, scores, rtol=1e-10, atol=1e-10)

    estimator.set_params(augment=None, warm_start=True, max_iter=6)
    again = copy.deepcopy(estimator)
    score = estimator.score(X, y)
    assert estimator.fit(X, y).score(X, y) > score
    assert again.partial_fit(X, y).n_iter_ == complete + 1
    assert np.isfinite(again.components_).all()


def test_an_interrupt_of_a_second_fit_leaves_no_mixture():
    X, y = digits()
    estimator = regressor(max_iter=2).fit(X, heights(X))
    estimator.set_params(augment=Interrupted(7, lambda X, rng: X))
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X[:, 8:], y.astype(float))
    # the new data, one output and their width: none of the first fit's
    assert (estimator.n_features_in_, estimator.n_iter_) == (56, 1)
    assert estimator.components_.shape == (6, 56)
    assert estimator.predict(X[:, 8:]).shape == (160,)
