"""Blocks on a device, for which stand-ins of CuPy's arrays serve where there is no device."""

import dask
import numpy as np
import pytest
from device_arrays import DeviceArray, there
from lazy import assert_bits, blocks
from learners import classifier, digits, unsupervised
from problems import unit_atoms

from skdict_sup import ElasticNet, encode, parallel

X, Y = digits(60)
N, M = X.shape
D = unit_atoms(np.random.default_rng(0), 6, M)
PRIOR = ElasticNet(lam=0.3, lam2=0.01)
ROWS = 20, 0, 40


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def on_device(array, rows=ROWS):
    """Dask array with blocks on the device."""
    return blocks(array, rows).map_blocks(there, dtype=array.dtype, meta=there(array[:0]))


def test_codes_and_certificates_stay_on_the_device():
    lazy = parallel.encode(on_device(X), D, prior=PRIOR, certificate=True)
    expected = encode(X, D, prior=PRIOR)
    for name, array in dask.compute(lazy.arrays())[0].items():
        assert isinstance(array, DeviceArray), name
    code = lazy.code.compute().get()
    np.testing.assert_allclose(code, expected.code, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("method", ["transform", "decision_function", "predict_proba"])
def test_results_of_estimators_stay_on_the_device(method):
    model = classifier(prior=PRIOR).fit(X, Y)
    found = getattr(parallel, method)(model, on_device(X)).compute()
    assert isinstance(found, DeviceArray)
    expected = getattr(model, method)(X)
    np.testing.assert_allclose(found.get(), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("make", [unsupervised, classifier])
def test_fits_copy_blocks_to_host_memory(make):
    options = {"batch_size": 32, "shard": 16}
    found, expected = (
        parallel.fit(make(prior=PRIOR), signals, Y, **options)
        for signals in (on_device(X), blocks(X, ROWS))
    )
    assert_bits(found.components_, expected.components_)
