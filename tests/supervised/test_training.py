"""The pieces of training: step sizes, mini-batches, repeated samples, the optimiser."""

import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learners import digits
from problems import unit_atoms

from skdict_sup import ElasticNet, SupervisedDictionaryClassifier, encode
from skdict_sup._array import to_numpy
from skdict_sup._linalg import project_ball
from skdict_sup._signals import as_signals
from skdict_sup.losses import Softmax
from skdict_sup.optim import Adam, schedules
from skdict_sup.reconstruction import as_reconstruction
from skdict_sup.solvers import SOLVERS
from skdict_sup.supervised import data as samples_of
from skdict_sup.supervised import passes
from skdict_sup.supervised import step as supervised
from skdict_sup.supervised.data import Batch, Samples
from skdict_sup.supervised.head_fit import fit_head

ADAM = Adam()

# --- step sizes -------------------------------------------------------------------------------


@given(st.integers(1, 3000), st.floats(0.01, 10), st.floats(0.01, 10))
def test_step_sizes_rise_then_fall_to_zero(n_steps, rate, head_rate):
    schedule = schedules.Cosine(rate, head_rate, n_steps)
    pairs = np.array([schedule.learning_rates(done) for done in range(n_steps)])
    assert (pairs > 0).all()
    assert (pairs <= [rate * (1 + 1e-12), head_rate * (1 + 1e-12)]).all()
    np.testing.assert_allclose(pairs[:, 1] * rate, pairs[:, 0] * head_rate, rtol=1e-12)
    top = int(pairs[:, 0].argmax())
    assert (np.diff(pairs[: top + 1, 0]) >= 0).all()
    assert (np.diff(pairs[top:, 0]) <= 0).all()
    assert top <= max(200, n_steps // 5)
    # past the end, as after a fit that goes on, nothing moves
    assert schedule.learning_rates(n_steps) == schedule.learning_rates(n_steps + 7) == (0.0, 0.0)


# --- mini-batches -----------------------------------------------------------------------------


@given(st.integers(1, 500), st.integers(1, 600), st.integers(0, 99))
def test_mini_batches_hold_every_sample_once(n_samples, batch_size, seed):
    parts = samples_of.mini_batches(n_samples, batch_size, np.random.default_rng(seed))
    sizes = [len(part) for part in parts]
    assert sorted(np.concatenate(parts)) == list(range(n_samples))
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 1.5 * batch_size + 1
    again = samples_of.mini_batches(n_samples, batch_size, np.random.default_rng(seed))
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))


def test_augmented_signals_are_checked():
    X, rng = np.ones((3, 2), np.float32), np.random.default_rng(0)
    doubled = samples_of.augment_batch(X, lambda X, rng: X.astype(np.float64) * 2, rng)
    assert doubled.dtype == np.float32
    np.testing.assert_array_equal(doubled, 2)
    with pytest.raises(ValueError, match=r"augment must .*\(3, 2\), got \(3, 1\)"):
        samples_of.augment_batch(X, lambda X, rng: X[:, :1], rng)


# --- repeated samples -------------------------------------------------------------------------


def arrays_of(samples):
    return samples.X.dense(), samples.labels, samples.weight


def repeated(seed=0):
    rng = np.random.default_rng(seed)
    X, target = rng.normal(size=(8, 3)), rng.integers(0, 2, (8, 1)).astype(float)
    return X, target, rng.integers(0, 4, 8), rng


@given(st.integers(0, 2**32 - 1))
def test_repetition_weight_and_order_are_one_thing(seed):
    X, target, times, rng = repeated(seed)
    times[0] = 2
    given = Samples(as_signals(X), target, times.astype(float))
    weighted = given.with_positive_weight().deduplicated()
    rows = rng.permutation(np.repeat(np.arange(8), times))
    listed = Samples(as_signals(X[rows]), target[rows], np.ones(len(rows))).deduplicated()
    for a, b in zip(arrays_of(weighted), arrays_of(listed), strict=True):
        np.testing.assert_array_equal(a, b)
    assert weighted.n_samples == (times > 0).sum()
    assert weighted.weight.sum() == times.sum()


