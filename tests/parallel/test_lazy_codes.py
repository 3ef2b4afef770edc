"""Lazy codes: the bits of `encode` for any blocks, and nothing is computed before it must be."""

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lazy import Counted, assert_bits, blocks, of_unknown_sizes, parts
from learners import digits
from problems import unit_atoms
from scipy.sparse import csr_matrix

from skdict_sup import KL, ElasticNet, encode, parallel
from skdict_sup.coding import make_problem
from skdict_sup.parallel import _plan

X = digits(40)[0]
N, M, P = *X.shape, 7
D = unit_atoms(np.random.default_rng(0), P, M)
PRIOR = ElasticNet(lam=0.3, lam2=0.01)
COUNTS = X / X.sum(axis=1, keepdims=True)
OBSERVED = np.random.default_rng(1).random(X.shape) > 0.3
BOUNDS = 0.7 * np.linalg.norm(X, axis=1)
TASKS = {
    "elastic_net": {"prior": PRIOR},
    "per_atom": {"prior": ElasticNet(lam=np.linspace(0.1, 0.5, P))},
    "kl": {"prior": KL(lam=0.1)},
    "auto": {},
    "descent": {"prior": PRIOR, "solver": "coordinate_descent", "tol": 1e-6},
    "max_nonzeros": {"max_nonzeros": 2},
    "omp": {"max_nonzeros": 2, "solver": "omp"},
    "max_residual": {"max_residual": 2.5},
    "bounds": {"max_residual": BOUNDS},
    "mask": {"prior": PRIOR, "mask": OBSERVED},
    "auto_mask": {"mask": OBSERVED},
    "entry_weight": {"prior": PRIOR, "entry_weight": OBSERVED + 0.5},
}
every_task = pytest.mark.parametrize("task", TASKS)
pytestmark = pytest.mark.filterwarnings("ignore:max_residual is below the residual")


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def lazily(options, rows):
    """Options with arrays of the rows as dask arrays, in other blocks than the signals."""
    turned = rows[::-1]
    return {k: blocks(v, turned) if np.shape(v)[:1] == (N,) else v for k, v in options.items()}


def assert_same_solution(lazy, expected):
    assert lazy.arrays().keys() == expected.arrays().keys()
    computed = dask.compute(lazy.arrays())[0]
    for name, array in expected.arrays().items():
        assert_bits(computed[name], array, name)


@every_task
@settings(max_examples=4)
@given(rows=parts(N), columns=parts(M, empty=False), csr=st.booleans(), wide=st.booleans())
def test_codes_have_the_bits_of_those_in_memory(task, rows, columns, csr, wide):
    signals = X.astype(np.float64 if wide else np.float32)
    here = csr_matrix(signals) if csr else signals
    expected = encode(here, D, **TASKS[task])
    lazy = blocks(signals, rows, columns, csr=csr)
    found = parallel.encode(lazy, D, **lazily(TASKS[task], rows))
    assert found.chunks == (rows, (P,))
    assert found.dtype == found._meta.dtype == signals.dtype
    assert_bits(found.compute(), expected.code)


@every_task
@pytest.mark.parametrize("rows", [(N,), (0, 1, 20, 0, 18, 1)], ids=["one", "six"])
def test_certificates_are_lazy_fields(task, rows):
    options = lazily(TASKS[task], rows)
    lazy = parallel.encode(blocks(X, rows), D, certificate=True, **options)
    assert_same_solution(lazy, encode(X, D, **TASKS[task]))
    assert "lazy" in repr(lazy)


@pytest.mark.parametrize("output", ["dense", "sparse"])
def test_nonzeros_are_counted_block_by_block(output):
    lazy = parallel.encode(
        blocks(X, (13, 27)), D, prior=PRIOR, output=output, certificate=True
    ).nonzeros
    assert lazy.chunks == ((13, 27),)
    assert lazy.dtype == np.int64
    np.testing.assert_array_equal(lazy.compute(), encode(X, D, prior=PRIOR).nonzeros)


@pytest.mark.parametrize("task", [name for name in TASKS if not name.startswith("auto")])
def test_blocks_may_have_unknown_sizes(task):
    rows = (13, 0, 26, 1)
    options = {
        name: of_unknown_sizes(value, rows) if np.shape(value)[:1] == (N,) else value
        for name, value in TASKS[task].items()
    }
    lazy = parallel.encode(of_unknown_sizes(X, rows), D, certificate=True, **options)
    assert np.isnan(lazy.code.shape[0])
    assert_same_solution(lazy, encode(X, D, **TASKS[task]))


