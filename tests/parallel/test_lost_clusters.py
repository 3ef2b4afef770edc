"""Fits that stop, or lose all workers at once: they go on with the bits of a whole fit."""

import gc
import time

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster, Worker, futures_of, wait
from lazy import assert_bits, blocks
from learners import classifier, digits, unsupervised
from watching import Watch

from skdict_sup import ElasticNet, parallel
from skdict_sup.parallel import _cluster, _plan, _rounds

X, Y = digits()
PRIOR = ElasticNet(lam=0.3, lam2=0.01)
LEARNED = "components_", "coef_", "intercept_", "objective_curve_", "loss_curve_"
MAKERS = {
    "online": (unsupervised, {"prior": PRIOR, "tol": 0}, None),
    "classifier": (classifier, {"nu": 1e-3, "dropout": 0.2}, Y),
}
SIZES = {"batch_size": 32, "shard": 16}  # five rounds in a pass
LOST = r"All 1 workers of the cluster were lost; with new ones, parallel\.fit (repeats|goes on)"
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    # old versions of Dask give this beside a client
    pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler"),
]


@pytest.fixture(scope="module")
def local():
    """A cluster of workers within this process, which has none."""
    options = {"n_workers": 0, "processes": False, "dashboard_address": ":0"}
    with LocalCluster(**options) as made, Client(made):
        made.here = []
        yield made
        while made.here:
            made.sync(end_worker, made)


@pytest.fixture(autouse=True)
def _begin_with_a_worker(local, monkeypatch):
    if not local.here:
        local.sync(begin_worker, local)
    monkeypatch.setattr(_cluster, "_PATIENCE", 0.2)
    monkeypatch.setattr(_cluster, "_RETURN", 0.5)


async def begin_worker(local):
    local.here.append(await Worker(local.scheduler_address, nthreads=1, dashboard=False))


async def end_worker(local):
    await local.here.pop().close(executor_wait=False)


def lose(local, *, comes_back=True):
    """Close the worker of a cluster, whose results are not moved, and start another."""
    local.sync(end_worker, local)
    if comes_back:
        local.sync(begin_worker, local)


def fit(name, lazy, *, verbose=0, **options):
    make, params, y = MAKERS[name]
    return parallel.fit(make(**params, verbose=verbose), lazy, y, **SIZES, **options)


@pytest.fixture(scope="module")
def expected():
    with dask.config.set(scheduler="synchronous"):
        return {name: fit(name, blocks(X, 50)) for name in MAKERS}


def assert_same(found, expected):
    for name in LEARNED:
        if hasattr(expected, name):
            assert_bits(getattr(found, name), getattr(expected, name), name)


def before(monkeypatch, owner, name, numbers, action):
    """Call an action before some calls of a method, which are counted from one."""
    calls, method = [], getattr(owner, name)

    def called(*args):
        calls.append(1)
        if len(calls) in numbers:
            action()
        return method(*args)

    monkeypatch.setattr(owner, name, called)


@pytest.mark.parametrize(
    ("name", "method", "number", "lineage"),
    [
        ("online", "_receive", 3, 16),  # a round is on its way
        ("online", "_fetch_state", 2, 2),  # and none is, but a state is fetched
        ("online", "state", 1, 16),
        ("online", "_send", 3, 2),  # and the state is here, but blocks are loaded
        ("online", "_send", 6, 16),  # the same between two passes
        ("classifier", "_receive", 7, 2),
    ],
)
def test_rounds_are_repeated_by_new_workers(
    local, monkeypatch, expected, name, method, number, lineage
):
    monkeypatch.setattr(_rounds, "_LINEAGE", lineage)
    before(monkeypatch, _rounds.Rounds, method, [number], lambda: lose(local))
    with pytest.warns(UserWarning, match=LOST) as found:
        fitted = fit(name, blocks(X, 50))
    assert len(found) == 1
    assert_same(fitted, expected[name])


@pytest.mark.filterwarnings("ignore:All 1 workers")  # dask may be quicker to repeat what is lost
def test_blocks_that_were_persisted_are_computed_again(local, monkeypatch, expected):
    before(monkeypatch, _rounds.Rounds, "_receive", [3], lambda: lose(local))
    assert_same(fit("online", blocks(X, 50).persist()), expected["online"])


