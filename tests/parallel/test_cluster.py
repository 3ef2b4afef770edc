"""Two processes: the bits of one, lost workers, warnings, searches, and more data than memory."""

import os
import re
import signal
import time
import warnings
from contextlib import ExitStack
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
from skdict_sup.parallel import _cluster, _plan, _rounds

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
    # old versions of Dask give this beside a client
    pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def processes():
    """A client of two processes of one thread, which restart where they are lost."""
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        # workers are paused from 80 % of their limit on, which compilation alone may take
        dask.config.set(
            {f"distributed.worker.memory.{act}": False for act in ("terminate", "pause")}
        ),
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


def fails_once(block, folder, row, fail):
    """A block that fails when it is first computed."""
    place = os.path.join(folder, "failed")
    if block[0, 0] == row and not os.path.exists(place):
        with open(place, "w"):
            fail()
    return block


def lose_worker():
    os._exit(1)


def raise_error():
    raise OSError("the storage does not answer")


def failing(folder, fail):
    """Signals in blocks, of which the last one fails once; the second round needs it."""
    marked = X.copy()
    marked[130, 0] = 7.0
    lazy = blocks(marked, (50, 50, 30, 30))
    return lazy, lazy.map_blocks(fails_once, str(folder), 7.0, fail, dtype=float, meta=X[:0])


@pytest.mark.parametrize("name", MAKERS)
def test_a_lost_worker_changes_no_bit(cluster, name, tmp_path):
    lazy, lost = failing(tmp_path, lose_worker)
    found = fit(name, lost)
    assert (tmp_path / "failed").exists()
    assert_same(found, alone(fit, name, lazy))


def test_failed_tasks_are_repeated(cluster, tmp_path):
    lazy, broken = failing(tmp_path, raise_error)
    with dask.annotate(retries=1):
        found = fit("classifier", broken)
    assert (tmp_path / "failed").exists()
    assert_same(found, alone(fit, "classifier", lazy))


MANY = np.abs(np.random.default_rng(1).standard_normal((18_000, 16)))
LABELS = (MANY[:, 0] > MANY[:, 1]).astype(int)
CHUNKS = 1000, 2048, 5000, 16_384


def learned(rows, *, persisted=False):
    """Estimators of both kinds, fitted to the same rows in chunks of some size."""
    lazy, atoms = da.from_array(MANY, chunks=(rows, 16)), MANY[:6]
    lazy = lazy.persist() if persisted else lazy
    labels = da.from_array(LABELS, chunks=-1)
    online = unsupervised(prior=PRIOR, init=atoms, max_iter=2, tol=0)
    labelled = classifier(nu=1e-3, init=atoms, init_max_iter=0, max_iter=1, dropout=0.1)
    sizes = {"batch_size": 16_384, "shard": 2048}
    return (
        parallel.fit(online, lazy, **sizes),
        parallel.fit(labelled, lazy, labels, **sizes),
    )


@pytest.fixture(scope="module")
def expected():
    with dask.config.set(scheduler="synchronous"):
        return learned(len(MANY))


@pytest.mark.parametrize("workers", ["one", "two", "after_a_loss"])
def test_learning_does_not_depend_on_chunks_or_workers(cluster, workers, expected, monkeypatch):
    if workers == "two":  # the state comes to the client after each round
        monkeypatch.setattr(_rounds, "_LINEAGE", 1)
    with ExitStack() as context:
        if workers == "one":
            one = {"n_workers": 1, "threads_per_worker": 1, "processes": False}
            local = context.enter_context(LocalCluster(**one, dashboard_address=":0"))
            context.enter_context(context.enter_context(Client(local)).as_current())
        elif workers == "after_a_loss":
            cluster.run(lose_worker, workers=[min(cluster.nthreads())], on_error="ignore")
        for rows in CHUNKS:
            models = learned(rows, persisted=workers == "two" and rows == 5000)
            for found, whole in zip(models, expected, strict=True):
                assert_same(found, whole)


def test_tasks_run_where_their_blocks_are(cluster):
    lazy, seen = blocks(X, (16,) * 10), []

    def watch(*arguments):
        seen.append(arguments[1])
        return submit(*arguments)

    with pytest.MonkeyPatch.context() as patched:
        submit = _cluster.load
        patched.setattr(_cluster, "load", watch)
        fit("online", lazy)
    homes = [home for homes in seen for home in homes]
    assert set(homes) == set(cluster.nthreads())  # both workers load blocks


def test_all_machines_compile_once(cluster, monkeypatch):
    found = parallel.warm_up([])
    assert list(found.values()) == [0.0]
    with pytest.raises(ValueError, match="dtypes must be one of"):
        parallel.warm_up("int8")


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


@pytest.mark.parametrize("name", MAKERS)
def test_errors_of_rounds_reach_the_client(cluster, name, monkeypatch):
    monkeypatch.setattr(_plan, "SAMPLE", 64)
    bad = X.copy()
    bad[130, 5] = np.nan
    with pytest.raises(ValueError, match=r"^in the shard that begins at row 128: .*X "):
        fit(name, blocks(bad, (100, 60)))


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
    """Wide signals of some row numbers, which are quick to make."""
    start = np.arange(width, dtype=np.float32) / width
    return start + (numbers % 7).astype(np.float32)


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
    used = (parallel.encode(lazy, atoms, prior=PRIOR) != 0).sum().compute()
    assert 0 < used <= 4 * n
    model = unsupervised(n_components=4, prior=PRIOR, max_iter=1)
    parallel.fit(model, lazy[: n // 2], batch_size=8192)
    assert model.n_seen_ == n // 2
    peaks = cluster.run(peak)
    assert max(peaks.values()) < LIMIT, peaks


def test_processes_that_are_lost_at_once_change_no_bit(cluster, monkeypatch):
    monkeypatch.setattr(_cluster, "_PATIENCE", 0.5)
    done, lost = _rounds.Done, []

    def lose(number, *others):
        if number == 1 and not lost:
            lost.extend(cluster.run(os.getpid).values())
            for process in lost:
                os.kill(process, signal.SIGKILL)
        return done(number, *others)

    monkeypatch.setattr(_rounds, "Done", lose)
    with pytest.warns(UserWarning, match="All 2 workers of the cluster were lost"):
        found = fit("online", blocks(X, 50))
    assert_same(found, alone(fit, "online", blocks(X, 50)))
