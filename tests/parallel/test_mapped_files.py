"""Memory maps, which tasks open by themselves."""

import pickle

import numpy as np
import pytest

from skdict_sup import ElasticNet, encode, parallel
from skdict_sup.parallel._files import MappedFile, by_name


@pytest.fixture
def mapped(tmp_path):
    X = np.random.default_rng(0).normal(size=(400, 30))
    np.save(tmp_path / "X.npy", X)
    return X, np.load(tmp_path / "X.npy", mmap_mode="r")


@pytest.mark.parametrize(
    "part", [slice(None), slice(7, 90), slice(399, None)], ids=["all", "middle", "last"]
)
def test_parts_are_those_of_the_map(mapped, part):
    X, array = mapped
    found = by_name(array[part])
    assert isinstance(found, MappedFile)
    assert len(pickle.dumps(found)) < 1000
    np.testing.assert_array_equal(found[...], X[part])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(found))[1:3], X[part][1:3])


def test_maps_in_another_order_and_arrays_stay_as_they_are(mapped):
    X, array = mapped
    for other in (X, array[:, 3:], array[::2], array[:0]):
        assert by_name(other) is other


def test_graphs_of_memory_maps_do_not_contain_them(mapped):
    X, array = mapped
    D, prior = X[:5], ElasticNet(5.0)
    codes = parallel.encode(array, D, prior=prior)
    assert len(pickle.dumps(codes)) < X.nbytes / 2
    np.testing.assert_array_equal(codes.compute(), encode(X, D, prior=prior).code)
