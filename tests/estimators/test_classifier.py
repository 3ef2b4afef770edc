"""SupervisedDictionaryClassifier: labels, losses, weights, and what it can learn."""

import numpy as np
import pytest
from learners import assert_same, classifier, digits, learned
from problems import unit_atoms
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight

from skdict_sup import ElasticNet, OnlineDictionaryLearning, SupervisedDictionaryClassifier
from skdict_sup._signals import SparseRows
from skdict_sup.losses import CLASSIFICATION_LOSSES

CROSSED = ("SupervisedDictionaryClassifier", "OnlineDictionaryLearning")

every_loss = pytest.mark.parametrize("loss", sorted(CLASSIFICATION_LOSSES))


def problem(n_classes=3, n_samples=160):
    return digits(n_samples, n_classes)


def assert_same_fit(found, expected, **close):
    assert_same(learned(found), learned(expected), **close)


# --- labels and losses ------------------------------------------------------------------------

NAMES = {
    "strings": np.array(["zero", "one", "two"]),
    "objects": np.array(["zero", "one", "two"], dtype=object),
    "negative": np.array([-2, 7, 3]),
    "floats": np.array([2.0, -3.0, 5.0]),
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
    nu, n = 1e-3, len(X)
    model = SupervisedDictionaryClassifier(
        8, nu=nu, max_iter=30, learning_rate=0.16, random_state=0
    ).fit(X, y)
    start = OnlineDictionaryLearning(8, prior=model.prior_, random_state=0).fit(X)
    code = start.transform(X)
    head = LogisticRegression(C=1 / (nu * n), max_iter=5000, tol=1e-8).fit(code, y)

    def objective(probabilities, coef):
        return log_loss(y, probabilities) + 0.5 * nu * (coef**2).sum()

    unsupervised = objective(head.predict_proba(code), head.coef_)
    assert objective(model.predict_proba(X), model.coef_) < 0.7 * unsupervised


def test_probabilities_are_those_of_the_loss_that_is_set():
    X, y = digits(n_classes=3)
    model = classifier(loss="squared_hinge").fit(X, y)
    scores = model.decision_function(X)
    found = model.set_params(loss="softmax").predict_proba(X)
    np.testing.assert_allclose(found, CLASSIFICATION_LOSSES["softmax"].probabilities(scores))


@pytest.mark.numpy_alone("SciPy's matrices go with NumPy alone")
def test_a_linear_path_scores_sparse_signals_without_making_them_dense(monkeypatch):
    X, y = digits(n_classes=3)
    model = classifier(fit_linear=True).fit(csr_matrix(X), y)
    expected = model.decision_function(X)
    sizes = []
    dense = SparseRows.dense
    monkeypatch.setattr(
        SparseRows, "dense", lambda rows: sizes.append(rows.shape[0]) or dense(rows)
    )
    found = model.decision_function(csr_matrix(X))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert sum(sizes) == len(X)  # once, slice by slice, for the codes
