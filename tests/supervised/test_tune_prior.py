"""Hyper-parameters by the gradient of a validation loss."""

import re
from dataclasses import replace

import numpy as np
import pytest
from learners import digits
from problems import unit_atoms
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skdict_sup import (
    KL,
    ElasticNet,
    Lp,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    tune_prior,
)
from skdict_sup.coding import make_solver
from skdict_sup.losses import Logistic, Softmax, Square
from skdict_sup.reconstruction import as_reconstruction
from skdict_sup.supervised import head_fit, hypergradient
from skdict_sup.supervised.data import Batch
from skdict_sup.supervised.heads import BilinearHead, BlockHead, LinearHead
from skdict_sup.supervised.step import SupervisedSettings, zero_head

PRIORS = {
    "kl": (KL(lam=0.1, p=0.05), ("lam", "p")),
    "kl_positive": (KL(lam=0.1, p=0.05, positive=True), ("lam", "p")),
    "lp": (Lp(lam=0.3, exponent=1.5), ("lam", "exponent")),
    "elastic_net": (ElasticNet(lam=0.2, lam2=0.3), ("lam", "lam2")),
}
HEADS = {
    "linear": (LinearHead(), 1, Softmax()),
    "path": (LinearHead(skip=True), 1, Square()),
    "bilinear": (BilinearHead(), 1, Square()),
    "blocks": (BlockHead(), 2, Logistic()),
}


@pytest.mark.parametrize(("head", "n_blocks", "loss"), HEADS.values(), ids=HEADS)
@pytest.mark.parametrize(("prior", "names"), PRIORS.values(), ids=PRIORS)
def test_the_gradient_is_the_derivative_past_the_optimal_head(prior, names, head, n_blocks, loss):
    rng = np.random.default_rng(0)
    dictionary = unit_atoms(rng, 4 * n_blocks, 5)
    reconstruction = as_reconstruction("linear")
    settings = SupervisedSettings(
        loss,
        reconstruction=reconstruction,
        prior=prior,
        solver=make_solver("auto", reconstruction, prior),
        head=head,
        n_blocks=n_blocks,
        nu=0.1,
        code_scale=0.7,
        n_jobs=1,
    )
    parameters = {"dictionary": dictionary}
    parameters |= zero_head(dictionary, 2, settings, 5)

    def batch(n):
        target = np.eye(2)[rng.integers(2, size=n)]
        target = 2 * target - 1 if isinstance(loss, Logistic) else target
        return Batch(rng.normal(size=(n, 5)), target, rng.uniform(0.5, 2.0, n))

    train, validation = batch(40), batch(20)
    start = head_fit.HeadProblem(parameters, settings).flatten(parameters)

    def at(**changes):
        changed = replace(settings, prior=type(prior)(**prior.get_params() | changes))
        return hypergradient.loss_and_gradient(parameters, start, train, validation, changed)

    _, gradient, _ = at()
    for name in names:
        value, step = getattr(prior, name), 1e-4
        ends = [at(**{name: value + s * step})[0] for s in (-1, 1)]
        quotient = (ends[1] - ends[0]) / (2 * step)
        assert gradient[name] == pytest.approx(quotient, rel=2e-4, abs=2e-6), name


X, Y = digits(400, n_classes=4)


def classifier(**settings):
    settings = {
        "max_iter": 4,
        "init_max_iter": 2,
        "learning_rate": 0.16,
        "random_state": 0,
    } | settings
    return SupervisedDictionaryClassifier(10, **settings)


@pytest.mark.parametrize("lam", [5e-3, 2.0])
@pytest.mark.parametrize("make", [ElasticNet, lambda lam: KL(lam=lam, p=0.01)], ids=["l1", "kl"])
def test_a_bad_start_gets_better(make, lam):
    tuned = tune_prior(classifier(prior=make(lam)), X, Y, max_iter=4, random_state=1)
    assert min(tuned.losses) < tuned.losses[0]
    assert tuned.prior.lam != lam
    assert tuned.estimator.prior.lam == tuned.prior.lam
    assert not hasattr(tuned.estimator, "components_")
    assert len(tuned.values) == len(tuned.losses)
    assert tuned.estimator.fit(X, Y).score(X, Y) > 0.9


@pytest.mark.parametrize("lam", [5e-3, 0.5])
def test_the_best_values_of_all_rounds_are_kept(lam):
    start = classifier(prior=ElasticNet(lam))
    tuned = tune_prior(start, X, Y, n_rounds=3, max_iter=3, random_state=1)
    best = int(np.argmin(tuned.losses))
    assert tuned.values[best] == {"lam": tuned.prior.lam}
    # rounds share their validation samples: one that begins at the best values of the round before
    # has their loss for the dictionary of a new fit, so that equal fits have equal losses
    again = tune_prior(start, X, Y, n_rounds=1, max_iter=3, random_state=1)
    assert tuned.losses[: len(again.losses)] == again.losses


