"""Supervised learning from dask arrays: one result for any blocks, and that of whole batches."""

import pickle

import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lazy import assert_bits, blocks, parts
from learners import classifier as classifier_of
from learners import digits, heights
from learners import regressor as regressor_of
from scipy.sparse import csr_matrix
from sklearn.base import clone

from skdict_sup import ElasticNet, parallel
from skdict_sup.estimators._fitting import as_generator
from skdict_sup.estimators._training import initial_state_and_settings
from skdict_sup.parallel import _plan, _sample
from skdict_sup.parallel import supervised as learning
from skdict_sup.parallel._blocks import joined_atoms
from skdict_sup.parallel._source import Held
from skdict_sup.supervised import step

X, Y = digits()
N, M = X.shape
WORDS = np.array(["nought", "one", "two", "three", "four", "5", "6", "7", "8", "9"])[Y]
WEIGHT = np.random.default_rng(0).random(N) * (np.arange(N) % 5 > 0)
FEW = np.where(np.arange(N) % 8 == 0, Y, -1)
FIRST = np.where(np.arange(N) < 50, Y, -1)  # whole shards have no label
SOME_HEIGHTS = np.where(np.arange(N)[:, None] < 70, heights(X), np.nan)
GAPS = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
LEARNED = "components_", "coef_", "intercept_", "loss_curve_", "validation_scores_", "nu_"
SIZES = {"batch_size": 64, "shard": 16}


def classifier(**params):
    return classifier_of(**{"nu": 1e-3} | params)  # the trials for "auto" take long


def regressor(**params):
    return regressor_of(**{"nu": 1e-3} | params)


def noise(signals, rng):
    """An augmentation."""
    return signals + 0.1 * rng.standard_normal(signals.shape)


CASES = {
    "plain": (classifier, {}, Y),
    "words": (classifier, {}, WORDS),
    "objects": (classifier, {}, WORDS.astype(object)),
    "binary": (classifier, {}, Y > 4),
    "mixed": (classifier, {"mu": 0.3}, Y),
    "dropout": (classifier, {"dropout": 0.3}, Y),
    "augmented": (classifier, {"augment": noise}, Y),
    "balanced": (classifier, {"class_weight": "balanced"}, Y),
    "weighted": (classifier, {"class_weight": {3: 2.0}}, Y),
    "stopping": (classifier, {"early_stopping": True, "max_iter": 4, "n_iter_no_change": 1}, Y),
    "few_labels": (classifier, {"mu": [0.5, 0.2]}, FEW),
    "first_labels": (classifier, {"mu": 0.2, "class_weight": "balanced"}, FIRST),
    "projected": (classifier, {"mu": 0.2, "n_projected": 20, "fit_linear": True}, FIRST),
    "bilinear": (classifier, {"mu": 0.2, "head": "bilinear"}, FIRST),
    "one_against_rest": (classifier, {"mu": 0.2, "multi_class": "ovr"}, FIRST),
    "auto": (classifier, {"learning_rate": "auto", "max_iter": 1}, Y),
    "mairal": (classifier, {"learning_rate": "mairal"}, Y),
    "split": (classifier, {"split_sign": True, "label_smoothing": 0.1}, Y),
    "limited": (classifier, {"max_nonzeros": 3}, Y),
    "numbers": (regressor, {}, heights(X)[:, 0]),
    "outputs": (regressor, {"early_stopping": True}, heights(X)),
    "some_outputs": (regressor, {"mu": 0.2}, SOME_HEIGHTS),
}


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def assert_same(found, expected):
    for name in LEARNED:
        assert_bits(getattr(found, name), getattr(expected, name), name)


@pytest.mark.parametrize("case", CASES)
def test_results_do_not_depend_on_blocks_or_threads(case):
    make, params, y = CASES[case]
    weight = WEIGHT if sorted(CASES).index(case) % 2 else None
    expected = parallel.fit(make(**params), X, y, sample_weight=weight, **SIZES)
    lazy_y = blocks(y, (1, 70, 89), (1,) * y.shape[1] if y.ndim == 2 else None)
    lazy_weight = None if weight is None else blocks(weight, (80, 80))
    with dask.config.set(scheduler="threads", num_workers=3):
        lazy = blocks(X, (33, 0, 90, 37), (30, 34))
        found = parallel.fit(make(**params), lazy, lazy_y, sample_weight=lazy_weight, **SIZES)
    assert_same(found, expected)
    assert_bits(found.predict(X), expected.predict(X))
    if make is classifier:
        labels = np.unique(y if "labels" not in case and y is not FIRST else y[y != -1])
        assert_bits(found.classes_, labels)


@settings(max_examples=3)
@given(rows=parts(N), csr=st.booleans())
def test_results_do_not_depend_on_any_blocks(rows, csr):
    lazy = blocks(X.astype(np.float32), rows, csr=csr)
    found = parallel.fit(classifier(max_iter=1), lazy, blocks(Y, rows[::-1]), **SIZES)
    there = csr_matrix(X.astype(np.float32)) if csr else X.astype(np.float32)
    expected = parallel.fit(classifier(max_iter=1), there, Y, **SIZES)
    assert found.components_.dtype == np.float32
    assert_same(found, expected)


