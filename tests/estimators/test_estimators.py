"""What holds for every estimator: codes, containers, dtypes, threads, units, memory."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from learners import (
    EVERY,
    LEARNERS,
    assert_same,
    classifier,
    coder,
    digits,
    fitted,
    heights,
    learned,
    once,
    outputs,
    regressor,
    target_of,
    unsupervised,
)
from sklearn.base import clone

from skdict_sup import ElasticNet

every_estimator = pytest.mark.parametrize("make", EVERY)
every_learner = pytest.mark.parametrize("make", LEARNERS)
OPTIONS = [
    *((make, {}) for make in EVERY),
    *((make, {"prior": ElasticNet(lam=0.3, lam2=0.01, positive=True)}) for make in EVERY),
    *((make, {"solver": "coordinate_descent"}) for make in EVERY),
    *((make, {"output": "sparse"}) for make in (coder, unsupervised)),
    *((make, {"init": init}) for make in LEARNERS for init in ("svd", "kmeans")),
    *((make, {"init": digits()[0][:6]}) for make in LEARNERS),
    *((make, {"positive_dictionary": True}) for make in LEARNERS),
    (unsupervised, {"shuffle": False}),
    (regressor, {"early_stopping": True}),
    (classifier, {"early_stopping": True}),
    (classifier, {"loss": "squared_hinge", "class_weight": "balanced"}),
]


@pytest.mark.parametrize(("make", "params"), OPTIONS)
def test_fit_transform_is_fit_and_transform(make, params):
    X, y = digits()[0], target_of(make)
    params = once(make) | params
    together = make(**params).fit_transform(X, y)
    apart = make(**params).fit(X, y).transform(X)
    assert scipy.sparse.issparse(together) == (params.get("output") == "sparse")
    assert (together != apart).sum() == 0
    assert (together != 0).sum() > 0


# --- codes and signals ------------------------------------------------------------------------


@every_estimator
def test_inverse_transform_is_a_sum_of_atoms(make):
    estimator, X = fitted(make), digits()[0][:9]
    code = estimator.transform(X)
    expected = sum(code[:, [j]] * estimator.components_[[j]] for j in range(6))
    back = estimator.inverse_transform(code)
    np.testing.assert_allclose(back, expected, rtol=1e-12, atol=1e-12)
    sparse = estimator.inverse_transform(scipy.sparse.csr_matrix(code))
    np.testing.assert_allclose(sparse, expected, rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match=r"X must have 6 columns \(components\).*\(9, 5\)"):
        estimator.inverse_transform(code[:, :5])


def test_codes_without_a_prior_give_the_signals_back():
    X = np.random.default_rng(1).normal(size=(5, 4))
    D = np.random.default_rng(2).normal(size=(4, 4))
    model = coder(dictionary=D, prior=ElasticNet(lam=0.0)).fit(X)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), X, atol=1e-10)


@pytest.mark.parametrize("make", [coder, unsupervised])
def test_sparse_output_equals_dense_and_has_no_data_frame(make):
    X = digits()[0]
    sparse = fitted(make, output="sparse").transform(X)
    assert sparse.format == "csr"
    np.testing.assert_array_equal(sparse.toarray(), fitted(make).transform(X))
    with pytest.raises(ValueError, match="sparse"):
        fitted(make, output="sparse").set_output(transform="pandas").transform(X)


@every_estimator
def test_data_frames_come_out_as_they_went_in(make):
    X = pd.DataFrame(digits()[0], columns=[f"pixel{i}" for i in range(64)])
    X.index = X.index[::-1]
    estimator = make().set_output(transform="pandas").fit(X, target_of(make))
    code = estimator.transform(X)
    names = [f"{type(estimator).__name__.lower()}{j}" for j in range(6)]
    assert list(code.columns) == names == list(estimator.get_feature_names_out())
    assert list(code.index) == list(X.index)
    assert list(estimator.feature_names_in_) == list(X.columns)
    expected = fitted(make).transform(digits()[0])
    np.testing.assert_allclose(code.to_numpy(), expected, rtol=1e-9, atol=1e-11)


@every_estimator
def test_copies_say_the_same(make):
    estimator, X = fitted(make), digits()[0]
    expected = outputs(estimator, X)
    assert_same(outputs(copy.deepcopy(estimator), X), expected)
    assert_same(outputs(pickle.loads(pickle.dumps(estimator)), X), expected)
    again = clone(estimator)
    assert not learned(again)
    assert_same(outputs(again.fit(X, target_of(make)), X), expected)


# --- dtypes, libraries, memory, threads -------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_estimator
def test_arrays_have_the_dtype_of_the_signals(make, dtype):
    X = digits()[0].astype(dtype)
    y = None if make is unsupervised else target_of(make)
    estimator = make().fit(X, y)
    if make is not coder:
        estimator.partial_fit(X[:50], None if y is None else y[:50])
    arrays = learned(estimator) | outputs(estimator, X)
    arrays = {name: a for name, a in arrays.items() if isinstance(a, np.ndarray)}
    arrays.pop("predict" if make is classifier else "classes_", None)
    arrays.pop("classes_", None)
    assert {"components_", "transform"} <= arrays.keys()
    assert {name: a.dtype for name, a in arrays.items()} == dict.fromkeys(arrays, np.dtype(dtype))
    assert estimator.inverse_transform(arrays["transform"]).dtype == dtype


@every_learner
def test_every_library_learns_the_same(make, xp):
    # in the order that NumPy data of this size are brought into
    X, rows = np.unique(digits()[0][:40], axis=0, return_index=True)
    y = None if make is unsupervised else target_of(make)[rows]
    few = {"n_components": 4, "max_iter": 1, "batch_size": 20}
    expected, found = make(**few).fit(X, y), make(**few).fit(xp.asarray(X), y)
    assert xp.is_mine(found.components_)
    np.testing.assert_allclose(
        xp.to_numpy(found.components_), expected.components_, rtol=1e-7, atol=1e-9
    )
    for name, value in outputs(expected, X).items():
        mine = getattr(found, name)(xp.asarray(X))
        assert xp.is_mine(mine) or name == "predict"
        if np.asarray(value).dtype.kind == "f":
            mine = xp.to_numpy(mine)
            if name == "decision_function":  # defined up to a number for all classes of a signal
                mine, value = (s - s.mean(axis=1, keepdims=True) for s in (mine, value))
            np.testing.assert_allclose(mine, value, rtol=1e-6, atol=1e-8)
        else:
            np.testing.assert_array_equal(xp.to_numpy(mine), value)


def test_signals_of_another_library_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"is an array of .*; move one of them"):
        fitted(coder).transform(torch.from_numpy(digits()[0].copy()))


@every_estimator
def test_memory_layout_does_not_matter(make, tmp_path):
    X, y = digits()[0], target_of(make)
    joblib.dump(X, tmp_path / "X.joblib")
    mapped = joblib.load(tmp_path / "X.joblib", mmap_mode="r")
    wide = np.zeros((len(X), 130))
    wide[:, ::2][:, :64] = X
    expected = outputs(make().fit(X.copy(), y), X.copy())
    for same in (mapped, np.asfortranarray(X), wide[:, ::2][:, :64], X.tolist()):
        assert_same(outputs(make().fit(same, y), same), expected, rtol=1e-9, atol=1e-11)


@every_estimator
def test_threads_do_not_change_a_bit(make):
    X = digits()[0]
    one, two, many = (fitted(make, n_jobs=n_jobs) for n_jobs in (1, 2, -1))
    for other in (two, many):
        assert_same(learned(other), learned(one))
        assert_same(outputs(other, X), outputs(one, X))


@every_learner
def test_the_seed_decides(make):
    assert_same(learned(fitted(make, random_state=3)), learned(fitted(make, random_state=3)))
    other = fitted(make, random_state=4)
    assert np.abs(other.components_ - fitted(make, random_state=3).components_).max() > 0.01


# --- what belongs to the user, and units ------------------------------------------------------


def test_a_coder_keeps_its_dictionary_untouched():
    dictionary = np.random.default_rng(0).normal(size=(6, 64)).astype(np.float32)
    before = dictionary.copy()
    model = coder(dictionary=dictionary).fit(digits()[0])
    model.transform(digits()[0])
    assert model.dictionary is dictionary
    np.testing.assert_array_equal(dictionary, before)
    assert model.components_.dtype == np.float64
    np.testing.assert_array_equal(clone(model).dictionary, before)


@every_estimator
def test_parameters_changed_later_do_not_change_a_fitted_estimator(make):
    estimator, X = fitted(make, prior=ElasticNet(lam=0.5, lam2=0.01)), digits()[0]
    expected = outputs(estimator, X)
    estimator.set_params(prior__lam=50.0)
    assert_same(outputs(estimator, X), expected)


@every_learner
def test_given_atoms_are_brought_into_the_unit_ball(make):
    # the last atom is orthogonal to every signal: nothing but the projection can shorten it
    X = np.hstack([digits()[0], np.zeros((160, 1))])
    init = np.vstack([X[:5], 3 * np.eye(65)[-1]])
    params = {"max_iter": 1} if make is unsupervised else {"init_max_iter": 0}
    estimator = make(init=init, **params).fit(X, target_of(make))
    start = getattr(estimator, "initial_components_", estimator.components_)
    for atoms in (start, estimator.components_):
        assert np.linalg.norm(atoms, axis=1).max() <= 1 + 1e-12
    np.testing.assert_array_equal(init[-1], 3 * np.eye(65)[-1])


@pytest.mark.parametrize("scale", [255.0, 1e-3])
@every_estimator
def test_automatic_settings_are_free_of_scale(make, scale):
    X, y = digits()[0], target_of(make)
    plain, scaled = make().fit(X, y), make().fit(scale * X, y)
    np.testing.assert_allclose(scaled.prior_.lam, scale * plain.prior_.lam, rtol=1e-12)
    np.testing.assert_allclose(scaled.components_, plain.components_, rtol=1e-6, atol=1e-8)
    expected, found = outputs(plain, X), outputs(scaled, scale * X)
    expected["transform"] = scale * expected["transform"]
    assert_same(found, expected, rtol=1e-6, atol=1e-8 * max(1, scale))


def test_lam_is_resolved_once():
    X, y = digits()
    for model in (fitted(coder), fitted(unsupervised), classifier().fit(X, y)):
        lam = model.prior_.lam
        model.transform(7 * X)
        if hasattr(model, "partial_fit"):
            model.partial_fit(7 * X, y)
        assert model.prior_.lam == lam
    warm = regressor(warm_start=True).fit(X, heights(X))
    lam = warm.prior_.lam
    assert warm.fit(7 * X, heights(X)).prior_.lam == lam