def test_noise_is_worth_a_larger_lam():
    # signals of two atoms in noise; the target is one of the codes
    rng = np.random.default_rng(0)
    atoms = np.eye(8)
    code = rng.exponential(size=(600, 8)) * (rng.random((600, 8)) < 0.25)
    losses = {}
    for noise in (0.02, 0.6):
        signals = code @ atoms + noise * rng.normal(size=(600, 8))
        prior = ElasticNet(lam=0.1, positive=True)
        model = SupervisedDictionaryRegressor(
            8, prior=prior, init=atoms, max_iter=1, learning_rate=1e-9, random_state=0
        )
        losses[noise] = tune_prior(model, signals, code[:, 0], n_rounds=1, random_state=0).prior
    assert losses[0.02].lam < losses[0.6].lam


def test_names_and_arguments():
    tuned = tune_prior(
        classifier(prior=ElasticNet(0.3, lam2=0.1)), X, Y, names=["lam2"], n_rounds=1
    )
    assert tuned.prior.lam == 0.3
    assert tuned.prior.lam2 != 0.1
    with pytest.raises(ValueError, match=r"names must list .*'p'"):
        tune_prior(classifier(), X, Y, names=["p"])
    with pytest.raises(ValueError, match=r"above zero, got 'lam2' with value 0"):
        tune_prior(classifier(prior=ElasticNet(0.3)), X, Y, names=["lam2"])
    with pytest.raises(TypeError, match=r"estimator must be .* got LogisticRegression\.$"):
        tune_prior(LogisticRegression(), X, Y)
    with pytest.raises(TypeError, match=r"estimator must be .* got GridSearchCV"):
        tune_prior(GridSearchCV(classifier(), {}), X, Y)
    pipeline = make_pipeline(Normalizer(), classifier())
    with pytest.raises(TypeError, match=r"got Pipeline: pass its last step .* signals"):
        tune_prior(pipeline, X, Y)


def test_the_estimator_has_the_preparation_that_lam_is_for():
    # features in unlike units, which the fit that precedes the search standardises: its lam is
    # far below that of signals as they are
    signals, labels = load_wine(return_X_y=True)
    start = SupervisedDictionaryClassifier(8, max_iter=10, fit_offset=False, random_state=0)
    tuned = tune_prior(start, signals, labels, max_iter=2, random_state=0)
    assert tuned.estimator.standardise is True
    assert tuned.estimator.fit_offset is False
    assert start.standardise == "auto"
    assert tuned.estimator.fit(signals, labels).score(signals, labels) > 0.9


def test_the_same_seed_finds_the_same(capsys):
    settings = {"random_state": 3, "n_rounds": 1, "max_iter": 2, "verbose": 1}
    found = [tune_prior(classifier(), X, Y, **settings) for _ in "ab"]
    assert found[0].losses == found[1].losses
    first, *values, last = capsys.readouterr().out.splitlines()[: len(found[0].losses) + 2]
    assert re.fullmatch(
        rf"tune_prior: \d+\.\d s, round 1/1: fit to {len(Y) * 3 // 4} samples", first
    )
    assert all(re.match(r"tune_prior: .*lam \S+: validation loss ", line) for line in values)
    assert f"smallest validation loss so far {min(found[0].losses):.6g}, ElasticNet(" in last


def test_float32_and_a_projection():
    model = classifier(n_projected=12, multi_class="ovr")
    tuned = tune_prior(model, X.astype(np.float32), Y, n_rounds=1, max_iter=2, random_state=0)
    assert min(tuned.losses) <= tuned.losses[0]


def test_a_lam_that_leaves_no_codes_is_told_of_as_a_result():
    rng = np.random.default_rng(0)
    signals, y = rng.normal(size=(200, 6)), rng.normal(size=200)
    model = SupervisedDictionaryRegressor(
        5, max_iter=1, init_max_iter=1, learning_rate=1e-9, random_state=0
    )
    with pytest.warns(UserWarning, match="tune_prior found .*do not help to predict") as caught:
        tuned = tune_prior(model, signals, y, random_state=0)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert f"{tuned.prior.lam:.4g}" in str(caught[0].message)
    model.set_params(prior=ElasticNet(100.0))
    with pytest.warns(UserWarning, match="tune_prior found|training codes zero") as caught:
        tune_prior(model, signals, y, n_rounds=1)
    messages = [str(one.message) for one in caught]
    assert "lam=100 makes 100% of the training codes zero" in messages[0]  # what the user gave
    assert messages[1].startswith("tune_prior found")
    assert len(messages) == 2