def test_missing_entries_are_learned_around():
    found = [
        parallel.fit(classifier(allow_nan=True), blocks(GAPS, rows), Y, **SIZES)
        for rows in ((N,), (15, 145))
    ]
    assert_same(*found)


@pytest.mark.parametrize("case", CASES)
def test_gradients_of_shards_join_to_that_of_the_batch(case):
    make, params, y = CASES[case]
    params = {k: v for k, v in params.items() if k not in ("dropout", "augment")}
    estimator = make(**params)
    samples, targets = estimator._read_samples(X, y, WEIGHT + 0.1, reset=True)
    rng = as_generator(0)
    state, settings_ = initial_state_and_settings(
        estimator, samples.with_positive_weight(), targets, rng
    )
    coef = state.parameters["coef"]  # away from the best head, whose gradient is zero
    state = state.with_parameters(coef=coef + 0.3 * rng.standard_normal(coef.shape))
    mu = float(np.mean(estimator.mu))
    rows = np.flatnonzero(samples.weight > 0)
    batch = samples.batch(rows)
    if samples.pool is not None and mu:
        batch = step.replace(batch, reconstruction_signals=samples.pool.batch(np.arange(N)))
    loss, gradients, code, _ = step.loss_and_gradients(state, batch, settings_, mu)
    if estimator.class_weight == "balanced":  # `fit` counts the whole data
        factors = samples.weight[rows] / (WEIGHT + 0.1)[rows]
        estimator.class_weight = dict(zip(y[rows].tolist(), factors, strict=True))
    reader = learning.Reader(learning._reader_estimator(estimator, targets))
    arrays = Held(X), Held(y), Held(WEIGHT + 0.1)
    shards = [[(a, min(a + 30, N))] for a in range(0, N, 30)]
    parameters = state.parameters
    atoms = joined_atoms(
        np.split(parameters["dictionary"], settings_.n_blocks), [[]] * settings_.n_blocks
    )
    constants = learning.Constants(settings_, mu, reader)
    measured = [
        learning.measure_shard(
            [a.pieces(one) for a in arrays], one, 0, (atoms, parameters), constants
        )
        for one in shards
    ]
    one_by_one = measured[0]
    for more in measured[1:]:
        one_by_one = learning.merge([one_by_one, more])
    whole = learning.merge(measured)
    (parts, n_uses, n_seen), _ = whole
    for name, gradient in one_by_one[0][0].gradients.items():  # in any tree
        scale = np.abs(gradient).max()
        np.testing.assert_allclose(parts.gradients[name], gradient, rtol=1e-9, atol=1e-12 * scale)
    assert n_seen == len(rows)
    joined_loss, joined = step.joined_gradients(parts, state.parameters, settings_, mu)
    np.testing.assert_allclose(joined_loss, loss, rtol=1e-10)
    assert joined.keys() == gradients.keys()
    for name, gradient in gradients.items():
        scale = np.abs(gradient).max()
        np.testing.assert_allclose(joined[name], gradient, rtol=1e-9, atol=1e-11 * scale)
    np.testing.assert_array_equal(n_uses, (code != 0).sum(axis=0))


def test_digits_are_learned():
    signals, labels = digits(1000)
    model = classifier(n_components=30, max_iter=8, init_max_iter="auto")
    found = parallel.fit(model, blocks(signals[:800], (300, 500)), labels[:800], **SIZES)
    alone = clone(model).fit(signals[:800], labels[:800])
    rest = signals[800:], labels[800:]
    assert found.score(*rest) > max(0.9, alone.score(*rest) - 0.03)
    assert found.loss_curve_[-1] < found.loss_curve_[0]
    assert found.n_iter_ == 8


@pytest.mark.parametrize("n_sample", [N, 128])
@pytest.mark.parametrize("case", ["plain", "few_labels", "stopping", "balanced"])
def test_the_ridge_is_that_of_the_whole_data(case, n_sample, monkeypatch):
    make, params, y = CASES[case]
    begun, begin = [], learning.initial_state_and_settings

    def watch(estimator, samples, *args):
        begun.extend([samples.weight.sum(), *begin(estimator, samples, *args)])
        return begun[1:]

    monkeypatch.setattr(_plan, "SAMPLE", n_sample)
    monkeypatch.setattr(learning, "initial_state_and_settings", watch)
    model = make(**params | {"max_iter": 1, "nu": "auto"})
    found = parallel.fit(model, X, y, sample_weight=1 + np.arange(N) % 2, **SIZES)
    weight = (1.0 + np.arange(N) % 2)[y != -1].sum()
    if case == "stopping":
        runs = _plan.sample_ranges(N, n_sample)
        held_out = _sample._held_out(model, runs, np.zeros(0, int), N)
        weight -= (1.0 + held_out % 2).sum()
    nu, of_sample = found._training.settings.nu, begun[2].nu
    np.testing.assert_allclose(nu * weight, of_sample * begun[0], rtol=1e-12)


