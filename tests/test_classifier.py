"""SupervisedDictionaryClassifier: labels, losses, weights, training that goes on, what it can learn."""

import numpy as np
import pytest
from learners import assert_same, classifier, digits, learned
from problems import unit_atoms
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight

from skdict_sup import ElasticNet, OnlineDictionaryLearning, SupervisedDictionaryClassifier
from skdict_sup.losses import CLASSIFICATION_LOSSES

every_loss = pytest.mark.parametrize("loss", sorted(CLASSIFICATION_LOSSES))


def problem(n_classes=3, n_samples=160):
    return digits(n_samples, n_classes)


def assert_same_fit(found, expected, **close):
    assert_same(learned(found), learned(expected), **close)


# --- labels and losses ------------------------------------------------------------------------

NAMES = {
    "strings": np.array(["zero", "one", "two"]),
    "objects": np.array(["zero", "one", "two"], dtype=object),
    "negative": np.array([-1, 7, 3]),
    "floats": np.array([2.0, -1.0, 5.0]),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_labels_of_any_kind(names):
    X, y = problem()
    order = np.argsort(names)
    named = classifier().fit(X, names[y])
    numbered = classifier().fit(X, np.argsort(order)[y])
    np.testing.assert_array_equal(named.classes_, names[order])
    assert named.classes_.dtype == named.predict(X).dtype == names.dtype
    np.testing.assert_array_equal(named.predict(X), names[order][numbered.predict(X)])
    np.testing.assert_array_equal(named.predict_proba(X), numbered.predict_proba(X))


@pytest.mark.parametrize("n_classes", [2, 3])
@every_loss
def test_scores_predictions_and_probabilities_belong_together(loss, n_classes):
    X, y = problem(n_classes)
    model = classifier(loss=loss).fit(X, y)
    n_outputs = 1 if n_classes == 2 and loss != "softmax" else n_classes
    assert (model.coef_.shape, model.intercept_.shape) == ((n_outputs, 6), (n_outputs,))
    scores = model.transform(X) @ model.coef_.T + model.intercept_
    found = model.decision_function(X)
    if n_classes == 2:
        expected = scores[:, 0] if n_outputs == 1 else scores[:, 1] - scores[:, 0]
        winners = (found > 0).astype(int)
    else:
        expected, winners = scores, found.argmax(axis=1)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(model.predict(X), model.classes_[winners])
    assert model.score(X, y) == np.mean(model.predict(X) == y) > 0.85
    if loss == "squared_hinge":
        assert not hasattr(model, "predict_proba")
        assert not hasattr(model, "predict_log_proba")
        with pytest.raises(AttributeError):
            model.predict_proba(X)
        return
    p = model.predict_proba(X)
    assert p.shape == (len(X), n_classes)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert (p >= 0).all()
    np.testing.assert_array_equal(p.argmax(axis=1), winners)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p, rtol=1e-12)


@pytest.mark.parametrize(("n_classes", "loss"), [(2, "logistic"), (3, "softmax")])
def test_the_automatic_loss(n_classes, loss):
    X, y = problem(n_classes)
    assert_same_fit(classifier().fit(X, y), classifier(loss=loss).fit(X, y))


def test_a_larger_ridge_makes_a_smaller_head():
    X, y = problem()
    norms = [np.linalg.norm(classifier(nu=nu).fit(X, y).coef_) for nu in (0.0, 0.1, 10.0)]
    assert norms[0] > 1.2 * norms[1] > 1.44 * norms[2]
    assert classifier(nu=0.1).fit(X, y).nu_ == pytest.approx(0.1)


# --- weights ----------------------------------------------------------------------------------


def test_weights_count_as_repetitions_and_zero_as_absence():
    X, y = problem()
    times = np.random.default_rng(0).integers(0, 4, len(X))
    weighted = classifier().fit(X, y, sample_weight=times)
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(len(X)), times))
    repeated = classifier().fit(X[rows], y[rows])
    assert_same_fit(weighted, repeated, rtol=1e-9, atol=1e-11)
    assert np.abs(weighted.coef_ - classifier().fit(X, y).coef_).max() > 1e-3


