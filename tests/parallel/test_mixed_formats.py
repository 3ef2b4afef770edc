"""Arrays with dense and sparse blocks; rows that are refused in the first sample of a fit."""

import dask
import dask.array as da
import numpy as np
import pytest
from lazy import assert_bits, blocks
from learners import classifier, digits, heights, regressor, unsupervised
from problems import unit_atoms
from scipy import sparse

from skdict_sup import ElasticNet, encode, parallel
from skdict_sup.parallel import _plan

X, Y = digits()
N, M = X.shape
PRIOR = ElasticNet(lam=0.3)
D = unit_atoms(np.random.default_rng(0), 6, M)
FORMATS = sparse.csr_matrix, np.asarray, sparse.csr_array, sparse.csc_matrix, sparse.coo_matrix
FITS = {
    "online": (unsupervised, {"prior": PRIOR, "max_iter": 1}, None),
    "classifier": (classifier, {"prior": PRIOR, "nu": 1e-3}, Y),
    "regressor": (regressor, {"prior": PRIOR, "nu": 1e-3}, heights(X)),
}
SIZES = {"batch_size": 32, "shard": 16}


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def mixed(array, rows, formats=FORMATS):
    """Dask array whose blocks of some rows have formats in turn; a dense one is the first."""
    starts = range(0, len(array), rows)
    parts = [blocks(array[i : i + rows], -1) for i in starts]
    parts = [
        part.map_blocks(formats[(i + 1) % len(formats)], dtype=array.dtype, meta=array[:0])
        for i, part in enumerate(parts)
    ]
    return da.concatenate(parts)


@pytest.mark.parametrize("certificate", [False, True])
@pytest.mark.parametrize("output", ["dense", "sparse"])
def test_each_block_is_coded_in_its_format(certificate, output):
    options = {"certificate": certificate, "output": output}
    found = parallel.encode(mixed(X, 20), D, prior=PRIOR, **options)
    code = (found.code if certificate else found).compute()
    parts = [X[i : i + 20] for i in range(0, N, 20)]
    parts = [sparse.csr_matrix(part) if i % 5 else part for i, part in enumerate(parts)]
    assert_bits(code, np.concatenate([encode(part, D, prior=PRIOR).code for part in parts]))


def test_blocks_of_columns_and_samples_may_have_several_formats():
    half = M // 2
    lazy = da.concatenate([mixed(X[:, :half], 40), mixed(X[:, half:], 40, FORMATS[::-1])], axis=1)
    found = parallel.encode(lazy, D)
    np.testing.assert_allclose(found.compute(), encode(X, D).code, atol=1e-12)


@pytest.mark.parametrize("name", FITS)
def test_shards_of_dense_and_sparse_rows_are_dense(name):
    make, params, y = FITS[name]
    expected = parallel.fit(make(**params), X, y, **SIZES)
    for rows in (8, 5):  # each shard has dense rows, and others
        found = parallel.fit(make(**params), mixed(X, rows, FORMATS[:2]), y, **SIZES)
        assert_bits(found.components_, expected.components_)
    found = parallel.fit(make(**params), mixed(X, 20), y, **SIZES)
    np.testing.assert_allclose(found.components_, expected.components_, atol=1e-9)
    method = parallel.transform if name == "online" else parallel.predict
    results = [method(found, lazy).compute() for lazy in (mixed(X, 20), blocks(X, 20))]
    np.testing.assert_allclose(*results, atol=1e-9)


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("csr", [False, True])
def test_rows_of_the_sample_are_named_with_their_block(name, number, csr, monkeypatch):
    monkeypatch.setattr(_plan, "SAMPLE", 64)
    make, params, y = FITS[name]
    bad, rows = X.copy(), _plan.rows_in(_plan.sample_ranges(N, 64))
    bad[[rows[45], rows[50]], 5] = number
    place = rf"^in block 1, which begins at row 100: row {rows[45]} of X alone: .*X"
    with pytest.raises(ValueError, match=place):
        parallel.fit(make(**params), blocks(bad, (100, 60), csr=csr), y, **SIZES)


def test_rows_that_are_no_distributions_are_named_with_their_block():
    bad = X / X.sum(axis=1, keepdims=True)
    bad[[120, 121]] *= 2
    model = unsupervised(transfer="softmax", prior="kl")
    with pytest.raises(ValueError, match=r"row 100: row 120 of X alone: .*row 0 sums to 2"):
        parallel.fit(model, blocks(bad, (100, 60)), **SIZES)
