"""Learning without labels from dask arrays: the bits of `partial_fit`, for any blocks."""

import pickle

import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lazy import assert_bits, blocks, parts
from learners import digits, unsupervised
from scipy.sparse import csr_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skdict_sup import KL, ElasticNet, parallel
from skdict_sup._validation import ConvergenceWarning, warn
from skdict_sup.dictionary import _stream
from skdict_sup.parallel import _plan

X = digits()[0]
N, M = X.shape
PRIOR = ElasticNet(lam=0.3, lam2=0.01)
COUNTS = X / X.sum(axis=1, keepdims=True)
GAPS = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
LEARNED = "components_", "n_seen_", "n_revived_", "objective_curve_", "n_iter_"
KINDS = {
    "plain": ({}, X),
    "whole_numbers": ({}, (16 * X).astype(np.uint8)),
    "float32": ({}, X.astype(np.float32)),
    "auto": ({"prior": "elastic_net"}, X),
    "positive": ({"positive_dictionary": True, "prior": ElasticNet(lam=0.3, positive=True)}, X),
    "kl": ({"prior": KL(lam=0.1)}, X),
    "gaps": ({"allow_nan": True}, GAPS),
    "max_nonzeros": ({"max_nonzeros": 2, "prior": "elastic_net"}, X),
    "max_residual": ({"max_residual": 2.0, "prior": "elastic_net"}, X),
    "greedy": ({"max_nonzeros": 2, "solver": "omp", "prior": "elastic_net"}, X),
    "softmax": ({"transfer": "softmax", "prior": KL(lam=0.01)}, COUNTS),
    "forgetful": ({"forgetting": 0.0}, X),
    "given": ({"init": X[:6] + 0.01}, X),
}


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def model(**params):
    return unsupervised(**{"prior": PRIOR, "max_iter": 1, "tol": 0} | params)


