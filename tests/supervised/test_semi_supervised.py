"""Samples without labels, and the weight mu of the reconstruction."""

import numpy as np
import pytest
from learners import digits

from skdict_sup import (
    ElasticNet,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    encode,
)
from skdict_sup._signals import as_signals
from skdict_sup.supervised.data import Samples

CROSSED = ("SupervisedDictionaryClassifier", "SupervisedDictionaryRegressor", "encode")

X, Y = digits(400, n_classes=4)
HIDDEN = np.where(np.arange(400) < 60, Y, -1)
QUICK = {"max_iter": 6, "init_max_iter": 1, "learning_rate": 0.16, "random_state": 0}


def classifier(**settings):
    return SupervisedDictionaryClassifier(12, **QUICK | settings)


def regressor(**settings):
    return SupervisedDictionaryRegressor(12, **QUICK | settings)


def objective(model):
    return encode(X, model.components_, prior=model.prior_).objective.mean()


def test_unlabelled_samples_are_no_class_and_have_no_loss():
    model = classifier(mu=0.3).fit(X, HIDDEN)
    np.testing.assert_array_equal(model.classes_, np.arange(4))
    assert model.score(X, Y) > 0.6
    # what their labels would be says nothing: they have none
    others = np.where(HIDDEN == -1, -1, HIDDEN)
    again = classifier(mu=0.3).fit(X, others)
    np.testing.assert_array_equal(model.components_, again.components_)


def test_without_mu_minus_one_is_a_label_like_any_other():
    with pytest.warns(UserWarning, match="-1 beside 4 other labels"):
        model = classifier().fit(X, HIDDEN)
    np.testing.assert_array_equal(model.classes_, np.arange(-1, 4))
    signs = np.where(Y > 1, 1, -1)
    assert set(classifier().fit(X, signs).predict(X)) == {-1, 1}


def test_a_larger_mu_keeps_atoms_that_reconstruct():
    prior = ElasticNet(lam=0.2, lam2=0.1)
    found = [objective(classifier(prior=prior, mu=mu).fit(X, HIDDEN)) for mu in (0.01, 0.5, 0.95)]
    assert found[0] > found[1] > found[2]


def test_the_scale_of_signals_does_not_matter_to_mu():
    one = classifier(mu=0.4).fit(X, HIDDEN)
    other = classifier(mu=0.4).fit(256.0 * X, HIDDEN)
    np.testing.assert_allclose(other.components_, one.components_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("mu", "same"), [([0.0, 0.0], 0.0), ([0.5], 0.5), (lambda t: 0.25, 0.25), (np.array([1]), 1.0)]
)
def test_a_schedule_that_stays_is_its_number(mu, same):
    # with labels for all, a mu of zero at every epoch is no mu
    one, other = classifier(mu=mu).fit(X, Y), classifier(mu=same).fit(X, Y)
    np.testing.assert_array_equal(one.components_, other.components_)


def test_a_schedule_steps_down_over_equal_parts_of_the_epochs():
    seen = []

    def mu(progress):
        seen.append(progress)
        return 0.5

    classifier(mu=mu).fit(X, HIDDEN)
    np.testing.assert_allclose(seen[-6:], np.arange(6) / 6)
    stepped = classifier(mu=[0.8, 0.5, 0.3]).fit(X, HIDDEN)
    called = classifier(mu=lambda t: [0.8, 0.5, 0.3][min(int(3 * t + 1e-9), 2)]).fit(X, HIDDEN)
    np.testing.assert_array_equal(stepped.components_, called.components_)


def test_rows_of_nan_are_unlabelled_targets():
    heights = np.column_stack([Y, -2.0 * Y])
    hidden = np.where(np.arange(400)[:, None] < 100, heights, np.nan)
    model = regressor(mu=0.2).fit(X, hidden)
    assert model.predict(X).shape == (400, 2)
    assert model.score(X, heights) > 0.2
    flat = regressor(mu=0.2).fit(X, hidden[:, 0])
    assert np.isfinite(flat.predict(X)).all()
    for y, message in (
        (np.where(np.arange(2) == 0, hidden, heights), "NaN in all outputs"),
        (np.full(400, np.nan), "got only NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            regressor(mu=0.2).fit(X, y)
    with pytest.raises(ValueError, match="NaN"):
        regressor().fit(X, hidden)


def test_labels_are_needed():
    with pytest.raises(ValueError, match="got only -1"):
        classifier(mu=0.2).fit(X, np.full(400, -1))
    with pytest.raises(ValueError, match=r"one class only beside -1 \(unlabelled"):
        classifier(mu=0.2).fit(X, np.where(Y > 1, 1, -1))


def test_held_out_samples_are_labelled_ones():
    model = classifier(mu=0.2, early_stopping=True).fit(X, HIDDEN)
    # 6 of 60 are held out: scores are sixths
    np.testing.assert_allclose(np.array(model.validation_scores_) * 6 % 1, 0, atol=1e-9)


def test_a_stream_takes_unlabelled_samples_too():
    model = classifier(mu=0.3)
    for _ in range(8):
        model.partial_fit(X, HIDDEN, classes=np.arange(4))
    assert model.score(X, Y) > 0.6


def test_weights_count_among_labelled_samples():
    weight = np.where(HIDDEN == 3, 0.0, 1.0)
    model = classifier(mu=0.3).fit(X, HIDDEN, sample_weight=weight)
    assert (model.predict(X) == 3).mean() < 0.05


@pytest.mark.parametrize("n_pool", [10, 300, 2000])
def test_an_epoch_passes_over_the_labels_once_however_many_others_there_are(n_pool):
    rng, n = np.random.default_rng(0), 100
    signals, pool = (as_signals(np.zeros((size, 3))) for size in (n, n_pool))
    samples = Samples(signals, np.zeros((n, 1)), np.ones(n), batch_size=32, pool=pool)
    seen = np.zeros(n_pool, int)
    for _ in range(40):
        epoch = samples.epoch_batches(rng)
        assert len(epoch) == samples.steps_per_epoch() == 3
        labelled = np.concatenate([rows for rows, _ in epoch])
        np.testing.assert_array_equal(np.sort(labelled), np.arange(n))
        for _, others in epoch:
            seen[others] += 1
    assert (seen > 0).all()  # over the epochs the others all have their turn
