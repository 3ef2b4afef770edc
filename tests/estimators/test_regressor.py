"""SupervisedDictionaryRegressor: targets, units, weights, training, linked dictionaries."""

import numpy as np
import pytest
from learners import assert_same, digits, heights, learned, regressor
from problems import unit_atoms
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from skdict_sup import ElasticNet, OnlineDictionaryLearning, SupervisedDictionaryRegressor

CROSSED = ("SupervisedDictionaryRegressor", "OnlineDictionaryLearning")


def problem():
    X = digits()[0]
    return X, heights(X)


def assert_same_fit(found, expected, **close):
    assert_same(learned(found), learned(expected), **close)


# --- targets ----------------------------------------------------------------------------------


def test_predictions_are_shaped_like_the_targets():
    X, Y = problem()
    flat, column, both = (regressor().fit(X, y) for y in (Y[:, 0], Y[:, :1], Y))
    assert flat.predict(X).shape == (160,)
    assert column.predict(X).shape == (160, 1)
    assert both.predict(X).shape == (160, 2)
    np.testing.assert_array_equal(flat.predict(X), column.predict(X)[:, 0])
    assert_same_fit(flat, column)
    for model, n_outputs in ((flat, 1), (column, 1), (both, 2)):
        assert (model.coef_.shape, model.intercept_.shape) == ((n_outputs, 6), (n_outputs,))
        expected = model.transform(X) @ model.coef_.T + model.intercept_
        np.testing.assert_allclose(model.predict(X).reshape(160, -1), expected, rtol=1e-10)
    assert both.score(X, Y) == r2_score(Y, both.predict(X)) > 0.1


def test_the_number_of_outputs_stays():
    X, Y = problem()
    model = regressor().fit(X, Y)
    with pytest.raises(ValueError, match=r"y must have 2 output\(s\) as in the first fit, got 1"):
        model.partial_fit(X, Y[:, 0])


@pytest.mark.parametrize("constant", [0.0, 3.5, -1e6])
def test_a_constant_is_predicted(constant):
    X, _ = problem()
    model = regressor().fit(X, np.full(160, constant))
    np.testing.assert_allclose(model.predict(X), constant, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("scale", "shift"), [(1e6, 0.0), (1e6, 3e7), (-1e-3, 5.0)])
def test_units_of_the_targets_do_not_matter(scale, shift):
    X, Y = problem()
    plain, scaled = regressor().fit(X, Y), regressor().fit(X, scale * Y + shift)
    np.testing.assert_allclose(scaled.components_, plain.components_, rtol=1e-6, atol=1e-9)
    close = {"rtol": 1e-6, "atol": 1e-9 * abs(scale)}
    np.testing.assert_allclose(scaled.predict(X), scale * plain.predict(X) + shift, **close)
    np.testing.assert_allclose(scaled.coef_, scale * plain.coef_, **close)
    np.testing.assert_allclose(scaled.loss_curve_, plain.loss_curve_, rtol=1e-6)


def test_the_order_of_outputs_does_not_matter():
    X, Y = problem()
    one, other = regressor().fit(X, Y), regressor().fit(X, Y[:, ::-1])
    np.testing.assert_allclose(other.predict(X)[:, ::-1], one.predict(X), rtol=1e-9)


# --- weights and training ---------------------------------------------------------------------


def test_weights_count_as_repetitions():
    X, Y = problem()
    times = np.random.default_rng(0).integers(0, 4, len(X))
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(len(X)), times))
    weighted = regressor().fit(X, Y, sample_weight=times)
    assert_same_fit(weighted, regressor().fit(X[rows], Y[rows]), rtol=1e-9, atol=1e-11)
    assert np.abs(weighted.coef_ - regressor().fit(X, Y).coef_).max() > 1e-3


def test_partial_fit_goes_on():
    X, Y = problem()
    model = regressor()
    for rows in np.array_split(np.arange(160), 4) * 5:
        model.partial_fit(X[rows], Y[rows])
    assert model.n_iter_ == 20
    first = regressor().partial_fit(X[:40], Y[:40])
    assert model.score(X, Y) > first.score(X, Y) + 0.1


def test_warm_start_goes_on():
    X, Y = problem()
    model = regressor(warm_start=True).fit(X, Y)
    loss, components = model.loss_curve_[-1], model.components_
    model.set_params(max_iter=8).fit(X, Y)
    np.testing.assert_array_equal(model.initial_components_, components)
    assert model.loss_curve_[-1] < 0.95 * loss


def test_early_stopping_keeps_the_best_epoch():
    X, Y = problem()
    settings = {"early_stopping": True, "learning_rate": 0.1}
    model = regressor(**settings, max_iter=8, validation_fraction=0.25).fit(X, Y)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert len(model.validation_scores_) == model.n_iter_ <= 8
    stopped = regressor(**settings, max_iter=30, tol=10.0, n_iter_no_change=2)
    assert stopped.fit(X, Y).n_iter_ == 3


def test_samples_to_hold_out_are_asked_for():
    X, Y = problem()
    with pytest.raises(
        ValueError, match=r"early_stopping=True requires held-out samples: 1 samples"
    ):
        regressor(early_stopping=True).fit(X[:1], Y[:1])