def test_masks_in_blocks_of_columns_go_with_unknown_rows():
    keep = da.from_array(X[:, 20] > 0.2, chunks=13)
    lazy = blocks(X, (13, 13, 14), (30, 34)).rechunk((13, -1))[keep]
    mask = blocks(OBSERVED, (13, 13, 14), (30, 34)).rechunk((13, 30))[keep]
    kept = X[:, 20] > 0.2
    expected = encode(X[kept], D, prior=PRIOR, mask=OBSERVED[kept]).code
    assert_bits(parallel.encode(lazy, D, prior=PRIOR, mask=mask).compute(), expected)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, bool, np.float16])
def test_other_numbers_are_read_as_float64(kind):
    signals = (16 * X).astype(kind)
    found = parallel.encode(blocks(signals, (30, 10)), D, prior=PRIOR)
    assert found.dtype == np.float64
    assert_bits(found.compute(), encode(signals.astype(float), D, prior=PRIOR).code)


@settings(max_examples=6)
@given(rows=parts(N), csr=st.booleans())
def test_codes_may_be_sparse(rows, csr):
    found = parallel.encode(blocks(X, rows, csr=csr), D, prior=PRIOR, output="sparse")
    assert isinstance(found._meta, csr_matrix)
    code = found.compute()
    assert isinstance(code, csr_matrix)
    assert_bits(code, encode(X, D, prior=PRIOR).code)


@pytest.mark.parametrize("prior", [KL(lam=0.05), ElasticNet(lam=0.02, lam2=0.01), "kl"])
@pytest.mark.parametrize("csr", [False, True])
def test_distributions_are_coded(prior, csr):
    lazy = blocks(COUNTS, (7, 0, 33), csr=csr)
    found = parallel.encode(lazy, D, prior=prior, transfer="softmax", certificate=True)
    assert_same_solution(found, encode(COUNTS, D, prior=prior, transfer="softmax"))


def test_files_are_read_block_by_block(tmp_path):
    np.save(tmp_path / "signals.npy", X)
    mapped = np.load(tmp_path / "signals.npy", mmap_mode="r")
    with dask.config.set({"array.chunk-size": "4 kiB"}):
        found = parallel.encode(mapped, D, prior=PRIOR)
    assert found.numblocks[0] > 1
    assert_bits(found.compute(), encode(X, D, prior=PRIOR).code)


def test_signals_without_rows_have_no_codes():
    empty = blocks(X, (N,))[:0]
    found = parallel.encode(empty, D, prior=PRIOR, certificate=True)
    shapes = {name: array.shape for name, array in dask.compute(found.arrays())[0].items()}
    expected = encode(X, D, prior=PRIOR).arrays()
    assert shapes == {name: (0, *array.shape[1:]) for name, array in expected.items()}


@pytest.mark.parametrize("certificate", [False, True])
def test_building_computes_nothing(certificate):
    signals = Counted(X, (10, 10, 20))
    found = parallel.encode(signals.array, D, prior=PRIOR, certificate=certificate)
    repr(found)
    assert not signals.seen
    (found.code if certificate else found)[:10].compute()
    assert signals.seen == [0]


def test_auto_is_resolved_on_a_sample_of_rows(monkeypatch):
    monkeypatch.setattr(_plan, "FEW", 64)
    many = np.tile(X, (16, 1)) * np.linspace(1, 2, 16 * N)[:, None]
    signals = Counted(many, (40,) * 16)
    parallel.encode(signals.array, D)
    assert len(set(signals.seen)) == 16  # runs of one row, in all blocks
    signals = Counted(X, (10, 10, 20))
    parallel.encode(signals.array, D, max_nonzeros=2)
    assert not signals.seen


def test_auto_is_resolved_on_the_first_rows_of_blocks_of_unknown_sizes(monkeypatch):
    monkeypatch.setattr(_plan, "FEW", 5)
    lazy = blocks(np.concatenate([np.full((9, M), -1.0), X]), (9, 10, 10, 20))
    lazy = lazy[lazy.sum(axis=1) > 0]
    prior = make_problem(X[:5], D, ElasticNet(), "linear")[1].prior
    assert_bits(parallel.encode(lazy, D).compute(), encode(X, D, prior=prior).code)


def test_fields_of_a_solution_share_their_codes():
    signals = Counted(X, (10, 30))
    solution = parallel.encode(signals.array, D, prior=PRIOR, certificate=True)
    dask.compute(solution.code, solution.duality_gap, solution.converged)
    assert sorted(signals.seen) == [0, 1]
