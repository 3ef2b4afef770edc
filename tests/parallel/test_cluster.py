"""Two processes: the bits of one, lost workers, warnings, searches, and more data than memory."""

import os
import re
import time
import warnings
from pathlib import Path

import dask
import dask.array as da
import joblib
import numpy as np
import pytest
from distributed import Client, LocalCluster
from lazy import assert_bits, blocks
from learners import classifier, digits, unsupervised
from problems import unit_atoms
from sklearn.model_selection import GridSearchCV

from skdict_sup import ElasticNet, parallel

X, Y = digits()
N, M = X.shape
D = unit_atoms(np.random.default_rng(0), 6, M)
PRIOR = ElasticNet(lam=0.3, lam2=0.01)
SIZES = {"batch_size": 64, "shard": 16}
MAKERS = {
    "online": (unsupervised, {"prior": PRIOR, "tol": 0}, None),
    "classifier": (classifier, {"dropout": 0.2, "nu": 1e-3}, Y),
}
LIMIT = 500_000_000
pytestmark = [
    pytest.mark.filterwarnings("ignore:batch_size=.* gives 2 threads of the cluster"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def processes():
    """A client of two processes of one thread, which restart where they are lost."""
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        dask.config.set({"distributed.worker.memory.terminate": False}),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        with LocalCluster(memory_limit=LIMIT, **options) as made, Client(made) as client:
            yield client


@pytest.fixture
def cluster(processes):
    """The client, once both processes are there again."""
    processes.wait_for_workers(2)
    return processes


def alone(call, *args, **kwargs):
    """Result of a call by this thread, without the cluster."""
    with dask.config.set(scheduler="synchronous"):
        return dask.compute(call(*args, **kwargs))[0]


def fit(name, lazy, **options):
    make, params, y = MAKERS[name]
    return parallel.fit(make(**params), lazy, y, **SIZES, **options)


def assert_same(found, expected):
    for name in ("components_", "coef_", "intercept_", "objective_curve_", "loss_curve_"):
        if hasattr(expected, name):
            assert_bits(getattr(found, name), getattr(expected, name), name)


@pytest.mark.parametrize("csr", [False, True])
def test_codes_have_the_bits_of_one_process(cluster, csr):
    lazy = blocks(X, (33, 0, 90, 37), csr=csr)
    solution = parallel.encode(lazy, D, prior=PRIOR, output="sparse", certificate=True)
    code, gap = cluster.compute([solution.code, solution.duality_gap], sync=True)
    expected = alone(lambda: solution.arrays())
    assert_bits(code, expected["code"])
    assert_bits(gap, expected["duality_gap"])


@pytest.mark.parametrize("name", MAKERS)
def test_fits_have_the_bits_of_one_process(cluster, name):
    lazy = blocks(X, (33, 0, 90, 37))
    found = fit(name, lazy)
    assert_same(found, alone(fit, name, lazy))
    method = parallel.predict if name == "classifier" else parallel.transform
    assert_bits(method(found, lazy).compute(), alone(method, found, lazy))


def lost_once(block, folder, row):
    """A block whose worker is lost when it is first computed."""
    place = os.path.join(folder, "lost")
    if block[0, 0] == row and not os.path.exists(place):
        with open(place, "w"):
            os._exit(1)
    return block


@pytest.mark.parametrize("name", MAKERS)
def test_a_lost_worker_changes_no_bit(cluster, name, tmp_path):
    marked = X.copy()
    marked[130, 0] = 7.0  # in the last block, which the second round needs
    lazy = blocks(marked, (50, 50, 30, 30))
    failing = lazy.map_blocks(lost_once, str(tmp_path), 7.0, dtype=float, meta=X[:0])
    found = fit(name, failing)
    assert (tmp_path / "lost").exists()
    assert_same(found, alone(fit, name, lazy))


def compute_and_wait(lazy, found):
    """Compute, and wait for a warning, which comes on its own way."""
    lazy.compute()
    for _ in range(100):
        if found:
            return
        time.sleep(0.05)


def test_warnings_reach_the_client(cluster):
    lazy = parallel.encode(blocks(X, (80, 80)), D, max_residual=1e-3)
    with pytest.warns(UserWarning, match="max_residual is below") as found:
        compute_and_wait(lazy, found)


def test_errors_reach_the_client(cluster):
    bad = X.copy()
    bad[100] = np.nan
    with pytest.raises(ValueError, match=r"^in block 1, which begins at row 80: X must be finite"):
        parallel.encode(blocks(bad, (80, 80)), D, prior=PRIOR).compute()


def test_small_batches_are_warned_about(cluster):
    with pytest.warns(UserWarning, match=r"batch_size=16 gives 2 threads .* batch_size=\d+ or"):
        parallel.fit(unsupervised(prior=PRIOR, max_iter=1), blocks(X, (80, 80)), batch_size=16)


def test_a_search_runs_on_the_workers(cluster):
    search = GridSearchCV(classifier(max_iter=1), {"nu": [1e-3, 1e-1]}, cv=2, n_jobs=2)
    with joblib.parallel_backend("dask", scatter=[X, Y]):
        search.fit(X, Y)
    expected = GridSearchCV(classifier(max_iter=1), {"nu": [1e-3, 1e-1]}, cv=2).fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, expected.cv_results_["mean_test_score"])


def rows_of(numbers, width):
    """Wide signals of some row numbers."""
    return np.cos(numbers.astype(np.float32) * np.arange(1, width + 1, dtype=np.float32) / width)


def peak():
    """Largest resident memory of a process so far, in bytes."""
    # that of getrusage begins with the memory of the process that made this one
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read memory from")
def test_more_data_than_memory_is_coded_and_learned_from(cluster):
    width, n = 1024, 2 * LIMIT // 4096
    numbers = da.arange(n, chunks=4096)[:, None]
    lazy = numbers.map_blocks(
        rows_of,
        width,
        chunks=(numbers.chunks[0], (width,)),
        dtype=np.float32,
        meta=np.zeros((0, 0), np.float32),
    )
    assert lazy.nbytes > 1.9 * LIMIT
    atoms = unit_atoms(np.random.default_rng(0), 4, width)
    solution = parallel.encode(lazy, atoms, prior=PRIOR, certificate=True)
    used, converged = dask.compute((solution.code != 0).sum(), solution.converged.all())
    assert converged
    assert 0 < used < 4 * n
    model = unsupervised(n_components=4, prior=PRIOR, max_iter=1)
    parallel.fit(model, lazy[: n // 2], batch_size=8192)
    assert model.n_seen_ == n // 2
    peaks = cluster.run(peak)
    assert max(peaks.values()) < LIMIT, peaks
