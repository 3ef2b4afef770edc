"""scikit-learn's callbacks see the epochs of a fit."""

import numpy as np
import pytest
from learners import digits
from watching import Watch

from skdict_sup import SupervisedDictionaryClassifier, tune_prior

pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")
X, Y = digits(200, n_classes=3)


def model(**settings):
    settings = {"max_iter": 4, "init_max_iter": 1, "learning_rate": 0.16} | settings
    return SupervisedDictionaryClassifier(6, random_state=0, **settings)


def test_a_callback_sees_a_predictor_after_each_epoch():
    watch = Watch()
    fitted = model().set_callbacks(watch).fit(X, Y)
    epoch = [("begin", "epoch"), ("end", "epoch")]
    whole = [("begin", "fit"), *4 * epoch, ("end", "fit")]
    assert watch.events == ["setup", *whole, "teardown"]
    assert watch.scores[-1] == fitted.score(X, Y)
    np.testing.assert_array_equal(fitted.components_, model().fit(X, Y).components_)


def test_a_callback_may_stop_a_fit():
    fitted = model().set_callbacks(Watch(stop_after=2)).fit(X, Y)
    assert fitted.n_iter_ == 2
    assert fitted.score(X, Y) > 0.5


def test_callbacks_see_the_fits_of_a_search():
    watch = Watch()
    tuned = tune_prior(model().set_callbacks(watch), X, Y, n_rounds=1, max_iter=1, random_state=0)
    assert watch.events.count(("end", "epoch")) == 4
    assert watch.events[-1] == "teardown"
    assert tuned.estimator.fit(X, Y).n_iter_ == 4
    assert watch.events.count(("end", "epoch")) == 8


def test_a_failed_fit_is_torn_down():
    watch = Watch()
    failing = model(nu=-1.0).set_callbacks(watch)
    with pytest.raises(ValueError, match="nu"):
        failing.fit(X, Y)
    assert watch.events[-1] == "teardown"