@pytest.mark.parametrize("positive_dictionary", [False, True])
def test_atoms_stay_in_their_ball(positive_dictionary):
    X, Y = problem()
    model = regressor(learning_rate=1.0, positive_dictionary=positive_dictionary).fit(X, Y)
    for atoms in (model.initial_components_, model.components_):
        assert np.linalg.norm(atoms, axis=1).max() <= 1 + 1e-12
        assert not positive_dictionary or atoms.min() >= 0
    assert np.abs(model.components_ - model.initial_components_).max() > 0.1


# --- what it can learn ------------------------------------------------------------------------


def linked(seed=3, n_samples=900):
    """Signals and targets with one sparse nonnegative code, and two dictionaries.

    Most of what is in a signal, eight atoms of twelve and twice as strong, the targets don't need.
    Atoms come with either sign in the signals, so that a linear model sees next to nothing.
    """
    rng = np.random.default_rng(seed)
    atoms, strength = unit_atoms(rng, 12, 20), np.where(np.arange(12) < 4, 1.0, 2.0)
    counterparts = np.zeros((12, 3))
    counterparts[:4] = rng.normal(size=(4, 3))
    code = rng.normal(size=(n_samples, 12)) * (rng.random((n_samples, 12)) < 0.15)
    X = (code * strength) @ atoms + 0.02 * rng.normal(size=(n_samples, 20))
    return X, np.abs(code) @ counterparts


def test_linked_dictionaries_are_found_better_than_without_the_targets():
    X, Y = linked()
    train, test = slice(0, 600), slice(600, 900)
    prior = ElasticNet(lam=0.1, lam2=0.1, positive=True)
    model = SupervisedDictionaryRegressor(24, prior=prior, max_iter=30, random_state=0)
    supervised = model.fit(X[train], Y[train]).score(X[test], Y[test])

    learner = OnlineDictionaryLearning(24, prior=prior, random_state=0).fit(X[train])
    code, code_test = learner.transform(X[train]), learner.transform(X[test])
    unsupervised = max(
        Ridge(alpha).fit(code, Y[train]).score(code_test, Y[test]) for alpha in (0.01, 0.1, 1, 10)
    )
    linear = Ridge(1.0).fit(X[train], Y[train]).score(X[test], Y[test])
    assert linear < 0.1
    assert supervised > unsupervised + 0.15
    assert supervised > 0.8


def test_supervision_lowers_the_objective_below_that_of_the_best_head_on_the_start():
    X, Y = linked(n_samples=400)
    nu = 1e-3
    prior = ElasticNet(lam=0.1, lam2=0.1, positive=True)
    model = SupervisedDictionaryRegressor(12, prior=prior, nu=nu, max_iter=30, random_state=0)
    model.fit(X, Y)
    spread = np.sqrt(((Y - Y.mean(axis=0)) ** 2).mean())

    def objective(residual, coef):
        fit = 0.5 * (residual**2).sum(axis=1).mean() / spread**2
        return fit + 0.5 * nu * (coef**2).sum() / spread**2

    start = OnlineDictionaryLearning(12, prior=prior, random_state=0).fit(X)
    code = start.transform(X)
    head = Ridge(alpha=nu * len(X)).fit(code, Y)
    unsupervised = objective(Y - head.predict(code), head.coef_)
    assert objective(Y - model.predict(X), model.coef_) < 0.8 * unsupervised


@pytest.mark.numpy_alone("a close choice, for first atoms in the order of NumPy")
@pytest.mark.parametrize(("noise", "times"), [(0.0, (0.1, 1.0)), (30.0, (100.0,))])
def test_the_automatic_ridge_follows_what_left_out_samples_say(noise, times):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 20))
    y = X @ rng.normal(size=20) + noise * rng.normal(size=600)
    settings = {"max_iter": 1, "init_max_iter": 1, "random_state": 0}
    model = SupervisedDictionaryRegressor(40, **settings).fit(X, y)
    # in units of scaled codes, nu=1/n is the ridge of C=1
    assert round(model._training.settings.nu * 600, 9) in times


def test_codes_are_nonnegative_unless_their_halves_are_asked_for():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 6)), rng.normal(size=80)
    settings = {"max_iter": 1, "init_max_iter": 1, "random_state": 0}
    plain = SupervisedDictionaryRegressor(9, **settings).fit(X, y)
    assert plain.prior_.positive
    assert plain.transform(X).min() >= 0
    halves = SupervisedDictionaryRegressor(9, split_sign=True, **settings).fit(X, y)
    assert not halves.prior_.positive
    given = SupervisedDictionaryRegressor(9, prior=ElasticNet(), **settings).fit(X, y)
    assert not given.prior_.positive


def test_a_function_of_the_size_of_signals_can_be_learned():
    # signed codes turn with the signal: no linear head on them can tell x from -x
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    y = np.linalg.norm(X, axis=1)
    few = {"max_iter": 8, "learning_rate": 0.1, "init_max_iter": 2, "random_state": 0}
    found = {
        name: SupervisedDictionaryRegressor(12, **few, **settings)
        .fit(X[:400], y[:400])
        .score(X[400:], y[400:])
        for name, settings in {
            "plain": {},
            "halves": {"split_sign": True},
            "signed": {"prior": ElasticNet(lam2=0.1)},
        }.items()
    }
    assert found["plain"] > 0.8
    assert found["halves"] > 0.8
    assert found["signed"] < 0.1
