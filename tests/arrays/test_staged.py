"""Signals in host memory, batches on a device: the same as if all were there."""

import array_api_strict as strict
import numpy as np
import pytest
from learners import digits
from scipy.sparse import csr_matrix

from skdict_sup import (
    LISTAEncoder,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
)
from skdict_sup._array import device_of, to_numpy

LEARNING = {"learning_rate": 0.05, "max_iter": 1, "init_max_iter": 1, "random_state": 0}
LEARNING |= {"batch_size": 20}  # two batches of what is learned from
MODELS = {
    "coder": lambda **given: SparseCoder(digits(4)[0], **given),
    "online": lambda **given: OnlineDictionaryLearning(4, max_iter=1, random_state=0, **given),
    "classifier": lambda **given: SupervisedDictionaryClassifier(4, **LEARNING, **given),
    "early stop": lambda **given: SupervisedDictionaryClassifier(
        4, early_stopping=True, validation_fraction=0.3, **LEARNING, **given
    ),
    "mixed": lambda **given: SupervisedDictionaryClassifier(4, mu=0.3, **LEARNING, **given),
    "projected": lambda **given: SupervisedDictionaryRegressor(
        4, n_projected=8, fit_linear=True, **LEARNING, **given
    ),
    "encoder": lambda **given: LISTAEncoder(
        n_components=4, n_layers=2, max_iter=1, init_max_iter=1, random_state=0, **given
    ),
}


def home(device):
    """Function that makes arrays of a device from those of NumPy."""
    if device == "torch":
        torch = pytest.importorskip("torch")
        return lambda array: torch.from_numpy(np.array(array))
    place = strict.Device(device.split(":")[1])
    return lambda array: strict.asarray(array, device=place)


@pytest.mark.parametrize("device", ["torch", "array_api_strict:device1"])
@pytest.mark.parametrize("name", MODELS)
def test_batches_on_a_device_are_as_good_as_signals_there(name, device, tmp_path):
    X, y = digits(40, n_classes=4)
    here, there = MODELS[name]().fit(X, y), home(device)(X)
    stored = np.memmap(tmp_path / "signals", dtype=X.dtype, shape=X.shape, mode="w+")
    stored[:] = X
    model = MODELS[name](device=device).fit(stored, y)
    assert type(model.components_) is type(there)
    assert device_of(model.components_) == device_of(there)
    np.testing.assert_allclose(to_numpy(model.components_), here.components_, rtol=1e-6, atol=1e-8)
    code = model.transform(stored)
    assert device_of(code) == device_of(there)
    np.testing.assert_allclose(to_numpy(code), here.transform(X), rtol=1e-5, atol=1e-7)
    if hasattr(model, "predict"):
        assert model.score(stored, y) == pytest.approx(here.score(X, y))
        model.partial_fit(stored, y)
    # signals that are there already stay
    np.testing.assert_array_equal(
        to_numpy(model.transform(there)), to_numpy(model.transform(stored))
    )


def test_sparse_signals_may_be_staged_too():
    X, y = digits(40, n_classes=4)
    model, other = (MODELS["classifier"](device="array_api_strict:device1") for _ in range(2))
    model.fit(csr_matrix(X), y)
    other.fit(X, y)
    expected = to_numpy(other.components_)
    np.testing.assert_allclose(to_numpy(model.components_), expected, rtol=1e-9, atol=1e-12)
    assert str(device_of(model.transform(csr_matrix(X)))).count("device1")


@pytest.mark.parametrize(
    "device", ["no_such_library", "array_api_strict:nowhere", "math", "array_api_strict:7"]
)
def test_devices_that_are_not_there_are_refused(device):
    X, _ = digits(20)
    with pytest.raises(ValueError, match=r"device must be the name of .*got '" + device):
        OnlineDictionaryLearning(4, max_iter=1, device=device).fit(X)
    with pytest.raises(TypeError, match="device must be None or the name of an array library"):
        OnlineDictionaryLearning(4, max_iter=1, device=3).fit(X)
