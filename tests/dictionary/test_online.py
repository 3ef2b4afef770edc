"""Dictionary learning without labels: its statistics, its streams, what it finds."""

import functools
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learners import digits
from problems import unit_atoms
from sklearn.decomposition import NMF

from skdict_sup import ElasticNet, OnlineDictionaryLearning, encode
from skdict_sup._signals import as_signals
from skdict_sup.dictionary import _stream, online, statistics
from skdict_sup.dictionary.learner import learn_from

CROSSED = ("OnlineDictionaryLearning",)

PRIOR = ElasticNet(lam=0.3, lam2=0.01)


def random_codes(n_samples=30, n_components=4, n_features=5, seed=0):
    rng = np.random.default_rng(seed)
    code = rng.normal(size=(n_samples, n_components)) * rng.integers(
        0, 2, (n_samples, n_components)
    )
    return rng.normal(size=(n_samples, n_features)), code


def cuts(n_samples):
    """Places to cut a stream of signals at, in order."""
    return st.lists(st.integers(1, n_samples - 1), max_size=6, unique=True).map(sorted)


def assert_same_state(found, expected, rtol=1e-9):
    for name in ("dictionary", "statistics.code_moment", "statistics.cross_moment"):
        a, b = operator.attrgetter(name)(found), operator.attrgetter(name)(expected)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max(), err_msg=name)
    np.testing.assert_array_equal(found.statistics.n_uses, expected.statistics.n_uses)
    assert (found.n_seen, found.n_revived) == (expected.n_seen, expected.n_revived)


@pytest.mark.numpy_alone("the objectives are compared for one order of the samples")
def test_nonnegative_factorization_reaches_the_objective_of_alternating_minimisation():
    X, prior = digits(600)[0], ElasticNet(lam=0.0, positive=True)

    def objective(atoms):
        atoms = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
        return float(encode(X, atoms, prior=prior).objective.mean())

    settings = {"max_iter": 60, "forgetting": 60, "batch_size": 64, "tol": 0, "random_state": 0}
    ours = OnlineDictionaryLearning(12, prior=prior, positive_dictionary=True, **settings).fit(X)
    theirs = NMF(12, max_iter=2000, tol=1e-5, random_state=0).fit(X)
    assert objective(ours.components_) <= 1.02 * objective(theirs.components_)


# --- statistics -------------------------------------------------------------------------------


def objectives(X):
    """Numbers that order signals, in place of objectives."""
    return (X**2).sum(axis=1)


def pieces_of(X, code, places, forgetting):
    """Statistics of the pieces of a stream that is cut at places."""
    return [
        statistics.statistics_of(X[rows], code[rows], objectives(X[rows]), rows[0], forgetting)
        for rows in np.split(np.arange(len(X)), places)
    ]


