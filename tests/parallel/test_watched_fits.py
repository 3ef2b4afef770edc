"""scikit-learn's callbacks see the passes and mini-batches of fits from dask arrays."""

import pickle
from threading import Lock

import dask
import pytest
from lazy import assert_bits, blocks
from learners import classifier, digits
from watching import Watch

from skdict_sup import parallel
from skdict_sup.parallel import _blocks
from skdict_sup.parallel import supervised as learning

pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")
X, Y = digits()
SIZES = {"batch_size": 64, "shard": 32}  # three mini-batches


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def fit(*callbacks, **options):
    model = classifier(nu=1e-3, max_iter=3).set_callbacks(*callbacks)
    return parallel.fit(model, blocks(X, (100, 60)), Y, **SIZES, **options)


def test_a_callback_sees_passes_and_mini_batches():
    watch = Watch()
    fitted = fit(watch)
    batch = [("begin", "batch"), ("end", "batch")]
    epoch = [("begin", "epoch"), *3 * batch, ("end", "epoch")]
    assert watch.events == ["setup", ("begin", "fit"), *3 * epoch, ("end", "fit"), "teardown"]
    assert watch.scores[-1] == fitted.score(X, Y)
    assert watch.scores[4] == watch.scores[3]  # within a pass, it sees the last whole one
    assert_bits(fitted.components_, fit().components_)


@pytest.mark.parametrize(("task", "number", "n_steps"), [("epoch", 2, 6), ("batch", 2, 2)])
def test_a_callback_may_stop_a_fit(task, number, n_steps, tmp_path):
    found = fit(Watch(number, task), checkpoint=tmp_path)
    assert found._training.state.moments["dictionary"].n_steps == n_steps
    assert found.n_iter_ == (n_steps + 2) // 3
    assert found._training.finished


def test_tasks_do_not_contain_callbacks(monkeypatch):
    sizes, measure, watch = [], learning.measure_shard, Watch()
    watch.lock = Lock()  # which cannot be pickled

    def pickled(pieces, ranges, seed, shared, constants):
        sizes.append(len(pickle.dumps(constants)))
        return measure(pieces, ranges, seed, shared, constants)

    monkeypatch.setattr(learning, "measure_shard", pickled)
    fitted = fit(watch)
    assert max(sizes) < 8000
    pickle.dumps(_blocks.without_training(fitted))


def test_a_failed_fit_is_torn_down():
    watch = Watch()
    with pytest.raises(ValueError, match="Negative values"):
        fit(watch, sample_weight=-(1.0 + Y))
    assert watch.events[-1] == "teardown"
