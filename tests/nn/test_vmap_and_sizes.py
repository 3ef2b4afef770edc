"""Batches of inputs under `torch.vmap`, and sizes of patches of any kind of number."""

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from skdict_sup.nn import ConvSparseFactorization, SparseFactorization

LAYERS = {
    "rows": (lambda: SparseFactorization(6, 9), (4, 5, 6)),
    "patches": (lambda: ConvSparseFactorization(2, 5, 3), (4, 2, 2, 6, 6)),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_vmap_with_a_relative_lam_has_a_rule_for_every_operator(kind, capfd):
    make, shape = LAYERS[kind]
    torch.manual_seed(0)
    layer, batches = make(), torch.randn(shape)
    layer(batches[0])
    layer.eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error")
        together = torch.vmap(layer)(batches)
        apart = torch.stack([layer(batch) for batch in batches])
    torch.testing.assert_close(together, apart)
    assert "performance drop" not in capfd.readouterr().err  # from the fallback of torch


@pytest.mark.parametrize("number", [np.int64, np.int32, int])
def test_sizes_may_be_numbers_of_numpy(number):
    layer = ConvSparseFactorization(2, 5, number(3), stride=number(2), padding=number(1))
    assert (layer.kernel_size, layer.stride, layer.padding) == ((3, 3), (2, 2), (1, 1))


@pytest.mark.parametrize("size", [3.5, None, True])
def test_a_size_that_is_no_integer_is_named(size):
    with pytest.raises(TypeError, match="kernel_size must be an integer >= 1"):
        ConvSparseFactorization(2, 5, size)