@given(cuts(30), st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_statistics_are_weighted_sums_however_the_stream_is_cut(places, forgetting):
    X, code = random_codes()
    found = statistics.empty_statistics(np.zeros((4, 5)))
    for piece in pieces_of(X, code, places, forgetting):
        found = statistics.merge(found, piece, forgetting)
    weight = (np.arange(1, 31) / 30) ** forgetting
    close = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(found.code_moment, (weight * code.T) @ code, **close)
    np.testing.assert_allclose(found.cross_moment, (weight * code.T) @ X, **close)
    np.testing.assert_array_equal(found.n_uses, (code != 0).sum(axis=0))
    np.testing.assert_array_equal(found.worst, X[np.argsort(-objectives(X))[:16]])
    assert (found.first, found.last) == (0, 30)


@given(cuts(30), st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.randoms(use_true_random=False))
def test_statistics_merge_in_any_tree_of_neighbours(places, forgetting, random):
    X, code = random_codes()
    pieces = pieces_of(X, code, places, forgetting)
    in_order = functools.reduce(lambda a, b: statistics.merge(a, b, forgetting), pieces)
    while len(pieces) > 1:
        k = random.randrange(len(pieces) - 1)
        pieces[k : k + 2] = [statistics.merge(*pieces[k : k + 2], forgetting)]
    for name in ("code_moment", "cross_moment"):
        expected = getattr(in_order, name)
        np.testing.assert_allclose(
            getattr(pieces[0], name), expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max()
        )
    for name in ("n_uses", "worst", "worst_objective", "first", "last"):
        np.testing.assert_array_equal(getattr(pieces[0], name), getattr(in_order, name))


def test_statistics_of_pieces_that_are_no_neighbours_do_not_merge():
    X, code = random_codes()
    first, _, last = pieces_of(X, code, [10, 20], 1.0)
    with pytest.raises(ValueError, match="after 10 signals of the stream; it begins after 20"):
        statistics.merge(first, last, 1.0)


def test_the_dictionary_minimises_what_the_statistics_say():
    X, code = random_codes(n_samples=50)
    (piece,) = pieces_of(X, code, [], 0.0)
    state = online.OnlineState(unit_atoms(np.random.default_rng(1), 4, 5), piece)
    settings = OnlineDictionaryLearning(prior=PRIOR)._settings(PRIOR)

    def cost(dictionary):
        return 0.5 * ((X - code @ dictionary) ** 2).sum()

    costs = [cost(state.dictionary)]
    for _ in range(200):
        moved = online._updated_dictionary(state, settings)
        costs.append(cost(moved))
        state = online.replace(state, dictionary=moved)
    assert (np.diff(costs) <= 1e-12 * costs[0]).all()
    # optimal over the product of balls: each atom is its own best response
    D = state.dictionary
    assert np.linalg.norm(D, axis=1).max() <= 1 + 1e-12
    gradient = code.T @ (code @ D - X)
    for atom, slope in zip(D, gradient, strict=True):
        if np.linalg.norm(atom) < 1 - 1e-9:
            np.testing.assert_allclose(slope, 0, atol=1e-8)
        else:  # on the sphere the slope points inwards, along the atom
            np.testing.assert_allclose(slope, (slope @ atom) * atom, atol=1e-8)
            assert slope @ atom < 0


# --- streams ----------------------------------------------------------------------------------


def learner(**params):
    settings = {"n_components": 5, "prior": PRIOR, "init": digits()[0][:5], "batch_size": 32}
    return OnlineDictionaryLearning(**settings | params)


@given(cuts(150), st.sampled_from([1, 32, 50, 150, 400]))
def test_partial_fit_is_fit_however_the_stream_is_cut(places, batch_size):
    X = digits()[0][:150]
    whole = learner(batch_size=batch_size, max_iter=1, shuffle=False).fit(X)
    pieces = learner(batch_size=batch_size)
    sizes = []
    for part in np.split(X, places):
        pieces.partial_fit(part)
        sizes.append(len(part))
    assert_same_state(pieces._training, whole._training)
    np.testing.assert_allclose(pieces.components_, whole.components_, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        np.average(pieces.objective_curve_, weights=sizes), whole.objective_curve_[0], rtol=1e-9
    )
    assert pieces.n_seen_ == whole.n_seen_ == 150


def test_partial_fit_goes_on_from_fit():
    X = digits()[0]
    twice = learner(max_iter=2, shuffle=False, tol=0.0).fit(X)
    once_more = learner(max_iter=1, shuffle=False).fit(X).partial_fit(X)
    assert_same_state(once_more._training, twice._training)
    np.testing.assert_allclose(once_more.components_, twice.components_, rtol=1e-9, atol=1e-9)


def test_the_objective_falls_from_pass_to_pass():
    X = digits(500)[0]
    curve = OnlineDictionaryLearning(15, prior=PRIOR, max_iter=6, tol=0.0, random_state=0).fit(X)
    curve = np.array(curve.objective_curve_)
    assert len(curve) == 6
    assert (np.diff(curve) < 0).all()
    assert curve[-1] < 0.9 * curve[0]


def test_fit_stops_when_the_objective_no_longer_falls():
    X = digits(300)[0]
    model = OnlineDictionaryLearning(5, max_iter=200, tol=1e-2, random_state=0).fit(X)
    curve = np.array(model.objective_curve_)
    falls = (curve[:-1] - curve[1:]) / curve[:-1]
    assert model.n_iter_ == len(curve) < 200
    assert (falls[:-1] >= 1e-2).all()
    assert falls[-1] < 1e-2


# --- atoms ------------------------------------------------------------------------------------


@pytest.mark.parametrize("init", ["data", "svd", "kmeans"])
def test_atoms_stay_in_the_unit_ball(init):
    X = 255 * digits()[0]
    model = OnlineDictionaryLearning(12, init=init, max_iter=3, random_state=0).fit(X)
    norms = np.linalg.norm(model.components_, axis=1)
    assert norms.max() <= 1 + 1e-12
    # the l1 norm wants atoms as long as they may be
    assert np.median(norms) > 1 - 1e-9


def test_planted_atoms_are_found_again():
    rng = np.random.default_rng(0)
    planted = unit_atoms(rng, 10, 20)
    code = rng.normal(size=(1500, 10)) * (rng.random((1500, 10)) < 0.1)
    X = code @ planted + 0.01 * rng.normal(size=(1500, 20))
    model = OnlineDictionaryLearning(
        10, prior=ElasticNet(lam=0.3), max_iter=30, batch_size=100, tol=0.0, random_state=0
    ).fit(X)
    cosines = np.abs(planted @ model.components_.T)
    assert cosines.max(axis=1).min() > 0.99
    assert len(set(cosines.argmax(axis=1))) == 10  # an atom of its own for each
    chance = np.abs(planted @ unit_atoms(np.random.default_rng(1), 10, 20).T).max(axis=1)
    assert chance.max() < 0.9


def test_an_atom_that_nothing_uses_starts_again():
    # the last pixel is dark in all signals, and so is of no use to any
    X = np.hstack([digits(400)[0], np.zeros((400, 1))])
    dead = np.eye(65)[-1:]
    model = OnlineDictionaryLearning(
        5, prior=PRIOR, init=np.vstack([X[:4], dead]), batch_size=32, max_iter=3, tol=0.0
    ).fit(X)
    assert model.n_revived_ == 1
    assert np.abs(model.components_[:, -1]).max() < 1e-12
    assert (model.transform(X)[:, -1] != 0).any()
    kept = OnlineDictionaryLearning(
        5, prior=PRIOR, init=X[:5], batch_size=32, max_iter=3, tol=0.0
    ).fit(X)
    assert kept.n_revived_ == 0


def test_atoms_without_a_signal_to_start_from_stay():
    model = OnlineDictionaryLearning(3, batch_size=4, max_iter=8, random_state=0, tol=0.0)
    model.fit(np.zeros((20, 6)))
    np.testing.assert_allclose(np.linalg.norm(model.components_, axis=1), 1)
    assert model.n_revived_ == 0
    assert not model.transform(np.zeros((2, 6))).any()


@pytest.mark.parametrize("init", ["data", "svd", "kmeans"])
def test_positive_atoms(init):
    X = digits()[0] - 0.3
    params = {"init": init, "max_iter": 3, "random_state": 0, "prior": PRIOR}
    free = OnlineDictionaryLearning(8, **params).fit(X)
    positive = OnlineDictionaryLearning(8, positive_dictionary=True, **params).fit(X)
    assert free.components_.min() < -0.1
    assert positive.components_.min() >= 0
    assert positive.components_.max() > 0.1


def test_positive_codes_and_atoms_factorise_positive_signals():
    X = digits()[0]
    prior = ElasticNet(lam=0.01, positive=True)
    model = OnlineDictionaryLearning(
        15, prior=prior, positive_dictionary=True, max_iter=10, random_state=0
    ).fit(X)
    code = model.transform(X)
    assert min(code.min(), model.components_.min()) >= 0
    error = np.linalg.norm(X - model.inverse_transform(code)) / np.linalg.norm(X)
    assert error < 0.5


# --- dtypes and libraries ---------------------------------------------------------------------


def test_float32_is_kept_and_near_float64():
    X = digits()[0]
    params = {"max_iter": 3, "tol": 0.0, "random_state": 0}
    wide, short = learner(**params).fit(X), learner(**params).fit(X.astype(np.float32))
    state = short._training
    kept = state.statistics
    for array in (state.dictionary, kept.code_moment, kept.cross_moment, kept.worst):
        assert array.dtype == np.float32
    np.testing.assert_allclose(short.components_, wide.components_, atol=1e-3)


def test_statistics_of_long_streams_are_in_float64_and_the_atoms_are_not(monkeypatch):
    X = digits()[0][:96].astype(np.float32)
    settings = learner(prior=PRIOR, batch_size=32)._settings(PRIOR)
    init = unit_atoms(np.random.default_rng(0), 4, 64).astype(np.float32)
    short, _ = learn_from(online.initial_state(init), as_signals(X), settings)
    monkeypatch.setattr(statistics, "_WIDE_AFTER", 40)
    long, _ = learn_from(online.initial_state(init), as_signals(X), settings)
    assert long.statistics.code_moment.dtype == long.statistics.cross_moment.dtype == np.float64
    assert long.dictionary.dtype == np.float32
    np.testing.assert_allclose(long.dictionary, short.dictionary, atol=1e-4)


@pytest.mark.parametrize("n_seen", [0, 5, 11])
@pytest.mark.parametrize("n_rows", [1, 4, 9])
def test_shards_end_at_the_same_signals_for_any_arrival(n_seen, n_rows):
    ends = [n_seen + rows.stop for rows in _stream.shards(n_seen, n_rows, 20, 4)]
    assert ends[-1] == n_seen + n_rows
    assert set(ends[:-1]) == {e for e in range(n_seen + 1, n_seen + n_rows) if e % 4 == 0}


def test_large_batches_are_sums_of_shards(monkeypatch):
    X = digits()[0][:90]
    settings = learner(prior=PRIOR, batch_size=90)._settings(PRIOR)
    init = unit_atoms(np.random.default_rng(0), 4, 64)
    whole, _ = learn_from(online.initial_state(init), as_signals(X), settings)
    monkeypatch.setattr(_stream, "SHARD", 16)
    cut, _ = learn_from(online.initial_state(init), as_signals(X), settings)
    np.testing.assert_allclose(cut.dictionary, whole.dictionary, rtol=1e-9, atol=1e-12)
    one_by_one = online.initial_state(init)
    for rows in np.array_split(np.arange(90), [16, 32, 48, 64, 80]):
        one_by_one, _ = learn_from(one_by_one, as_signals(X[rows]), settings)
    np.testing.assert_array_equal(one_by_one.dictionary, cut.dictionary)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_library_keeps_the_same_statistics(xp, dtype):
    X = digits()[0][:80]
    init = unit_atoms(np.random.default_rng(0), 4, 64)
    settings = learner(prior=PRIOR)._settings(PRIOR)
    expected, objective = learn_from(online.initial_state(init), as_signals(X), settings)
    state = online.initial_state(xp.asarray(init, dtype=dtype))
    there = as_signals(xp.asarray(X, dtype=dtype))
    found, mine = learn_from(state, there, settings)
    tolerance = 1e-9 if dtype == np.float64 else 1e-4
    for name in ("dictionary", "statistics.code_moment", "statistics.cross_moment"):
        a, b = operator.attrgetter(name)(found), operator.attrgetter(name)(expected)
        assert xp.is_mine(a)
        assert str(a.dtype).endswith(np.dtype(dtype).name)
        np.testing.assert_allclose(
            xp.to_numpy(a), b, rtol=tolerance, atol=tolerance * np.abs(b).max()
        )
    np.testing.assert_allclose(mine, objective, rtol=tolerance)