@pytest.mark.parametrize("device", ["CPU_DEVICE", "device1"])
def test_repetition_weight_and_order_are_one_thing_for_other_libraries(device):
    rng = np.random.default_rng(0)
    X, y, times = rng.normal(size=(16, 6)), np.arange(16) % 2, 1 + (np.arange(16) % 3 == 0)
    rows = rng.permutation(np.repeat(np.arange(16), times))
    signals = strict.asarray(X, device=strict.Device(device))
    listed = strict.asarray(X[rows], device=strict.Device(device))

    def model():
        few = {"max_iter": 1, "init_max_iter": 1, "batch_size": 8, "random_state": 0}
        return SupervisedDictionaryClassifier(n_components=3, **few)

    weighted = model().fit(signals, y, sample_weight=times.astype(float))
    np.testing.assert_array_equal(
        to_numpy(weighted.components_), to_numpy(model().fit(listed, y[rows]).components_)
    )


def test_equal_signals_with_other_targets_are_kept_apart():
    X = np.zeros((3, 2))
    merged = Samples(as_signals(X), np.array([[0.0], [1.0], [0.0]]), np.ones(3)).deduplicated()
    assert merged.X.shape == (2, 2)
    np.testing.assert_array_equal(merged.labels, [[0], [1]])
    np.testing.assert_array_equal(merged.weight, [2, 1])


def test_large_data_are_left_in_order():
    X, target, times, _ = repeated()
    given = Samples(as_signals(X), target, times.astype(float))
    for a, b in zip(arrays_of(given.deduplicated(max_samples=3)), arrays_of(given), strict=True):
        np.testing.assert_array_equal(a, b)


@given(st.integers(0, 2**32 - 1))
def test_samples_of_weight_zero_are_left_out(seed):
    X, target, times, _ = repeated(seed)
    weight = times.astype(float)
    used = Samples(as_signals(X), target, weight).with_positive_weight()
    for a, b in zip(arrays_of(used), (X, target, weight), strict=True):
        np.testing.assert_array_equal(a, b[times > 0])


# --- the optimiser ----------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
def test_steps_of_atoms_turn_with_the_features(seed):
    # one second moment for each row: a rotation of the features rotates the steps, no more
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    plain = turned = ADAM.initial_moments(np.zeros((3, 5)), by_row=True)
    for _ in range(4):
        gradient = rng.normal(size=(3, 5)) * [[1.0], [1e-3], [1e3]]
        plain, step = ADAM.direction(plain, gradient)
        turned, turned_step = ADAM.direction(turned, gradient @ rotation)
        np.testing.assert_allclose(turned_step, step @ rotation, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("by_row", [True, False])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_steps_along_a_steady_gradient_have_size_one(by_row, scale):
    gradient = scale * np.random.default_rng(0).normal(size=(4, 7))
    moments = ADAM.initial_moments(gradient, by_row=by_row)
    for _ in range(50):
        moments, step = ADAM.direction(moments, gradient)
        size = np.linalg.norm(step, axis=1) if by_row else np.abs(step)
        np.testing.assert_allclose(size, 1, rtol=1e-9)
        assert (step * gradient > 0).all()
    assert moments.n_steps == 50


def test_steps_are_those_of_adam():
    # Kingma and Ba 2015, algorithm 1; its guard against a division by zero is relative here
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(6, 2, 3))
    moments, m, v = ADAM.initial_moments(gradients[0], by_row=False), 0.0, 0.0
    for t, gradient in enumerate(gradients, start=1):
        moments, step = ADAM.direction(moments, gradient)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        expected = (m / (1 - 0.9**t)) / np.sqrt(v / (1 - 0.999**t))
        np.testing.assert_allclose(step, expected, rtol=1e-10)  # but for what counts as noise


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_a_gradient_that_is_zero_but_for_rounding_is_no_reason_to_move(scale):
    gradient = scale * np.array([[1.0, 1e-16, -2.0]])
    moments = ADAM.initial_moments(gradient, by_row=False)
    for _ in range(3):
        moments, step = ADAM.direction(moments, gradient)
        np.testing.assert_allclose(step, [[1, 0, -1]], atol=1e-9)


@pytest.mark.parametrize("by_row", [True, False])
def test_without_a_gradient_there_is_no_step(by_row):
    gradient = np.zeros((2, 3))
    _, step = ADAM.direction(ADAM.initial_moments(gradient, by_row=by_row), gradient)
    np.testing.assert_array_equal(step, 0)


