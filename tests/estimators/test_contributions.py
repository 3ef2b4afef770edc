"""Contributions of atoms: a prediction is their sum, term by term."""

from functools import cache

import dask.array as da
import numpy as np
import pytest
from learners import classifier, digits, heights, regressor
from scipy.sparse import csr_matrix
from sklearn.exceptions import NotFittedError

from skdict_sup import KL, to_device

X, Y = digits(120)
HEIGHTS = heights(X)
X = X / X.sum(axis=1, keepdims=True)  # distributions, for all transfers
GIVEN = {"nu": 1e-3, "fit_linear": False, "standardise": False, "fit_offset": False}
PREPARED = {"standardise": True, "fit_offset": True, "fit_linear": True}
FORMULATIONS = {
    "plain": {},
    "prepared": PREPARED,
    "smooth": {"prior": KL(lam=0.05, p=0.05)},
    "split": {"split_sign": True, "fit_linear": True},
    "split_smooth": {"split_sign": True, "prior": "kl"},
    "bilinear": {"head": "bilinear"},
    "bilinear_split": {"head": "bilinear", "split_sign": True},
    "projected": {"n_projected": 9, "fit_linear": True},
    "distributions": {"transfer": "softmax"},
}
ONE_EACH = {"ovr": {"multi_class": "ovr"}, "ovr_split": {"multi_class": "ovr", "split_sign": True}}
formulation = pytest.mark.parametrize("name", FORMULATIONS)


def assert_adds_up(parts, expected):
    """The parts have the axes of the prediction, and sum up to it."""
    assert parts.atoms.shape[:-1] == expected.shape
    assert np.shape(parts.intercept) == expected.shape[1:]
    assert parts.linear is None or parts.linear.shape == expected.shape
    scale = np.abs(parts.atoms).sum(axis=-1) + np.abs(parts.intercept) + np.abs(expected)
    error = np.abs(parts.total() - expected)
    assert (error <= 100 * np.finfo(expected.dtype).eps * scale).all()
    return parts


@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("name", FORMULATIONS | ONE_EACH)
def test_a_decision_function_is_the_sum_of_contributions(name, n_classes):
    settings = (FORMULATIONS | ONE_EACH)[name]
    model = classifier(**GIVEN | settings, max_iter=1).fit(X[n_classes > Y], Y[n_classes > Y])
    parts = assert_adds_up(model.contributions(X), model.decision_function(X))
    assert parts.atoms.shape[-1] == len(model.components_)
    assert (parts.linear is not None) == hasattr(model, "linear_coef_")


@pytest.mark.parametrize("target", [HEIGHTS, HEIGHTS[:, 0]], ids=np.shape)
@formulation
def test_a_prediction_is_the_sum_of_contributions(name, target):
    model = regressor(**GIVEN | FORMULATIONS[name], max_iter=1).fit(X, target)
    assert_adds_up(model.contributions(X), model.predict(X))


def test_two_scores_of_two_classes_become_one():
    few = Y < 2
    model = classifier(**GIVEN | {"loss": "softmax", "fit_linear": True}).fit(X[few], Y[few])
    parts = assert_adds_up(model.contributions(X), model.decision_function(X))
    weight = model.coef_[1] - model.coef_[0]
    np.testing.assert_allclose(parts.atoms, model.transform(X) * weight, atol=1e-12)


def test_a_contribution_is_a_weight_times_an_entry_of_the_code():
    model = classifier(**GIVEN | {"fit_linear": True}).fit(X, Y)
    parts, code = model.contributions(X), model.transform(X)
    np.testing.assert_array_equal(parts.atoms, code[:, None, :] * model.coef_[None])
    np.testing.assert_allclose(parts.linear, X @ model.linear_coef_.T, atol=1e-12)
    np.testing.assert_array_equal(parts.intercept, model.intercept_)


