"""Losses of regressions: what targets they see, what is predicted, and those without a bound."""

import re
from pathlib import Path

import numpy as np
import pytest
from learners import AS_GIVEN
from sklearn.metrics import d2_tweedie_score

from skdict_sup import SupervisedDictionaryRegressor
from skdict_sup.losses import Poisson, Square

GUIDE = Path(__file__).parents[2] / "docs" / "user_guide" / "supervised.rst"
RNG = np.random.default_rng(0)
X = RNG.standard_normal((600, 8))
COUNTS = RNG.poisson(np.exp(1 + X[:, 0] - 0.5 * X[:, 1])).astype(float)
QUICK = {"max_iter": 3, "init_max_iter": 1, "learning_rate": 0.05, "random_state": 0}


class Seen(Square):
    """A square loss that notes its targets."""

    standardised = False

    def __init__(self):
        object.__setattr__(self, "targets", [])

    def value(self, scores, target):
        self.targets.append(target)
        return super().value(scores, target)


def model(loss, **settings):
    return SupervisedDictionaryRegressor(12, loss=loss, **QUICK | settings)


def test_counts_are_predicted():
    found = model("poisson", max_iter=10, **AS_GIVEN).fit(X[:400], COUNTS[:400])
    predicted = found.predict(X[400:])
    assert (predicted > 0).all()
    assert d2_tweedie_score(COUNTS[400:], predicted, power=1) > 0.4
    np.testing.assert_allclose(
        predicted, np.exp(found.transform(X[400:]) @ found.coef_[0] + found.intercept_)
    )


def test_the_mean_is_predicted_where_signals_say_nothing():
    y = np.random.default_rng(0).poisson(3.0, 400)
    predicted = model("poisson").fit(X[:400], y).predict(X[:400])
    assert predicted.mean() == pytest.approx(y.mean(), rel=0.05)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_counts_of_any_size(scale):
    y = scale * COUNTS
    found = model("poisson", early_stopping=True).fit(X[:400], y[:400])
    assert d2_tweedie_score(y[400:], found.predict(X[400:]), power=1) > 0.3


def test_the_example_of_the_guide_is_right():
    text = GUIDE.read_text(encoding="utf-8")
    block = re.match(r"(?:    .*\n|\n)+", text[text.index("    class Counts:") :])[0]
    names = {"np": np, "SupervisedDictionaryRegressor": SupervisedDictionaryRegressor}
    exec("\n".join(line[4:] for line in block.splitlines()), names)
    assert names["score"] > 0.4


class OwnSquare(Square):
    """The squared loss, whose heads are fitted as those of any loss."""


def test_targets_are_raw_unless_a_loss_wants_them_standardised():
    y = np.column_stack([100 + 20 * X[:, 0], X[:, 1]])
    loss = Seen()
    found = model(loss).fit(X, y)
    assert all(np.isin(target, y).all() for target in loss.targets)
    assert found.score(X, y) > 0.1
    loss = Seen()
    object.__setattr__(loss, "standardised", True)
    found = model(loss).fit(X, y)
    assert max(np.abs(target).max() for target in loss.targets) < 10
    expected = model(OwnSquare()).fit(X, y).predict(X)
    np.testing.assert_allclose(found.predict(X), expected, rtol=1e-9)


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match=r"^y must be at least zero for loss='poisson', got -1"):
        model("poisson").fit(X, COUNTS - 1)
    y = np.where(np.arange(600) < 10, np.nan, COUNTS)
    assert np.isfinite(model("poisson", mu=0.5).fit(X, y).predict(X)).all()


def test_the_poisson_loss_in_every_library(xp):
    loss, scores, target = Poisson(), RNG.normal(size=(5, 2)), RNG.poisson(2.0, (5, 2)) + 0.0
    mine = xp.asarray(scores), xp.asarray(target)
    step = 1e-6
    slope = [
        (loss.value(scores + move, target) - loss.value(scores - move, target)) / (2 * step)
        for move in step * np.eye(2)
    ]
    np.testing.assert_allclose(xp.to_numpy(loss.gradient(*mine)).T, slope, atol=1e-8)
    np.testing.assert_allclose(xp.to_numpy(loss.value(*mine)), loss.value(scores, target))
    np.testing.assert_allclose(xp.to_numpy(loss.inverse_link(mine[0])), np.exp(scores))


class Unbounded:
    """The Poisson loss of targets that it is not meant for."""

    value, gradient = Poisson.value, Poisson.gradient

    def __repr__(self):
        return "Unbounded()"


@pytest.mark.parametrize("nu", ["auto", 0.0, 0.1])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_loss_without_a_lower_bound_is_refused(method, nu):
    found = model(Unbounded(), nu=nu)
    with pytest.raises(ValueError, match=r"^loss must be bounded below .*Unbounded\(\)"):
        getattr(found, method)(X, COUNTS - 50)
    assert not hasattr(found, "coef_")


def test_going_on_needs_targets_of_the_same_kind():
    found = model("poisson", warm_start=True).fit(X, COUNTS)
    assert len(found.fit(X, COUNTS).loss_curve_) == 3
    found.partial_fit(X, COUNTS).fit_head(X, COUNTS)
    with pytest.raises(
        ValueError, match=r"^loss must take targets as in the first fit, unchanged"
    ):
        found.set_params(loss="square").fit(X, COUNTS)
    with pytest.raises(ValueError, match=r"^loss must be one of \['auto', 'poisson', 'square'\]"):
        model("huber").fit(X, COUNTS)
