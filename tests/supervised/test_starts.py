"""How a training begins, with the best head and a rate found by trial; the best head after it."""

from types import SimpleNamespace

import numpy as np
import pytest
from learners import AS_GIVEN, assert_same, classifier, digits, heights, learned, regressor
from sklearn.datasets import make_gaussian_quantiles
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from skdict_sup import ElasticNet, SupervisedDictionaryClassifier
from skdict_sup._signals import as_signals
from skdict_sup.losses import CLASSIFICATION_LOSSES, Softmax
from skdict_sup.supervised import choices, rate_search
from skdict_sup.supervised.data import Samples

CROSSED = ("SupervisedDictionaryClassifier",)


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
    found, given = learned(found), learned(given)
    assert found.pop("fitted_choices_") == given.pop("fitted_choices_") | {
        "learning_rate": found["learning_rate_"]
    }
    assert_same(found, given)


def test_trials_choose_a_large_rate_where_learning_helps():
    X, _ = digits(400, n_classes=3)
    model = classifier(learning_rate="auto", max_iter=9).fit(X, heights(X)[:, 0] > 3.6)
    assert model.learning_rate_ == 0.16


@pytest.mark.parametrize(
    ("means", "best"),
    [
        ({0.16: 0.8, 0.01: 0.9, 0.001: 0.6}, 0.01),
        ({0.16: 0.9, 0.01: 0.8, 0.001: 0.6}, 0.16),
        ({0.16: 0.6, 0.01: 0.7, 0.001: 0.8}, 0.001),
        # a gain below half a standard error, here 0.05 for 100 samples, keeps the start
        ({0.16: 0.74, 0.01: 0.72, 0.001: 0.7}, 0.001),
    ],
)
def test_the_rate_with_the_best_quality_wins_if_it_is_clear(means, best):
    noise = np.tile([1.0, -1.0], 50)
    spread = {0.16: 0.5, 0.01: 0.5, 0.001: -0.5}
    trials = {
        rate: [rate_search.Trial(0.0, means[rate] + spread[rate] * noise, np.ones(100))]
        for rate in rate_search.AUTO_RATES
    }
    assert rate_search.best_rate(trials) == best


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


@pytest.mark.parametrize("loss", ["softmax", "squared_hinge"])
def test_a_head_that_is_fitted_alone_is_the_best_one(loss):
    X, y = digits(n_classes=3)
    model = classifier(loss=loss, nu=1e-3).fit(X, y)
    components, curve = model.components_, model.loss_curve_
    assert model.fit_head(X, y) is model
    np.testing.assert_array_equal(model.components_, components)
    assert model.loss_curve_ == curve
    code, target = model.transform(X), np.eye(3)[y]
    target = target if loss == "softmax" else 2 * target - 1
    toward = CLASSIFICATION_LOSSES[loss].gradient(code @ model.coef_.T + model.intercept_, target)
    # the gradient of the objective vanishes, in the units of the data
    np.testing.assert_allclose(toward.T @ code / len(X) + 1e-3 * model.coef_, 0, atol=1e-8)
    np.testing.assert_allclose(toward.mean(axis=0), 0, atol=1e-8)