@pytest.mark.parametrize("early_stopping", [False, True])
def test_samples_of_weight_zero_are_absent(early_stopping):
    X, y = problem()
    weight = np.zeros(len(X))
    weight[:40] = 1.0
    params = {"early_stopping": early_stopping, "validation_fraction": 0.2}
    expected = classifier(**params).fit(X[:40], y[:40])
    assert_same_fit(classifier(**params).fit(X, y, sample_weight=weight), expected)


def test_samples_of_weight_zero_are_absent_from_partial_fit():
    # most mini-batches would be without a single weight
    X, y = problem()
    weight = np.zeros(len(X))
    weight[:3] = 1.0
    found, expected = (classifier(batch_size=4).fit(X, y) for _ in range(2))
    found.partial_fit(X, y, sample_weight=weight)
    assert_same_fit(found, expected.partial_fit(X[:3], y[:3]))


def test_class_weights_are_sample_weights():
    X, y = problem()
    X, y = X[30:], y[30:]
    factors = {0: 1.0, 1: 3.0, 2: 0.5}
    for class_weight in (factors, "balanced"):
        by_class = classifier(class_weight=class_weight).fit(X, y)
        weight = compute_sample_weight(class_weight, y)
        by_sample = classifier().fit(X, y, sample_weight=weight)
        assert_same_fit(by_class, by_sample, rtol=1e-9, atol=1e-11)
    both = classifier(class_weight=factors).fit(X, y, sample_weight=np.full(len(y), 2.0))
    weight = 2 * compute_sample_weight(factors, y)
    assert_same_fit(both, classifier().fit(X, y, sample_weight=weight), rtol=1e-9, atol=1e-11)


def test_a_heavy_class_is_found_more_often():
    X, y = digits(400)
    share = [
        np.mean(classifier(class_weight={3: w}).fit(X, y).predict(X) == 3) for w in (0.01, 1, 100)
    ]
    assert share[0] < 0.5 * share[1]
    assert share[2] > 1.5 * share[1]


# --- training that goes on --------------------------------------------------------------------


def test_partial_fit_learns_in_pieces():
    X, y = problem(n_samples=400)
    model, scores = classifier(max_iter=1), []
    assert model.partial_fit(X[:30], y[:30] * 0, classes=[0, 1, 2]).classes_.tolist() == [0, 1, 2]
    for rows in np.array_split(np.arange(400), 8):
        model.partial_fit(X[rows], y[rows])
        scores.append(model.score(X, y))
    assert scores[-1] > 0.9 > 0.6 > np.mean(y == 0)
    assert model.n_iter_ == len(model.loss_curve_) == 9
    with pytest.raises(ValueError, match=r"y must hold labels among .*, got .*3.* too"):
        model.partial_fit(X, np.full(400, 3))
    with pytest.raises(ValueError, match="at least two classes, got one"):
        classifier().partial_fit(X, np.zeros(400))


def test_partial_fit_takes_its_classes_from_the_first_call():
    X, y = problem()
    model = classifier().partial_fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    assert_same_fit(model, classifier().partial_fit(X, y, classes=[2, 1, 0]))
    assert "_known_classes" not in vars(model)


@every_loss
def test_warm_start_goes_on(loss):
    X, y = problem()
    model = classifier(loss=loss, warm_start=True).fit(X, y)
    first, lam = model.loss_curve_, model.prior_.lam
    components = model.components_
    model.set_params(max_iter=8).fit(X, y)
    np.testing.assert_array_equal(model.initial_components_, components)
    assert model.loss_curve_[-1] < 0.9 * first[-1]
    assert model.prior_.lam == lam
    cold = classifier(loss=loss, max_iter=8).fit(X, y)
    assert model.loss_curve_[0] < cold.loss_curve_[0]


