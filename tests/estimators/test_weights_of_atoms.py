"""Priors with a weight for each atom in estimators, layers and encoders."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdict_sup import (
    ElasticNet,
    LISTAEncoder,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    encode,
    tune_prior,
)
from skdict_sup.plotting import LamPathDisplay

X, Y = load_digits(return_X_y=True)
X, Y = X[:200] / 16, Y[:200]
LAM = np.linspace(0.1, 1.0, 12)
FREE = np.where(np.arange(12) < 2, 0.0, 0.6)


@pytest.mark.parametrize("lam", [LAM, FREE], ids=["above zero", "some zero"])
def test_dictionaries_are_learned(lam):
    prior = ElasticNet(lam)
    model = OnlineDictionaryLearning(12, prior=prior, max_iter=2, random_state=0).fit(X)
    code = model.transform(X)
    np.testing.assert_array_equal(code, encode(X, model.components_, prior=prior).code)
    used = (code != 0).mean(axis=0)
    assert used[:2].mean() > used[-2:].mean()
    twin = pickle.loads(pickle.dumps(clone(model).fit(X)))
    np.testing.assert_array_equal(twin.components_, model.components_)


@pytest.mark.parametrize("lam", [LAM, FREE], ids=["above zero", "some zero"])
def test_supervised_estimators_learn_with_them(lam):
    prior = ElasticNet(lam, 0.1)
    settings = {"prior": prior, "max_iter": 3, "random_state": 0}
    classifier = SupervisedDictionaryClassifier(12, **settings).fit(X, Y)
    assert classifier.score(X, Y) > 0.6
    again = clone(classifier).set_params(warm_start=True).fit(X, Y).fit(X, Y)
    assert again.n_iter_ >= 1
    regressor = SupervisedDictionaryRegressor(12, **settings).fit(X, Y.astype(float))
    assert np.isfinite(regressor.predict(X)).all()


def test_a_grid_reaches_them():
    model = make_pipeline(
        OnlineDictionaryLearning(12, prior=ElasticNet(LAM), max_iter=1, random_state=0),
        LogisticRegression(max_iter=300),
    )
    grid = {"onlinedictionarylearning__prior__lam": [0.5 * LAM, LAM, 0.3]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_weights_are_tuned_by_one_factor():
    model = SupervisedDictionaryRegressor(
        12, prior=ElasticNet(FREE, 0.1), max_iter=2, random_state=0
    )
    tuned = tune_prior(model, X, Y.astype(float), n_rounds=1, max_iter=3, random_state=0)
    assert min(tuned.losses) <= tuned.losses[0]
    ratio = tuned.prior.lam[2:] / FREE[2:]
    np.testing.assert_allclose(ratio, ratio[0])
    assert not tuned.prior.lam[:2].any()
    assert len(tuned.values) > 1


def test_a_wrong_number_is_refused_by_name():
    for model in (
        OnlineDictionaryLearning(10, prior=ElasticNet(LAM)),
        SparseCoder(np.eye(64)[:10], prior=ElasticNet(LAM)),
        LISTAEncoder(np.eye(64)[:10], prior=ElasticNet(LAM)),
    ):
        with pytest.raises(ValueError, match="lam must have one entry per atom: got 12"):
            model.fit(X)
    with pytest.raises(ValueError, match="lam must have one entry per atom: got 12"):
        SupervisedDictionaryClassifier(10, prior=ElasticNet(LAM)).fit(X, Y)


@pytest.mark.parametrize("architecture", ["ista", "lista", "lfista", "step", "slstm", "adaptive"])
def test_encoders_with_a_threshold_for_each_atom_learn(architecture):
    dictionary = OnlineDictionaryLearning(12, max_iter=1, random_state=0).fit(X).components_
    settings = {"architecture": architecture, "prior": ElasticNet(LAM), "random_state": 0}
    untrained = LISTAEncoder(dictionary, n_layers=3, max_iter=1, **settings).fit(X)
    deep = LISTAEncoder(dictionary, n_layers=3, max_iter=20, **settings).fit(X)

    def excess(model):
        prior, code = ElasticNet(LAM), model.transform(X)
        value = 0.5 * ((X - code @ dictionary) ** 2).sum(axis=1) + prior.value(code)
        return (value - encode(X, dictionary, prior=prior).objective).mean()

    assert 0 <= excess(deep) <= excess(untrained) * 1.001


def test_many_layers_of_ista_reach_the_codes():
    rng = np.random.default_rng(0)
    dictionary = np.linalg.qr(rng.normal(size=(64, 12)))[0].T
    prior = ElasticNet(LAM)
    model = LISTAEncoder(dictionary, architecture="ista", n_layers=40, prior=prior).fit(X)
    np.testing.assert_allclose(
        model.transform(X), encode(X, dictionary, prior=prior).code, atol=1e-10
    )


@pytest.mark.parametrize("architecture", ["alista", "facnet"])
def test_encoders_with_one_threshold_refuse_them(architecture):
    model = LISTAEncoder(np.eye(64)[:12], architecture=architecture, prior=ElasticNet(LAM))
    with pytest.raises(ValueError, match="requires one number lam for all atoms"):
        model.fit(X)


def test_a_lam_that_makes_all_codes_zero_is_reported():
    with pytest.warns(UserWarning, match="an array with entries up to 1000"):
        OnlineDictionaryLearning(
            12, prior=ElasticNet(np.full(12, 1e3)), max_iter=1, random_state=0
        ).fit(X)


def test_paths_are_drawn_over_factors():
    pytest.importorskip("matplotlib")
    coder = SparseCoder(np.eye(64)[:12], prior=ElasticNet(LAM)).fit(X)
    display = LamPathDisplay.from_estimator(coder, X[0], n_lams=5)
    assert not display.codes[0].any()
    assert display.codes[-1].any()


def test_layers_take_and_learn_them():
    torch = pytest.importorskip("torch")
    from skdict_sup.nn import SparseFactorization

    signals = torch.as_tensor(X[:20])
    layer = SparseFactorization(
        64, 12, prior=ElasticNet(LAM), learn_prior=("lam",), dtype=signals.dtype
    )
    code = layer(signals)
    expected = encode(X[:20], layer.dictionary.detach().numpy(), prior=ElasticNet(LAM)).code
    np.testing.assert_allclose(code.detach().numpy(), expected, atol=1e-12)
    code.sum().backward()
    learned = [p for name, p in layer.named_parameters() if "lam" in name]
    assert learned[0].grad.shape == (12,)
    assert learned[0].grad.any()