@pytest.mark.parametrize("positive", [False, True])
def test_project_gives_the_nearest_atoms_of_the_ball(positive):
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(50, 4)) * rng.uniform(0.1, 3, (50, 1))
    atoms[::9] = 0.2 * np.abs(atoms[::9])
    found = project_ball(atoms, positive)
    assert np.linalg.norm(found, axis=1).max() <= 1 + 1e-15
    assert not positive or found.min() >= 0
    np.testing.assert_allclose(project_ball(found, positive), found, rtol=1e-15)
    # nearest: no point of the set lies on the far side of the atom's plane through its projection
    points = project_ball(3 * rng.normal(size=(200, 4)), positive)
    reach = np.einsum("ij,kij->ki", atoms - found, points[:, None] - found[None])
    assert reach.max() <= 1e-12
    inside = np.linalg.norm(atoms, axis=1) <= 1
    if positive:
        inside &= (atoms >= 0).all(axis=1)
    np.testing.assert_array_equal(found[inside], atoms[inside])
    assert inside.any()


def test_every_library_takes_the_same_steps(xp):
    rng = np.random.default_rng(0)
    gradient, atoms = rng.normal(size=(3, 4)), 2 * rng.normal(size=(3, 4))
    for by_row in (True, False):
        _, expected = ADAM.direction(ADAM.initial_moments(gradient, by_row=by_row), gradient)
        mine = xp.asarray(gradient, dtype=np.float32)
        moments, step = ADAM.direction(ADAM.initial_moments(mine, by_row=by_row), mine)
        assert str(step.dtype).endswith("float32")
        assert str(moments.squares.dtype).endswith("float32")
        np.testing.assert_allclose(xp.to_numpy(step), expected, rtol=1e-5)
    for positive in (True, False):
        found = project_ball(xp.asarray(atoms), positive)
        np.testing.assert_allclose(xp.to_numpy(found), project_ball(atoms, positive), rtol=1e-15)


# --- heads and scales -------------------------------------------------------------------------


def head_problem(nu=1e-3):
    X, y = digits(200, n_classes=3)
    dictionary = unit_atoms(np.random.default_rng(0), 12, 64)
    prior = ElasticNet(lam=0.3, lam2=0.1)
    solver = SOLVERS["homotopy"](None)
    settings = supervised.SupervisedSettings(
        Softmax(),
        reconstruction=as_reconstruction("linear"),
        prior=prior,
        solver=solver,
        nu=nu,
        n_jobs=1,
    )
    target = np.eye(3)[y]
    head = supervised.zero_head(dictionary, 3, settings, 64)
    state = supervised.initial_state({"dictionary": dictionary} | head)
    return X, target, state, settings


def test_the_fit_head_is_the_best_one_on_its_codes():
    X, target, state, settings = head_problem(nu=1e-2)
    data = Samples(as_signals(X), target, np.ones(len(X)), batch_size=32)
    trained = fit_head(state, data, settings, np.random.default_rng(0))
    np.testing.assert_array_equal(trained.dictionary, state.dictionary)

    def loss_of(state):
        batch = Batch(X, target, np.ones(200))
        return float(supervised.loss_and_gradients(state, batch, settings)[0])

    # the convex problem of the head alone, by plain gradient descent
    code = encode(X, state.dictionary, prior=settings.prior).code
    coef, intercept = state.parameters["coef"], state.parameters["intercept"]
    rate = 1 / (0.5 * (np.linalg.norm(code, 2) ** 2 / 200 + 1) + 1e-2)
    for _ in range(20_000):
        gradient = Softmax().gradient(code @ coef.T + intercept.T, target) / 200
        coef = coef - rate * (gradient.T @ code + 1e-2 * coef)
        intercept = intercept - rate * gradient.sum(axis=0)[:, None]
    best = loss_of(state.with_parameters(coef=coef, intercept=intercept))
    start = loss_of(state)
    assert start == pytest.approx(np.log(3))
    assert loss_of(trained) < best + 1e-5 * (start - best)


def test_settings_scale_with_the_codes():
    X, target, state, settings = head_problem()
    data = Samples(as_signals(X), target, np.ones(len(X)), batch_size=32)
    rng = np.random.default_rng(0)
    scaled = passes.resolve_scales(settings, state.parameters, data, rng, 2.0)
    code = encode(X, state.dictionary, prior=settings.prior).code
    # entries next to nothing, as smooth priors leave them, say nothing of the scale
    large = np.abs(code) > 0.01 * np.abs(code).max()
    expected = np.sqrt((code[large] ** 2).mean())
    assert scaled.code_scale == pytest.approx(expected, rel=1e-12)
    # the ridge nu on W is nu / scale^2 on the head of scaled codes, scale W
    assert scaled.nu == pytest.approx(2.0 / expected**2, rel=1e-12)
    assert supervised.code_scale_of(np.zeros((3, 2))) == 1.0