def test_warm_start_keeps_classes_and_outputs():
    X, y = problem()
    model = classifier(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="y must hold labels among"):
        model.fit(X, y + 1)
    assert model.fit(X[y > 0], y[y > 0]).classes_.tolist() == [0, 1, 2]

    # as many outputs, one for each class: another loss may take over
    model.set_params(loss="logistic", max_iter=5).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert model.score(X, y) > 0.85
    binary = classifier(warm_start=True, loss="softmax").fit(X[y < 2], y[y < 2])
    with pytest.raises(ValueError, match=r"loss must have 2 output.*'logistic', which has 1"):
        binary.set_params(loss="logistic").fit(X[y < 2], y[y < 2])


class Watched(SupervisedDictionaryClassifier):
    """A classifier that notes its atoms, head and score whenever it is validated."""

    def _held_out_score(self, X, labels, weight):
        score = super()._held_out_score(X, labels, weight)
        self.notes_.append((score, self.components_, self.coef_, len(X)))
        return score


def test_early_stopping_keeps_the_best_epoch():
    X, y = digits(300)
    model = Watched(
        6, init_max_iter=1, max_iter=12, early_stopping=True, learning_rate=1.0, random_state=0
    )
    model.notes_ = []
    model.fit(X, y)
    scores = [note[0] for note in model.notes_]
    assert model.validation_scores_ == scores
    assert model.best_validation_score_ == max(scores)
    best = int(np.argmax(scores))
    assert best < len(scores) - 1  # at such steps the last epoch is not the best
    np.testing.assert_array_equal(model.components_, model.notes_[best][1])
    np.testing.assert_array_equal(model.coef_, model.notes_[best][2])
    assert {note[3] for note in model.notes_} == {30}


def test_early_stopping_stops_when_nothing_gets_better():
    X, y = problem()
    params = {"early_stopping": True, "max_iter": 30, "n_iter_no_change": 3}
    model = classifier(tol=1.0, **params).fit(X, y)  # accuracy cannot rise by more than one
    assert model.n_iter_ == len(model.validation_scores_) == 4
    later = model.set_params(early_stopping=False, max_iter=2).fit(X, y)
    assert later.validation_scores_ == []
    assert not hasattr(later, "best_validation_score_")


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


# --- what it can learn ------------------------------------------------------------------------


def test_classes_that_no_linear_model_separates():
    # signals of either sign along one of six atoms; the class is that of the atom
    rng = np.random.default_rng(0)
    number = rng.integers(6, size=500)
    sign_and_size = rng.choice([-1, 1], (500, 1)) * rng.uniform(0.5, 2, (500, 1))
    X = unit_atoms(rng, 6, 15)[number] * sign_and_size + 0.1 * rng.normal(size=(500, 15))
    y = number % 2
    train, test = slice(0, 300), slice(300, 500)
    linear = LogisticRegression().fit(X[train], y[train])
    assert linear.score(X[test], y[test]) < 0.65
    prior = ElasticNet(lam2=0.1, positive=True)
    model = SupervisedDictionaryClassifier(12, prior=prior, max_iter=10, random_state=0)
    assert model.fit(X[train], y[train]).score(X[test], y[test]) > 0.95


def test_supervision_lowers_the_loss_below_that_of_any_head_on_unsupervised_codes():
    X, y = digits(300)
    prior = ElasticNet(lam2=0.1)
    model = SupervisedDictionaryClassifier(8, prior=prior, max_iter=30, random_state=0).fit(X, y)
    start = OnlineDictionaryLearning(8, prior=model.prior_, random_state=0).fit(X)
    head = LogisticRegression(C=1e4, max_iter=5000).fit(start.transform(X), y)
    unsupervised = log_loss(y, head.predict_proba(start.transform(X)))
    assert log_loss(y, model.predict_proba(X)) < 0.5 * unsupervised
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]
