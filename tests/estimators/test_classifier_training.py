"""How a classifier trains: in pieces, on and on, with held-out samples, on signals that move."""

import numpy as np
import pytest
from learners import AS_GIVEN, assert_same, classifier, digits, learned

from skdict_sup import ElasticNet, SupervisedDictionaryClassifier
from skdict_sup.losses import CLASSIFICATION_LOSSES
from skdict_sup.supervised import prediction, trainer

CROSSED = ("SupervisedDictionaryClassifier",)

every_loss = pytest.mark.parametrize("loss", sorted(CLASSIFICATION_LOSSES))


def problem(n_classes=3, n_samples=160):
    return digits(n_samples, n_classes)


def assert_same_fit(found, expected, **close):
    assert_same(learned(found), learned(expected), **close)


def test_partial_fit_learns_in_pieces():
    X, y = problem(n_samples=400)
    model, scores = classifier(max_iter=1), []
    zeros = X[y == 0][:20]
    model.partial_fit(zeros, np.zeros(20, int), classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    assert (model.predict(X) == 0).all()  # all it has heard of
    for rows in np.array_split(np.arange(400), 8) * 4:
        model.partial_fit(X[rows], y[rows])
        scores.append(model.score(X, y))
    assert scores[-1] > 0.75  # chance is a third
    assert model.n_iter_ == len(model.loss_curve_) == 33
    with pytest.raises(
        ValueError, match=r"y must contain only labels among .*, got .*3.* too.*classes="
    ):
        model.partial_fit(X, np.full(400, 3))
    with pytest.raises(
        ValueError, match=r"at least two classes, got one.*partial_fit\(X, y, classes="
    ):
        classifier().partial_fit(X, np.zeros(400))
    with pytest.raises(ValueError, match=r"at least two classes, got one.*\]\)\.$"):
        classifier().fit(X, np.zeros(400))


def test_partial_fit_takes_its_classes_from_the_first_call():
    X, y = problem()
    model = classifier().partial_fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    assert_same_fit(model, classifier().partial_fit(X, y, classes=[2, 1, 0]))
    model.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="classes must be those of the first call, array"):
        model.partial_fit(X, y, classes=[0, 1, 2, 3])
    assert "_known_classes" not in vars(model)


@pytest.mark.numpy_alone("losses are close, for first atoms in the order of NumPy")
@every_loss
def test_warm_start_goes_on(loss):
    X, y = problem()
    options = {"loss": loss, "prior": ElasticNet("0.2*lam_max"), **AS_GIVEN}
    model = classifier(warm_start=True, **options).fit(X, y)
    first, lam = model.loss_curve_, model.prior_.lam
    components = model.components_
    model.set_params(max_iter=8).fit(X, y)
    np.testing.assert_array_equal(model.initial_components_, components)
    assert model.loss_curve_[-1] < 0.9 * first[-1]
    assert model.prior_.lam == lam
    assert model.loss_curve_[0] < first[0]


def test_warm_start_keeps_classes_and_outputs():
    X, y = problem()
    model = classifier(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="y must contain only labels among"):
        model.fit(X, y + 1)
    assert model.fit(X[y > 0], y[y > 0]).classes_.tolist() == [0, 1, 2]

    # as many outputs, one for each class: another loss may take over
    model.set_params(loss="logistic", max_iter=5).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert model.score(X, y) > 0.85
    binary = classifier(warm_start=True, loss="softmax").fit(X[y < 2], y[y < 2])
    with pytest.raises(ValueError, match=r"loss must have 2 output.*'logistic', which has 1"):
        binary.set_params(loss="logistic").fit(X[y < 2], y[y < 2])


def test_early_stopping_keeps_the_best_epoch(monkeypatch):
    notes = []

    def watched(samples, state, settings, targets):
        score = prediction.evaluate(samples, state, settings, targets)
        learned = prediction.to_data_units(state, settings, targets)
        notes.append((score, learned["dictionary"], learned["coef"], samples.n_samples))
        return score

    monkeypatch.setattr(trainer, "evaluate", watched)
    X, y = digits(300)
    options = {"max_iter": 12, "early_stopping": True, "learning_rate": 1.0, **AS_GIVEN}
    model = SupervisedDictionaryClassifier(6, init_max_iter=1, random_state=0, **options)
    model.fit(X, y)
    scores = [note[0] for note in notes]
    assert model.validation_scores_ == scores
    assert model.best_validation_score_ == max(scores)
    best = int(np.argmax(scores))
    assert best < len(scores) - 1  # at such steps the last epoch is not the best
    np.testing.assert_array_equal(model.components_, notes[best][1])
    np.testing.assert_array_equal(model.coef_, notes[best][2])
    assert {note[3] for note in notes} == {30}


def test_early_stopping_stops_when_nothing_gets_better():
    X, y = problem()
    params = {"early_stopping": True, "max_iter": 30, "n_iter_no_change": 3, "learning_rate": 0.1}
    model = classifier(tol=1.0, **params).fit(X, y)  # accuracy cannot rise by more than one
    assert model.n_iter_ == len(model.validation_scores_) == 4
    later = model.set_params(early_stopping=False, max_iter=2).fit(X, y)
    assert later.validation_scores_ == []
    assert not hasattr(later, "best_validation_score_")


@pytest.mark.numpy_alone("its augmentation takes arrays of NumPy")
def test_augment_sees_every_mini_batch_and_nothing_else():
    X, y = problem()
    seen = []

    def augment(batch, rng):
        assert isinstance(rng, np.random.Generator)
        seen.append(batch.copy())
        return batch

    model = classifier(augment=augment, max_iter=3, batch_size=40).fit(X, y)
    assert [len(batch) for batch in seen] == [40] * 12
    for epoch in range(3):
        rows = np.vstack(seen[4 * epoch : 4 * epoch + 4])
        np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(X, axis=0))
    assert_same_fit(model, classifier(max_iter=3, batch_size=40).fit(X, y))
    model.predict(X)
    assert len(seen) == 12


def test_warm_start_takes_up_a_prior_and_a_ridge_given_since():
    X, y = problem()
    model = classifier(warm_start=True).fit(X, y)
    sparse = ElasticNet(lam=2 * model.prior_.lam, lam2=0.1)
    before = (model.transform(X) != 0).sum()
    model.set_params(prior=sparse, nu=0.5).fit(X, y)
    assert model.prior_.lam == sparse.lam
    assert model.nu_ == pytest.approx(0.5)
    assert (model.transform(X) != 0).sum() < before
    with pytest.raises(ValueError, match=r"n_components must be \d+ to continue learning"):
        model.set_params(n_components=3).fit(X, y)


def test_what_contradicts_the_first_fit_is_named():
    X, y = digits(n_classes=3)
    model = classifier(warm_start=True).fit(X, y)
    for name, value, message in (
        ("prior", "kl", "prior must be of the type of the first fit, ElasticNet"),
        ("head", "bilinear", "head must be 'linear' to continue learning"),
        ("multi_class", "ovr", "multi_class must be 'shared' to continue learning"),
    ):
        before = model.get_params(deep=False)[name]
        loss = {"loss": "softmax"} if name == "multi_class" else {}
        with pytest.raises(ValueError, match=message):
            model.set_params(**{name: value}, **loss).fit(X, y)
        model.set_params(**{name: before})
