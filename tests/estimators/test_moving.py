"""Fitted estimators in another array library: what they predict, and how they go on learning."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse
from learners import digits
from sklearn.utils import _array_api

import skdict_sup
from skdict_sup import (
    KL,
    ElasticNet,
    LISTAEncoder,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    to_device,
)
from skdict_sup.estimators._moving import convert_arrays

LEARNING = {"learning_rate": 0.05, "max_iter": 1, "init_max_iter": 1, "random_state": 0}
CASES = {
    "coder": lambda D: SparseCoder(D),
    "online": lambda D: OnlineDictionaryLearning(6, max_iter=1, random_state=0),
    "softmax": lambda D: OnlineDictionaryLearning(
        6, max_iter=1, transfer="softmax", prior=KL(0.1, 0.1), random_state=0
    ),
    "classifier": lambda D: SupervisedDictionaryClassifier(6, **LEARNING),
    "ovr": lambda D: SupervisedDictionaryClassifier(
        2, multi_class="ovr", fit_linear=True, **LEARNING
    ),
    "regressor": lambda D: SupervisedDictionaryRegressor(6, n_projected=20, **LEARNING),
    "encoder": lambda D: LISTAEncoder(
        D, n_layers=2, max_iter=2, loss="square", prior=ElasticNet(0.01), random_state=0
    ),
}


def fitted(name):
    """Estimator, signals and labels; all rows are distributions, which softmax asks for."""
    X, y = digits(40, n_classes=4)
    X = X / X.sum(axis=1, keepdims=True)
    return CASES[name](X[:6]).fit(X, y), X, y


@pytest.mark.parametrize("name", CASES)
def test_a_moved_estimator_is_the_same(name, xp):
    model, X, _ = fitted(name)
    moved = to_device(model, xp.home)
    there = xp.asarray(X)
    code = moved.transform(there)
    assert xp.is_mine(code)
    np.testing.assert_allclose(xp.to_numpy(code), model.transform(X), rtol=1e-9, atol=1e-9)
    if hasattr(model, "predict"):
        found = xp.to_numpy(moved.predict(there))
        np.testing.assert_allclose(found, model.predict(X), rtol=1e-9)
    assert isinstance(model.components_, np.ndarray)  # the original stays
    back = to_device(moved, np)
    np.testing.assert_array_equal(back.components_, model.components_)
    np.testing.assert_array_equal(back.transform(X), model.transform(X))


@pytest.mark.parametrize("name", sorted(set(CASES) - {"coder"}))
def test_a_moved_estimator_goes_on_learning(name, xp):
    model, X, y = fitted(name)
    moved = to_device(model, xp.home)
    moved.partial_fit(xp.asarray(X), y)
    model.partial_fit(X, y)
    components = moved.components_
    assert xp.is_mine(components)
    np.testing.assert_allclose(xp.to_numpy(components), model.components_, rtol=1e-6, atol=1e-8)


def test_layers_that_share_an_array_still_do():
    model, _, _ = fitted("encoder")
    moved = to_device(model, np)
    first, second = moved.layers_
    assert first["signal"] is second["signal"]
    assert first["signal"] is not model.layers_[0]["signal"]
    assert moved._training.layers[0]["signal"] is first["signal"]


def test_what_is_no_array_of_floats_stays():
    frame = pytest.importorskip("pandas").DataFrame(digits(50)[0]).rename(columns=str)
    model = OnlineDictionaryLearning(4, max_iter=1, random_state=0).fit(frame)
    moved = to_device(model, "array_api_strict")
    assert moved.feature_names_in_ is model.feature_names_in_
    whole = SimpleNamespace(x=np.ones(2))
    assert convert_arrays(whole, lambda a: 2 * a, {}) is whole


def test_scikit_learn_moves_estimators_too(xp):
    if not hasattr(_array_api, "move_estimator_to"):
        pytest.skip("scikit-learn before the hook")
    model, X, _ = fitted("classifier")
    moved = model.__sklearn_array_api_convert__(xp.asarray)
    np.testing.assert_array_equal(moved.predict(xp.asarray(X)), model.predict(X))
    moved = _array_api.move_estimator_to(moved, np, "cpu")
    np.testing.assert_array_equal(moved.predict(X), model.predict(X))


def test_what_cannot_be_moved_is_refused(xp):
    model, X, _ = fitted("classifier")
    with pytest.raises(TypeError, match="estimator must be one of this package, got int"):
        to_device(3, np)
    with pytest.raises(
        ValueError, match=r"xp must be the name of an installed array library.*got 'math'"
    ):
        to_device(model, "math")
    with pytest.raises(TypeError, match="xp must be an array library or its name, got 3"):
        to_device(model, 3)
    if xp.module != "numpy":
        with pytest.raises(ValueError, match=r"skdict_sup\.to_device moves a fitted estimator"):
            model.predict(xp.asarray(X))
        moved = to_device(model, xp.home)
        code = model.transform(X)
        for elsewhere in (code, scipy.sparse.csr_matrix(code)):
            with pytest.raises(ValueError, match=r"^components_ is an array of .*, but"):
                moved.inverse_transform(elsewhere)
    assert skdict_sup.to_device is to_device
