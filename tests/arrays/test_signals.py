"""Kinds of signals: all of them answer as one array of the same signals does."""

import array_api_strict as strict
import numpy as np
import pytest
import scipy.sparse
from computed_signals import Computed
from hypothesis import given
from hypothesis import strategies as st

from skdict_sup._array import device_of, to_numpy
from skdict_sup._signals import (
    Dense,
    HostSignals,
    SparseRows,
    as_signals,
    batches_on,
    check_signals,
)

DEVICE = "array_api_strict:device1"


def computed(X):
    return Computed(lambda numbers: X[numbers], np.arange(len(X)), X.shape[1])


KINDS = {
    "dense": Dense,
    "columns": lambda X: Dense(np.asfortranarray(X)),
    "elsewhere": lambda X: Dense(strict.asarray(X, device=strict.Device("device1"))),
    "sparse": lambda X: SparseRows(scipy.sparse.csr_matrix(X)),
    "array": lambda X: SparseRows(scipy.sparse.csr_array(X)),
    "staged": lambda X: batches_on(Dense(X), DEVICE),
    "staged_sparse": lambda X: batches_on(as_signals(scipy.sparse.coo_array(X)), DEVICE),
    "computed": computed,
    "staged_computed": lambda X: batches_on(computed(X), DEVICE),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def draw(seed=0, n=9, m=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m)) * (rng.random((n, m)) < 0.5)
    X[rng.integers(n)] = 0
    return X, rng


def check(signals, X, rng):
    """Raise unless signals answer as an array does."""
    matrix = rng.normal(size=(X.shape[1], 3))
    there = signals.like
    assert tuple(signals.shape) == X.shape
    assert signals.dtype == there.dtype
    rows = rng.permutation(len(X))[:4]
    batches = [(signals.dense(), X)]
    batches += [(signals.batch(part), X[part]) for part in (slice(2, 7), rows, rows[:0])]
    batches += [(signals.rows(rows).batch(slice(1, 3)), X[rows][1:3])]
    for batch, expected in batches:
        assert type(batch) is type(there)
        assert device_of(batch) == device_of(there)
        assert batch.dtype == there.dtype
        np.testing.assert_array_equal(to_numpy(batch), expected)
    host = signals.on_host()
    assert isinstance(host.like, np.ndarray)
    np.testing.assert_array_equal(host.dense(), X)
    product = signals @ (matrix if isinstance(there, np.ndarray) else there_of(matrix, there))
    assert type(product) is type(there)
    np.testing.assert_allclose(to_numpy(product), X @ matrix, atol=1e-12)
    np.testing.assert_allclose(signals.sums(), X.sum(axis=1), atol=1e-12)
    assert signals.least() in {X.min(), min(0, X.min())}
    signals.check_finite()


def there_of(array, like):
    return strict.asarray(array, device=device_of(like))


@every_kind
@given(seed=st.integers(0, 2**32 - 1))
def test_every_kind_answers_as_an_array_does(kind, seed):
    X, rng = draw(seed)
    check(kind(X), X, rng)
    where = rng.random(len(X)) < 0.3
    signal = rng.random((1, X.shape[1]))
    expected = np.where(where[:, None], signal, X)
    signals = kind(X)
    there = signals.like
    like = signal if isinstance(there, np.ndarray) else there_of(signal, there)
    check(signals.replaced(where, like), expected, rng)
    np.testing.assert_array_equal(to_numpy(signals.dense()), X)


@every_kind
def test_signals_that_are_not_finite_are_named(kind):
    X, _ = draw()
    X[4, 1], X[4, 3], X[7, 0] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(kind(X).non_finite(), [4, 7])
    with pytest.raises(
        ValueError, match=r"^X must be finite.* in 2 rows, first in row 4; missing"
    ):
        kind(X).check_finite()


@every_kind
def test_a_pass_goes_batch_by_batch(kind, monkeypatch):
    monkeypatch.setattr("skdict_sup._signals._MAX_ENTRIES", 20)
    X, rng = draw(n=23)
    check(kind(X), X, rng)


def test_an_array_is_not_copied():
    X, _ = draw()
    assert Dense(X).batch(slice(2, 5)).base is X
    assert check_signals(X).dense() is X
    assert as_signals(Dense(X)).dense() is X
    assert check_signals(Dense(X)).dense() is X
    assert batches_on(Dense(X), None).dense() is X
    # batches on a device are copies: torch would share the memory of what a user goes on with
    batch = batches_on(Dense(X), DEVICE).batch(slice(2, 5))
    assert not np.shares_memory(to_numpy(batch), X)


def test_signals_of_another_library_stay_there():
    signals = Dense(strict.asarray(draw()[0]))
    assert batches_on(signals, "torch") is signals
    assert isinstance(batches_on(Dense(draw()[0]), DEVICE), HostSignals)


def test_only_an_array_is_there_as_a_whole():
    X, _ = draw()
    assert {name for name, kind in KINDS.items() if kind(X).is_single_array} == {
        "dense",
        "columns",
        "elsewhere",
    }
    assert KINDS["staged"](X).on_host().is_single_array
    assert not KINDS["staged_sparse"](X).on_host().is_single_array