def test_a_target_in_a_column_keeps_the_axis_of_the_outputs():
    model = regressor(**GIVEN).fit(X, HEIGHTS[:, :1])
    assert assert_adds_up(model.contributions(X), model.predict(X)).atoms.shape == (120, 1, 6)


def test_both_halves_of_a_code_belong_to_one_atom():
    model = regressor(**GIVEN | {"split_sign": True}).fit(X, HEIGHTS)
    halves = model.transform(X)[:, None, :] * model.coef_
    expected = halves[..., :6] + halves[..., 6:]
    np.testing.assert_allclose(model.contributions(X).atoms, expected, atol=1e-12)


@pytest.mark.parametrize("name", ONE_EACH)
def test_an_atom_of_one_class_adds_nothing_to_others(name):
    model = classifier(**GIVEN | ONE_EACH[name]).fit(X, Y)
    atoms = model.contributions(X).atoms.reshape(len(X), 10, 10, 6)
    for k in range(10):
        assert not np.delete(atoms[:, k], k, axis=1).any()
        assert atoms[:, k, k].any()


def test_contributions_to_counts_are_those_to_their_logarithm():
    counts = np.random.default_rng(0).poisson(np.exp(HEIGHTS - 2.0))
    model = regressor(**GIVEN | {"loss": "poisson"}).fit(X, counts)
    np.testing.assert_allclose(np.exp(model.contributions(X).total()), model.predict(X))


@cache
def model_of(name, dtype):
    settings = GIVEN | (FORMULATIONS | ONE_EACH)[name]
    few = Y < 3
    return classifier(**settings, max_iter=1).fit(X[few].astype(dtype), Y[few])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["prepared", "ovr", "bilinear"])
def test_contributions_are_in_the_library_and_dtype_of_the_signals(xp, name, dtype):
    here, signals = model_of(name, dtype), X[:4].astype(dtype)
    there = here if xp.module == "numpy" else to_device(here, xp.home)
    found, expected = there.contributions(xp.asarray(signals)), here.contributions(signals)
    rtol = 1e-4 if dtype == np.float32 else 1e-9
    for part, other in zip(vars(expected).values(), vars(found).values(), strict=True):
        if part is None:
            assert other is None
            continue
        assert part.dtype == dtype
        assert xp.module == "numpy" or xp.is_mine(other)
        atol = rtol * np.abs(part).max()
        np.testing.assert_allclose(xp.to_numpy(other), part, rtol=rtol, atol=atol)
    assert_adds_up(expected, here.decision_function(signals))
    np.testing.assert_allclose(xp.to_numpy(found.total()), expected.total(), rtol=rtol, atol=0.01)


def test_sparse_and_incomplete_signals_have_contributions():
    model = classifier(**GIVEN | {"fit_linear": True}).fit(csr_matrix(X), Y)
    assert_adds_up(model.contributions(csr_matrix(X)), model.decision_function(X))
    incomplete = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    model = regressor(**GIVEN | {"allow_nan": True}).fit(incomplete, HEIGHTS)
    assert_adds_up(model.contributions(incomplete), model.predict(incomplete))


def test_what_has_no_contributions():
    with pytest.raises(NotFittedError):
        classifier().contributions(X)
    model = classifier(**GIVEN).fit(X, Y)
    with pytest.raises(ValueError, match="63 features"):
        model.contributions(X[:, :63])
    with pytest.raises(TypeError, match="in memory"):
        model.contributions(da.from_array(X))


def test_contributions_print_their_shapes():
    model = regressor(**GIVEN).fit(X, HEIGHTS[:, 0])
    parts = model.contributions(X[:5])
    assert repr(parts) == "Contributions(atoms=(5, 6) float64, linear=None, intercept=())"
    model = classifier(**GIVEN | {"fit_linear": True}).fit(X, Y)
    n = len(model.classes_)
    expected = f"Contributions(atoms=(5, {n}, 6) float64, linear=(5, {n}), intercept=({n},))"
    assert repr(model.contributions(X[:5])) == expected