def test_no_round_is_sent_after_states_that_were_lost(local, monkeypatch, expected):
    # dask may wait without end for what only lost workers were to compute
    before(monkeypatch, _rounds.Rounds, "_send", [3], lambda: lose(local))
    with pytest.warns(UserWarning, match=LOST):
        fitted = fit("online", blocks(X, 50).persist())
    assert_same(fitted, expected["online"])


def test_a_fit_does_not_bind_the_tasks_of_others_to_its_workers(local, monkeypatch):
    # dask never runs such tasks again on a cluster that had no worker for a moment
    lazy, persisted = blocks(X, 50), []
    calls = iter([lambda: persisted.append(lazy.persist()), lambda: lose(local)])
    before(monkeypatch, _rounds.Rounds, "_receive", [3, 4], lambda: next(calls)())
    with pytest.warns(UserWarning, match=LOST):
        fit("online", lazy)
    wait(futures_of(persisted), timeout=10)
    np.testing.assert_array_equal(persisted[0].compute(), X)


def test_a_fit_ends_if_no_worker_comes_back(local, monkeypatch):
    before(monkeypatch, _rounds.Rounds, "_receive", [3], lambda: lose(local, comes_back=False))
    model = unsupervised(prior=PRIOR)
    with pytest.raises(RuntimeError, match=r"no worker has come back for 0.5 s\. Start workers"):
        parallel.fit(model, blocks(X, 50), **SIZES)
    assert not hasattr(model, "components_")


def test_a_fit_ends_if_workers_are_lost_again_and_again(local, monkeypatch):
    before(monkeypatch, _rounds.Rounds, "_receive", range(3, 99), lambda: lose(local))
    message = r"All 1 workers of the cluster were lost 3 times in batch 3: .* more memory"
    with pytest.warns(UserWarning, match=LOST), pytest.raises(RuntimeError, match=message):
        fit("online", blocks(X, 50))


def crash():
    raise OSError("the disk does not answer")


@pytest.mark.parametrize(("name", "number"), [("online", 5), ("classifier", 7)])
def test_a_fit_on_a_cluster_goes_on_from_its_checkpoint(
    local, monkeypatch, expected, name, number, tmp_path
):
    options = {"checkpoint": tmp_path, "checkpoint_every": 3}
    with pytest.MonkeyPatch.context() as patched:
        before(patched, _rounds.Rounds, "_receive", [number], crash)
        with pytest.raises(OSError, match="does not answer"):
            fit(name, blocks(X, 50), **options)
    before(monkeypatch, _rounds.Rounds, "_receive", [2], lambda: lose(local))
    with pytest.warns(UserWarning, match=LOST):
        found = fit(name, blocks(X, 70), **options)
    assert_same(found, expected[name])


def test_lines_of_batches_on_a_cluster_are_those_of_one_process(local, capsys):
    def said():
        fit("online", blocks(X, 50), verbose=2)
        return [line.rsplit(",", 1)[0] for line in capsys.readouterr().out.splitlines()]

    found = said()
    with dask.config.set(scheduler="synchronous"):
        assert found == said()
    assert any("batch 5/5: objective" in line for line in found)


def stop_by_an_error():
    bad = X.copy()
    bad[130, 5] = np.nan
    with pytest.raises(ValueError, match=r"^in the shard that begins at row 128"):
        fit("online", blocks(bad, 50))


def stop_by_a_callback():
    pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")
    model = classifier(nu=1e-3, max_iter=2).set_callbacks(Watch(2, "batch"))
    parallel.fit(model, blocks(X, 50), Y, **SIZES)


@pytest.mark.parametrize("stop", [stop_by_an_error, stop_by_a_callback])
def test_no_tasks_are_left_after_a_stop(local, stop, monkeypatch):
    monkeypatch.setattr(_plan, "SAMPLE", 64)
    stop()
    for _ in range(50):
        gc.collect()
        if not local.scheduler.tasks:
            break
        time.sleep(0.1)
    assert not local.scheduler.tasks