def test_a_head_fitted_alone_to_regress():
    X, _ = digits(n_classes=3)
    y, nu = heights(X), 1e-2
    model = regressor(nu=nu).fit(X, y)
    first, others = model.coef_, X[::2]
    model.fit_head(others, y[::2], sample_weight=np.arange(1.0, len(others) + 1))
    assert np.abs(model.coef_ - first).max() > 1e-3
    code, weight = model.transform(others), np.arange(1.0, len(others) + 1)
    ridge = Ridge(alpha=nu * weight.sum(), tol=1e-12).fit(code, y[::2], sample_weight=weight)
    np.testing.assert_allclose(model.coef_, ridge.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(model.intercept_, ridge.intercept_, rtol=1e-6)
    with pytest.raises(NotFittedError):
        regressor().fit_head(X, y)
    with pytest.raises(ValueError, match="labels among"):
        classifier().fit(X, y[:, 0] > 3.6).fit_head(X, np.full(len(X), "other"))


@pytest.mark.parametrize(
    ("lam", "gain", "chosen"),
    [
        ("0.05*lam_max", 0.2, "0.05*lam_max"),
        ("0.05*lam_max", 0.05, None),  # below a standard error, here 0.1 for 25 held-out samples
        ("0.5*lam_max", 0.2, "0.5*lam_max"),
        ("0.5*lam_max", -0.2, None),
    ],
)
def test_another_lam_must_be_clearly_better(monkeypatch, lam, gain, chosen):
    def tried(candidate, train, held_out, *others):
        n, is_other = held_out.n_samples, candidate.lam == lam
        noise = 0.5 * (-1.0) ** np.arange(n)
        return rate_search.Trial(0.0, 0.5 + is_other * (gain + noise), held_out.weight)

    monkeypatch.setattr(choices, "_tried", tried)
    monkeypatch.setattr(choices, "_MAX_FEW", 0)
    samples = Samples(as_signals(np.zeros((100, 2))), np.zeros((100, 1)), np.ones(100))
    trainer, rng = SimpleNamespace(verbose=0), np.random.default_rng(0)
    lams = (None, "0.05*lam_max", "0.5*lam_max")
    found = choices.choose([(False, False)], lams, samples, None, None, trainer, rng, 30)
    assert found == choices.Candidate(lam=chosen)


def test_each_trial_is_reported_before_the_next_one_begins(monkeypatch, capsys):
    reports = []

    def tried(candidate, train, held_out, *others):
        reports.append(capsys.readouterr().out)
        return rate_search.Trial(0.25, np.zeros(held_out.n_samples), held_out.weight)

    monkeypatch.setattr(choices, "_tried", tried)
    monkeypatch.setattr(choices, "_MAX_FEW", 0)
    samples = Samples(as_signals(np.zeros((100, 2))), np.zeros((100, 1)), np.ones(100))
    trainer, rng = SimpleNamespace(verbose=1), np.random.default_rng(0)
    flags = [(False, False), (True, False)]
    choices.choose(flags, (None,), samples, None, None, trainer, rng, 30)
    assert "score 0.2500" in reports[1]


@pytest.mark.parametrize(("alone", "rate"), [(True, 0.001), (False, 0.16)])
def test_no_rate_is_tried_where_the_linear_path_is_best_alone(monkeypatch, alone, rate):
    def run_trial(trainer, tried, train, held_out, *others):
        return rate_search.Trial(0.0, np.full(held_out.n_samples, tried), held_out.weight)

    monkeypatch.setattr(rate_search, "_run_trial", run_trial)
    monkeypatch.setattr(rate_search, "fit_trial_head", lambda state, *others: state)
    samples = Samples(as_signals(np.zeros((100, 2))), np.zeros((100, 1)), np.ones(100))
    settings = SimpleNamespace(linear_path_alone=alone, prior=ElasticNet())
    trainer, rng = SimpleNamespace(learning_rate="auto", verbose=0), np.random.default_rng(0)
    found = rate_search.initial_learning_rate(trainer, samples, None, settings, rng, 30)
    assert found == rate


@pytest.mark.parametrize(("nu", "alone"), [("auto", True), (1e-3, False)])
def test_targets_linear_in_noisy_signals_leave_the_linear_path_alone(monkeypatch, nu, alone):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 20))
    y = X @ rng.normal(size=20) + rng.normal(size=80)
    tried, run_trial = [], rate_search._run_trial
    monkeypatch.setattr(
        rate_search, "_run_trial", lambda *args: tried.append(args[1]) or run_trial(*args)
    )
    params = AS_GIVEN | {"fit_linear": "auto", "learning_rate": "auto", "max_iter": 10, "nu": nu}
    model = regressor(n_components=20, **params).fit(X, y)
    assert model.fitted_choices_["fit_linear"]
    assert (not tried) == alone
    if alone:  # codes have no say: the model is a ridge regression
        weights = model.linear_coef_.ravel()
        assert np.corrcoef(X @ weights, model.predict(X))[0, 1] > 0.9999
