"""Warnings: what they say, that they come once, and that they point at the caller's line."""

import numpy as np
import pytest
from learners import digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdict_sup import (
    ElasticNet,
    LISTAEncoder,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    encode,
)

X, Y = digits(200, n_classes=3)
X = X / np.linalg.norm(X, axis=1, keepdims=True)
D = X[:12]
QUICK = {"max_iter": 1, "init_max_iter": 1, "learning_rate": 0.1, "random_state": 0}


def only(caught):
    """The one warning, which points at this file."""
    (one,) = caught
    assert one.filename == __file__
    return str(one.message)


# --- lam that is too large --------------------------------------------------------------------


@pytest.mark.parametrize("lam", [1e4, 1.01, "2*lam_max"])
@pytest.mark.parametrize(
    "fit",
    [
        lambda prior: SupervisedDictionaryClassifier(5, prior=prior, **QUICK).fit(X, Y),
        lambda prior: SupervisedDictionaryRegressor(5, prior=prior, **QUICK).partial_fit(X, Y),
        lambda prior: OnlineDictionaryLearning(5, prior=prior, max_iter=1).fit(X),
        lambda prior: LISTAEncoder(D, n_layers=1, prior=prior, max_iter=1).fit(X),
        lambda prior: SparseCoder(D, prior=prior).fit(X),
    ],
    ids=["classifier", "regressor", "online", "lista", "coder"],
)
def test_codes_that_are_all_zero_are_told_of(fit, lam):
    with pytest.warns(UserWarning, match="training codes zero") as caught:
        fit(ElasticNet(lam))
    message = only(caught)
    assert "100% of the training codes" in message
    assert "lam_max" in message
    assert "lam='auto' would be 0.1" in message


def test_lam_one_on_signals_of_unit_norm_is_told_of():
    model = SupervisedDictionaryClassifier(20, prior=ElasticNet(1.0), **QUICK)
    with pytest.warns(UserWarning, match=r"lam=1 makes .* of the training codes zero"):
        model.fit(X, Y)


@pytest.mark.parametrize("lam", ["auto", 0.0, 0.3, "0.5*lam_max"])
def test_codes_with_entries_are_no_reason_to_warn(lam):
    OnlineDictionaryLearning(5, prior=ElasticNet(lam), max_iter=1).fit(X)


def test_signals_smaller_than_those_of_the_fit_are_told_of():
    model = OnlineDictionaryLearning(5, prior=ElasticNet(0.1), max_iter=1).fit(X)
    for output in ("dense", "sparse"):
        with pytest.warns(UserWarning, match="All codes of the 200 signals are zero") as caught:
            model.set_params(output=output).transform(1e-3 * X)
        assert "lam=0.1" in only(caught)
    model.transform(1e-3 * X[:3])  # few codes may be zero
    model.transform(0 * X)
    model.transform(np.vstack([1e-3 * X, X]))
    model.set_params(max_residual=10.0, prior=ElasticNet()).transform(1e-3 * X)  # as asked for


def test_a_stream_that_begins_without_a_spread_of_targets_is_told_of():
    model = SupervisedDictionaryRegressor(5, **QUICK)
    with pytest.warns(UserWarning, match="one value alone.*begin with more samples") as caught:
        model.partial_fit(X[:1], Y[:1])
    only(caught)
    model.partial_fit(X[:1], Y[:1])
    SupervisedDictionaryRegressor(5, **QUICK).partial_fit(X[:2], [0.0, 1.0])


def test_signals_of_zero_are_no_reason_to_warn():
    OnlineDictionaryLearning(5, prior=ElasticNet(0.1), max_iter=1).fit(np.vstack([X, 0 * X]))


# --- labels of -1 -----------------------------------------------------------------------------


def test_minus_one_among_other_labels_is_told_of():
    y = np.where(np.arange(len(Y)) < 50, -1, Y)
    model = SupervisedDictionaryClassifier(5, **QUICK)
    with pytest.warns(UserWarning, match=r"-1 beside 3 other labels, .*mu=0 .* mu above 0"):
        model.fit(X, y)
    with pytest.warns(UserWarning, match="-1 beside 3 other labels") as caught:
        SupervisedDictionaryClassifier(5, **QUICK).partial_fit(X, y)
    only(caught)
    model.partial_fit(X, y)
    model.set_params(mu=0.5).fit(X, y)


def test_minus_one_and_another_label_are_two_classes():
    SupervisedDictionaryClassifier(5, **QUICK).fit(X, np.where(Y == 0, -1, 1))
    three = SupervisedDictionaryClassifier(5, **QUICK)
    three.partial_fit(X, Y - 1, classes=[-1, 0, 1])  # told that it is a class


# --- where warnings point ---------------------------------------------------------------------


def test_inexact_codes_point_at_the_caller():
    for prior in ("elastic_net", "kl"):
        with pytest.warns(ConvergenceWarning, match="not converged to a relative") as caught:
            encode(X, D, prior=prior, max_iter=1, tol=1e-14)
        only(caught)
    coder = SparseCoder(D, max_iter=1, tol=1e-14).fit(X)
    for call in (coder.transform, coder.fit_transform, make_pipeline(coder).transform):
        with pytest.warns(ConvergenceWarning, match="not converged to a relative") as caught:
            call(X)
        only(caught)


def test_tensors_point_at_the_caller():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with pytest.warns(ConvergenceWarning, match="not converged to a relative") as caught:
        encode(torch.asarray(X), torch.asarray(D), max_iter=1, tol=1e-14)
    only(caught)


def test_fits_point_at_the_caller():
    pair = np.array([[1.0, 0.0, 0.0], [np.cos(1e-3), np.sin(1e-3), 0.0]])  # nearly dependent
    weights = np.random.default_rng(0).uniform(1.0, 2.0, size=(200, 2))
    signals = weights @ pair + 0.02 * np.linalg.pinv(pair).sum(axis=1)
    settings = QUICK | {"init": pair, "init_max_iter": 0}
    model = SupervisedDictionaryRegressor(2, prior=ElasticNet(1e-4), **settings)
    for fit in (model.fit, make_pipeline(FunctionTransformer(), model).fit):
        with pytest.warns(UserWarning, match="lam2 raised") as caught:
            fit(signals, weights[:, 0])
        only(caught)
    encoder = LISTAEncoder(D, n_layers=2, max_iter=1, learning_rate=1e200, random_state=0)
    with np.errstate(all="ignore"), pytest.warns(ConvergenceWarning, match="finite") as caught:
        encoder.fit(X)
    only([one for one in caught if one.category is ConvergenceWarning])
