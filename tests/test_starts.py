"""How a training begins: the best head on the codes of the start, and a rate chosen by trial."""

import numpy as np
import pytest
from learners import assert_same, classifier, digits, heights, learned, regressor
from sklearn.datasets import make_gaussian_quantiles
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skdict_sup import SupervisedDictionaryClassifier
from skdict_sup.losses import Softmax


def start_of(X, y, **params):
    """Classifier as its training begins: no step of any length is taken."""
    model = SupervisedDictionaryClassifier(learning_rate=1e-12, max_iter=1, **params)
    return model.fit(X, y)


def test_training_begins_with_the_best_head_whatever_the_rate():
    # spheres in each other: a linear head needs large weights on many codes, many steps away
    X, y = make_gaussian_quantiles(n_samples=400, n_features=10, n_classes=3, random_state=0)
    X = StandardScaler().fit_transform(X)
    model = start_of(X, y, n_components=60, init_max_iter=3, random_state=0)
    code = model.transform(X)
    best = LogisticRegression(C=1 / (400 * model.nu_), tol=1e-8, max_iter=5000).fit(code, y)

    def objective(scores, coef):
        loss = Softmax().value(scores, np.eye(3)[y]).mean()
        return loss + 0.5 * model.nu_ * (coef**2).sum()

    expected = objective(best.decision_function(code), best.coef_)
    assert objective(model.decision_function(X), model.coef_) < 1.001 * expected


@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_rate_found_by_trial_is_that_rate_given(make):
    X, y = digits(n_classes=3)
    y = heights(X) if make is regressor else y
    found = make(learning_rate="auto", dropout=0.1).fit(X, y)
    assert found.learning_rate_ in (0.16, 0.01, 0.001)
    given = make(learning_rate=found.learning_rate_, dropout=0.1).fit(X, y)
    assert_same(learned(found), learned(given))


def test_trials_choose_a_large_rate_where_learning_helps():
    X, _ = digits(400, n_classes=3)
    model = classifier(learning_rate="auto", max_iter=10).fit(X, heights(X)[:, 0] > 3.6)
    assert model.learning_rate_ == 0.16


@pytest.mark.parametrize(
    ("found", "best"),
    [
        ({0.16: (0.8, 0.1), 0.01: (0.9, 0.2), 0.001: (0.7, 0)}, 0.01),
        ({0.16: (0.9, 0.2), 0.01: (0.8, 0.1), 0.001: (0.7, 0)}, 0.16),
        (
            {0.16: (0.9, 0.2), 0.01: (0.9, 0.1), 0.001: (0.9, 0.3)},
            0.01,
        ),  # the loss decides between equal scores
    ],
)
def test_the_rate_with_the_best_score_wins(found, best, monkeypatch):
    X, y = digits(n_classes=3)
    monkeypatch.setattr(
        SupervisedDictionaryClassifier, "_trial", lambda self, rate, *_: found[rate]
    )
    assert classifier(learning_rate="auto").fit(X, y).learning_rate_ == best


def test_trials_are_for_few_samples_and_a_warm_start_keeps_what_they_found():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5001, 3))
    y = X[:, 0] > 0
    settings = {"learning_rate": "auto", "n_components": 3, "max_iter": 1}
    assert classifier(**settings).fit(X, y).learning_rate_ == 0.16
    model = classifier(**settings, warm_start=True).fit(X[:200], y[:200])
    before = model.learning_rate_
    assert model.fit(X[:200], ~y[:200]).learning_rate_ == before
    assert model.set_params(learning_rate=0.05).fit(X[:200], y[:200]).learning_rate_ == 0.05
    published = classifier(**settings | {"learning_rate": "mairal"}, warm_start=True)
    published.fit(X[:200], y[:200]).set_params(learning_rate="auto").fit(X[:200], y[:200])
    assert published.learning_rate_ == 0.16


def test_trials_say_what_they_found(capsys):
    X, y = digits(n_classes=3)
    classifier(learning_rate="auto", verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    tried = [line for line in lines if line.startswith("rate ")]
    assert len(tried) == 3
    assert all(0 <= float(line.split("score ")[1].split()[0]) <= 1 for line in tried)
