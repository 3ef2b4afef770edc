"""Labels of which most are missing: fits begin from labelled rows of the whole data."""

import dask
import numpy as np
import pytest
from lazy import assert_bits, blocks
from learners import classifier, digits, heights, regressor

from skdict_sup import parallel
from skdict_sup.parallel import _plan
from skdict_sup.parallel import supervised as learning
from skdict_sup.parallel._source import Held
from skdict_sup.parallel._targets import Targets, labelled_rows, read_targets

X, Y = digits()
N = len(X)
LATE = np.where(np.arange(N) < 130, -1, Y)  # the runs of the sample have no label
LATE_HEIGHTS = np.where(np.arange(N)[:, None] < 130, np.nan, heights(X))
SIZES = {"batch_size": 64, "shard": 16}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setattr(_plan, "SAMPLE", 64)
    monkeypatch.setattr(_plan, "FEW", 12)
    monkeypatch.setattr("skdict_sup.parallel._sample.sample_ranges", lambda n, size: [(0, size)])
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.mark.parametrize(
    ("make", "y"), [(classifier, LATE), (regressor, LATE_HEIGHTS)], ids=["classes", "numbers"]
)
def test_labels_may_come_late(make, y, monkeypatch):
    seen, begin = [], learning.initial_state_and_settings

    def watch(estimator, samples, *args):
        seen.append(samples)
        return begin(estimator, samples, *args)

    monkeypatch.setattr(learning, "initial_state_and_settings", watch)
    found = [
        parallel.fit(make(mu=0.2, nu="auto"), blocks(X, rows), blocks(y, rows_y), **SIZES)
        for rows, rows_y in (((N,), (N,)), ((33, 127), (100, 60)))
    ]
    for name in ("components_", "coef_", "loss_curve_"):
        assert_bits(getattr(found[0], name), getattr(found[1], name))
    assert seen[0].n_samples == 12  # those with labels
    assert seen[0].pool.shape[0] == 64 + 12
    if make is classifier:
        assert_bits(found[0].classes_, np.unique(Y[130:]))


def test_held_out_rows_are_some_of_those_with_labels():
    model = classifier(mu=0.2, early_stopping=True, validation_fraction=0.25)
    found = parallel.fit(model, blocks(X, (100, 60)), LATE, **SIZES)
    assert len(found.validation_scores_) == 2


@pytest.mark.parametrize("n_wanted", [1, 7, 100])
@pytest.mark.parametrize("counted", [9, 1000])
def test_labelled_rows_are_evenly_spaced(n_wanted, counted, monkeypatch):
    monkeypatch.setattr("skdict_sup.parallel._targets._COUNTED", counted)
    rng = np.random.default_rng(0)
    y, weight = np.where(rng.random(90) < 0.3, 5, -1), rng.integers(0, 2, 90)
    there = np.flatnonzero((y != -1) & (weight > 0))
    targets = Targets(Held(y), Held(weight), -1)
    found = read_targets(targets, is_classifier=True)
    assert found.totals == {5: weight[y == 5].sum()}
    rows = labelled_rows(targets, found, n_wanted)
    assert len(rows) == min(n_wanted, len(there))
    ranks = np.searchsorted(there, rows)
    np.testing.assert_array_equal(there[ranks], rows)
    assert np.ptp(np.diff(ranks)) <= 1 if len(rows) > 2 else True


def test_data_without_any_label_are_refused():
    with pytest.raises(ValueError, match="only -1"):
        parallel.fit(classifier(mu=0.2), blocks(X, (N,)), 0 * Y - 1, **SIZES)
    with pytest.raises(ValueError, match="got only NaN"):
        parallel.fit(regressor(mu=0.2), blocks(X, (N,)), np.nan * LATE_HEIGHTS, **SIZES)