def streamed(estimator, signals, size):
    """Estimator after one pass of `partial_fit`, with shards of some size."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_stream, "SHARD", size)
        return estimator.partial_fit(signals)


def assert_same(found, expected, *, curve=True):
    for name in LEARNED if curve else LEARNED[:3]:
        assert_bits(getattr(found, name), getattr(expected, name), name)
    for one, other in zip(leaves(found._training), leaves(expected._training), strict=True):
        assert_bits(one, other)


def leaves(state):
    """Arrays of a state of learning, and of the records within."""
    values = [vars(state)[name] for name in sorted(vars(state))]
    nested = [leaves(v) if hasattr(v, "__dict__") else [v] for v in values]
    return [leaf for part in nested for leaf in part]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=3)
@given(rows=parts(N), batch=st.sampled_from([16, 50, N, 1000]), shard=st.sampled_from([7, 2048]))
def test_a_pass_has_the_bits_of_partial_fit(kind, rows, batch, shard):
    params, signals = KINDS[kind]
    columns = (M // 2, M - M // 2)
    lazy = blocks(signals, rows, columns)
    found = parallel.fit(model(**params), lazy, batch_size=batch, shard=shard)
    expected = streamed(model(batch_size=batch, **params), signals, shard)
    assert found.components_.dtype == expected.components_.dtype
    assert_same(found, expected, curve=False)
    np.testing.assert_allclose(found.objective_curve_, expected.objective_curve_, rtol=1e-6)


@given(rows=parts(N), shard=st.sampled_from([10, 33]))
@settings(max_examples=3)
def test_sparse_blocks_have_the_bits_of_sparse_signals(rows, shard):
    lazy = blocks(X, rows, csr=True)
    found = parallel.fit(model(), lazy, batch_size=48, shard=shard)
    assert_same(found, streamed(model(batch_size=48), csr_matrix(X), shard), curve=False)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch", [40, 48])
@pytest.mark.parametrize("name", ["plain", "softmax"])
def test_passes_do_not_depend_on_blocks_or_threads(shuffle, batch, name):
    params, signals = KINDS[name]
    estimators = []
    for rows, scheduler in (((N,), "synchronous"), ((33, 0, 90, 37), "threads")):
        with dask.config.set(scheduler=scheduler):
            lazy = blocks(signals, rows)
            fitted = model(shuffle=shuffle, max_iter=3, **params)
            estimators.append(parallel.fit(fitted, lazy, batch_size=batch, shard=10))
    assert_same(*estimators)
    assert estimators[0].n_iter_ == 3
    assert estimators[0].n_seen_ == 3 * N
    if not shuffle:
        alone = model(batch_size=batch, **params)
        for _ in range(3):
            streamed(alone, signals, 10)
        assert_same(estimators[0], alone, curve=False)


def test_objectives_become_smaller_until_tol():
    lazy = blocks(X, (50, 110))
    found = parallel.fit(model(max_iter=50, tol=0.02), lazy, batch_size=32, shard=16)
    curve = np.array(found.objective_curve_)
    assert 2 < found.n_iter_ < 50
    falls = -np.diff(curve) / curve[:-1]
    assert falls[:-1].min() >= 0.02 > falls[-1]


def test_the_result_is_an_ordinary_estimator():
    lazy = blocks(X, (50, 110))
    found = parallel.fit(model(), lazy, batch_size=64, shard=16)
    assert isinstance(found, type(model()))
    assert_bits(pickle.loads(pickle.dumps(found)).transform(X), found.transform(X))
    before = found.components_
    found.partial_fit(X)
    assert found.n_seen_ == 2 * N
    assert np.abs(found.components_ - before).max() > 0
    assert found.batch_size == 64
    assert found.get_params()["n_jobs"] is None


def test_arrays_in_memory_and_on_disk_are_read(tmp_path):
    np.save(tmp_path / "signals.npy", X)
    mapped = np.load(tmp_path / "signals.npy", mmap_mode="r")
    expected = parallel.fit(model(), blocks(X, (N,)), batch_size=64)
    for signals in (X, mapped):
        assert_same(parallel.fit(model(), signals, batch_size=64), expected)


def test_atoms_begin_from_a_sample_of_rows(monkeypatch):
    monkeypatch.setattr(_plan, "SAMPLE", 64)
    found = [
        parallel.fit(model(), blocks(X, rows), batch_size=64, shard=16)
        for rows in ((N,), (1, 100, 59))
    ]
    assert_same(*found)


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        (blocks(X, (N,))[:0], r"X must have at least one row to be learned from.*\(0, 64\)"),
        (blocks(X, (80, 80))[blocks(X, (80, 80))[:, 20] > 0], r"call X\.compute_chunk_sizes\(\)"),
        (blocks(X - 1, (N,)), "transfer"),
    ],
    ids=["empty", "unknown", "negative"],
)
def test_signals_are_refused_before_the_fit(signals, message):
    estimator = model(transfer="softmax") if "transfer" in message else model()
    with pytest.raises(ValueError, match=message):
        parallel.fit(estimator, signals)
    assert not hasattr(estimator, "components_")


def test_errors_name_the_shard_and_leave_the_estimator_as_it_was(monkeypatch):
    monkeypatch.setattr(_plan, "SAMPLE", 64)
    bad = X.copy()
    bad[130, 5] = np.nan
    estimator = parallel.fit(model(), blocks(X, (N,)), batch_size=32, shard=16)
    before = dict(vars(estimator))
    with pytest.raises(ValueError, match=r"^in the shard that begins at row 128: X .*in row 2"):
        parallel.fit(estimator, blocks(bad, (100, 60)), batch_size=32, shard=16)
    assert vars(estimator) == before


@pytest.mark.parametrize(
    ("params", "kind", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be an integer >= 1 or None, got 0"),
        ({"shard": 0}, ValueError, "shard must be an integer >= 1, got 0"),
        ({"shard": 1.5}, TypeError, "shard must be an integer"),
        ({"checkpoint_every": 0}, ValueError, "checkpoint_every must be an integer >= 1"),
        ({"checkpoint": 3}, TypeError, "checkpoint must be a path or None, got 3"),
        ({"sample_weight": np.ones(N)}, ValueError, "sample_weight must be None .* OnlineDictio"),
        ({"classes": [0, 1]}, ValueError, "classes must be None for OnlineDictionaryLearning"),
    ],
)
def test_settings_are_refused(params, kind, message):
    with pytest.raises(kind, match=message):
        parallel.fit(model(), blocks(X, (N,)), **params)


def test_estimators_of_other_kinds_are_refused():
    with pytest.raises(TypeError, match=r"OnlineDictionaryLearning or a supervised .*got KL"):
        parallel.fit(KL(lam=0.1), blocks(X, (N,)))


def test_pipelines_are_refused_with_the_cure():
    with pytest.raises(TypeError, match=r"got Pipeline: .*parallel\.transform\(pipeline\[:-1\]"):
        parallel.fit(make_pipeline(Normalizer(), model()), blocks(X, (N,)))


def test_parameters_of_the_estimator_are_checked():
    with pytest.raises(ValueError, match="forgetting must be"):
        parallel.fit(model(forgetting=-1.0), blocks(X, (N,)))


def test_default_batches_are_of_eight_shards():
    found = parallel.fit(model(batch_size=30), blocks(X, (N,)), shard=10)
    assert_same(found, parallel.fit(model(), blocks(X, (N,)), batch_size=80, shard=10))
    found = parallel.fit(model(batch_size=90), blocks(X, (N,)), shard=10)
    assert_same(found, parallel.fit(model(), blocks(X, (N,)), batch_size=90, shard=10))


def test_progress_is_printed(capsys):
    parallel.fit(model(verbose=2), blocks(X, (N,)), batch_size=80)
    out = capsys.readouterr().out
    assert "batch 2/2: objective" in out
    assert "pass 1/1: objective" in out


def test_warnings_of_shards_are_issued_by_the_caller(monkeypatch):
    coded = _stream.code

    def noisy(*args):
        warn("3 codes have not converged", ConvergenceWarning)
        return coded(*args)

    monkeypatch.setattr(_stream, "code", noisy)
    with pytest.warns(ConvergenceWarning, match="3 codes") as found:
        parallel.fit(model(), blocks(X, (80, 80)), batch_size=N, shard=16)
    assert len(found) == 1
