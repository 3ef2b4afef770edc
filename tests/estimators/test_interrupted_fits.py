"""Fits that stop on the way: what they leave, and going on as if they had not."""

import numpy as np
import pytest
from learners import digits

from skdict_sup import SupervisedDictionaryClassifier, SupervisedDictionaryRegressor
from skdict_sup.estimators._targets import ClassTargets
from skdict_sup.supervised import rate_search

X, Y = digits(150, n_classes=3)
SETTINGS = {
    "plain": {},
    "early_stopping": {"early_stopping": True, "n_iter_no_change": 5},
    "dropout": {"dropout": 0.3},
    "mairal": {"learning_rate": "mairal"},
    "smoothed": {"label_smoothing": 0.1, "multi_class": "ovr"},
    "mix": {"mu": [0.5, 0.0]},
}
LEARNED = ("components_", "coef_", "intercept_", "loss_curve_", "validation_scores_", "n_iter_")


class Noise:
    """An augmentation that interrupts the fit at its n-th batch."""

    def __init__(self, interrupt_at=None):
        self.left = interrupt_at

    def __call__(self, X, rng):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return X + 0.1 * rng.standard_normal(X.shape)


def model(interrupt_at=None, **settings):
    settings = {
        "max_iter": 5,
        "batch_size": 32,
        "random_state": 0,
        "init_max_iter": 1,
        "learning_rate": 0.16,
    } | settings
    noise = Noise(interrupt_at)
    return SupervisedDictionaryClassifier(8, augment=noise, **settings)


def interrupted(at, **settings):
    found = model(at, **settings)
    with pytest.raises(KeyboardInterrupt):
        found.fit(X, Y)
    found.augment.left = None
    return found


def assert_same(found, expected):
    for name in LEARNED:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


@pytest.mark.parametrize(
    ("at", "settings"),
    [(at, SETTINGS["plain"]) for at in (0, 4, 5)]
    + [(at, {"learning_rate": "auto"}) for at in (3, 40)]  # in a trial of a rate, and after it
    + [(11, s) for s in SETTINGS.values()],
)
def test_a_fit_that_goes_on_ends_where_an_uninterrupted_one_does(at, settings):
    found = interrupted(at, **settings)
    assert found.predict(X).shape == Y.shape
    assert found.transform(X).shape[0] == len(X)
    found.set_params(warm_start=True).fit(X, Y)
    assert_same(found, model(**settings).fit(X, Y))


def test_an_interrupt_while_held_out_samples_are_scored(monkeypatch):
    settings = SETTINGS["early_stopping"]
    found, scored = model(**settings), ClassTargets.score
    left = [2]

    def score(*args):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return scored(*args)

    monkeypatch.setattr(ClassTargets, "score", score)
    with pytest.raises(KeyboardInterrupt):
        found.fit(X, Y)
    monkeypatch.undo()
    found.set_params(warm_start=True).fit(X, Y)
    assert_same(found, model(**settings).fit(X, Y))


def test_several_interrupts_on_one_way():
    found = interrupted(2)
    found.set_params(warm_start=True)
    for _ in range(3):
        found.augment.left = 6
        with pytest.raises(KeyboardInterrupt):
            found.fit(X, Y)
    found.augment.left = None
    assert_same(found.fit(X, Y), model().fit(X, Y))


def test_a_regression_goes_on_too():
    def regressor(at=None):
        return SupervisedDictionaryRegressor(
            6, augment=Noise(at), max_iter=4, batch_size=64, random_state=0, init_max_iter=1
        )

    found = regressor(7)
    with pytest.raises(KeyboardInterrupt):
        found.fit(X, Y.astype(float))
    found.augment.left = None
    assert_same(found.set_params(warm_start=True).fit(X, Y.astype(float)), regressor().fit(X, Y))


def test_an_interrupt_before_the_first_epoch_leaves_what_was_there():
    fitted = model().fit(X, Y)
    before = fitted.predict(X)
    fitted.augment = Noise()
    fitted.set_params(init=np.eye(8, 64))

    class Stop:
        def __array__(self, *args, **kwargs):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted.fit(X, Stop())
    np.testing.assert_array_equal(fitted.predict(X), before)


def test_a_finished_fit_begins_its_schedule_again():
    found = model(warm_start=True).fit(X, Y)
    first = found.components_
    found.fit(X, Y)
    assert found.n_iter_ == 5
    np.testing.assert_array_equal(found.initial_components_, first)
    assert np.abs(found.components_ - first).max() > 0


def test_without_warm_start_an_interrupted_fit_is_forgotten():
    found = interrupted(7)
    assert_same(found.fit(X, Y), model().fit(X, Y))


@pytest.mark.parametrize("learning_rate", ["auto", 0.1])
@pytest.mark.parametrize("go_on", ["partial_fit", "fit_head"])
def test_a_fit_that_is_interrupted_before_its_first_epoch_ends_can_go_on(learning_rate, go_on):
    found = model(interrupt_at=0, learning_rate=learning_rate, max_iter=1)
    with pytest.raises(KeyboardInterrupt):
        found.fit(X, Y)
    assert learning_rate == "auto" or found.learning_rate_ == learning_rate
    getattr(found.set_params(augment=None), go_on)(X, Y)
    assert np.isfinite(found.decision_function(X)).all()


def test_an_interrupted_trial_of_rates_can_go_on(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    found = model(learning_rate="auto", max_iter=1)
    monkeypatch.setattr(rate_search, "_run_trial", interrupt)
    with pytest.raises(KeyboardInterrupt):
        found.fit(X, Y)
    monkeypatch.undo()
    found.partial_fit(X, Y)
    assert found.learning_rate_ > 0