def test_held_out_rows_are_not_learned_from(monkeypatch):
    seen, score = [], learning.measure_shard

    def watch(pieces, ranges, seed, shared, constants):
        samples = constants.reader.read(pieces, ranges)
        rows = np.concatenate([np.arange(*one) for one in ranges])
        seen.extend(rows[samples.weight > 0])
        return score(pieces, ranges, seed, shared, constants)

    monkeypatch.setattr(learning, "measure_shard", watch)
    model = classifier(early_stopping=True, validation_fraction=0.2, max_iter=1)
    found = parallel.fit(model, X, Y, **SIZES)
    assert len(set(seen)) == len(seen)
    assert 0.7 * N < len(seen) < 0.9 * N
    assert len(found.validation_scores_) == 1


def test_the_result_is_an_ordinary_estimator():
    found = parallel.fit(classifier(), blocks(X, (100, 60)), Y, **SIZES)
    assert_bits(pickle.loads(pickle.dumps(found)).predict(X), found.predict(X))
    found.fit_head(X, Y)
    found.partial_fit(X, Y)
    assert found.n_iter_ == 3
    assert found._training.finished


@pytest.mark.parametrize(
    ("y", "options", "kind", "message"),
    [
        (None, {}, ValueError, "requires y to be passed"),
        (Y[:-1], {}, ValueError, "y must have one row per row of X: got 159 rows for 160"),
        (blocks(Y, (N,))[blocks(Y, (N,)) >= 0], {}, ValueError, r"call y\.compute_chunk_sizes"),
        (0 * Y, {}, ValueError, "y must contain at least two classes"),
        (Y + 0.5 * (Y > 3), {}, ValueError, "Unknown label type: continuous"),
        (np.where(Y == 3, np.nan, Y), {}, ValueError, "NaN"),
        (Y, {"sample_weight": -WEIGHT}, ValueError, "sample_weight"),
        (Y, {"sample_weight": 0 * WEIGHT}, ValueError, "[Ss]ample.weight"),
        (Y, {"sample_weight": WEIGHT[:, None]}, ValueError, "sample_weight must be a vector"),
        (Y, {"sample_weight": 2.0}, ValueError, r"sample_weight must be a vector, .* shape \(\)"),
        (Y, {"sample_weight": WEIGHT[:9]}, ValueError, "sample_weight must have one row per row"),
        (Y, {"classes": [0, 1, 2]}, ValueError, r"y must contain only labels among .*got .*3"),
    ],
)
def test_targets_and_weights_are_refused(y, options, kind, message):
    model = classifier()
    with pytest.raises(kind, match=message):
        parallel.fit(model, blocks(X, (100, 60)), y, **SIZES, **options)
    assert not hasattr(model, "components_")


def test_a_regressor_has_no_classes():
    with pytest.raises(ValueError, match="classes must be None for SupervisedDictionaryRegressor"):
        parallel.fit(regressor(), X, heights(X), classes=[0, 1], **SIZES)


def test_held_out_rows_need_labels():
    model = classifier(mu=0.2, early_stopping=True)
    with pytest.raises(ValueError, match=r"early_stopping=True requires samples with labels .*0"):
        parallel.fit(model, X, FEW, **SIZES)


def test_bad_targets_are_named_by_their_shard(monkeypatch):
    monkeypatch.setattr(_plan, "SAMPLE", 64)
    bad = heights(X).copy()
    bad[41, 1] = np.inf
    with pytest.raises(ValueError, match=r"^in the shard that begins at row 32: .*infinity"):
        parallel.fit(regressor(), blocks(X, (100, 60)), bad, **SIZES)


@pytest.mark.parametrize("column", ["array", "frame"])
def test_classes_may_be_absent_and_labels_a_column(column):
    y = Y[:, None]
    if column == "frame":
        y = pytest.importorskip("pandas").DataFrame(y)
    found = parallel.fit(classifier(), X, y, classes=np.arange(12), **SIZES)
    assert_bits(found.classes_, np.arange(12))
    assert found.predict_proba(X).shape == (N, 12)


def test_warm_starts_are_refused():
    model = parallel.fit(classifier(warm_start=True), X, Y, **SIZES)
    with pytest.raises(ValueError, match=r"warm_start must be False in parallel\.fit"):
        parallel.fit(model, X, Y, **SIZES)


def test_bits_do_not_depend_on_the_prior_of_another_fit():
    model = classifier(prior=ElasticNet(lam=0.3, lam2=0.1, positive=True))
    expected = parallel.fit(clone(model), X, Y, **SIZES)
    again = parallel.fit(model.fit(X, Y), X, Y, **SIZES)
    assert_same(again, expected)
