"""Gradients of the supervised loss, through the codes, against finite differences.

As in `gradients`, a case keeps a margin from the kinks of the codes: no entry of a code comes or
goes within the steps. The squared hinge has a kink in its slope, where a margin is one; there the
loss is still differentiable, and the difference of low order that is left is kept away too.
"""

from dataclasses import replace

import numpy as np
import pytest
from gradients import MARGIN, RTOL, STEP, Case
from hypothesis import assume, given
from hypothesis import strategies as st
from problems import unit_atoms

from skdict_sup import KL, ElasticNet, Lp
from skdict_sup.coding import make_solver
from skdict_sup.dictionary import supervised
from skdict_sup.losses import CLASSIFICATION_LOSSES, Square
from skdict_sup.reconstruction import as_reconstruction

LOSSES = {"square": Square(), **CLASSIFICATION_LOSSES}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
ARGUMENTS = ("dictionary", "coef", "intercept")


def settings_of(prior, loss, nu=0.0, code_scale=1.0, transfer="linear", split_sign=False):
    reconstruction = as_reconstruction(transfer)
    solver = make_solver("auto", reconstruction, prior)
    return supervised.SupervisedSettings(
        reconstruction,
        prior,
        solver,
        loss,
        nu,
        code_scale,
        positive_dictionary=False,
        split_sign=split_sign,
        n_jobs=1,
    )


def targets(loss, n_samples, n_outputs, rng):
    if isinstance(loss, Square):
        return rng.normal(size=(n_samples, n_outputs))
    if loss.margins:
        return rng.choice([-1.0, 1.0], size=(n_samples, n_outputs))
    return np.eye(n_outputs)[rng.integers(n_outputs, size=n_samples)]


@st.composite
def batches(draw):
    """Everything but the loss: state, signals, weights, prior, nu, code_scale, a generator."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_samples, n_components, n_outputs = (
        draw(st.integers(1, 4)),
        draw(st.integers(1, 5)),
        draw(st.integers(1, 3)),
    )
    n_features = draw(st.integers(2, 5))
    dictionary = unit_atoms(rng, n_components, n_features)
    coef, intercept = rng.normal(size=(n_outputs, n_components)), rng.normal(size=(n_outputs, 1))
    X = rng.normal(size=(n_samples, n_features))
    prior = ElasticNet(draw(st.floats(0.05, 0.5)), draw(st.sampled_from([0.01, 0.1])))
    weight = rng.uniform(0.1, 3.0, n_samples)
    nu, code_scale = draw(st.sampled_from([0.0, 0.3])), draw(st.sampled_from([1.0, 2.5]))
    state = supervised.start(dictionary, coef, intercept)
    return state, X, weight, prior, nu, code_scale, rng


def keeps_its_distance(state, X, prior, loss, target, code_scale):
    case = Case(X, state.dictionary, prior.lam, prior.lam2, prior.positive, np.zeros(1))
    scores = (case.code / code_scale) @ state.coef.T + state.intercept.T
    hinge = not hasattr(loss, "probabilities") and not isinstance(loss, Square)
    return case.keeps_its_distance_from_kinks() and (
        not hinge or np.abs(1 - target * scores).min() > MARGIN
    )


def differences(state, name, value_of, step=STEP):
    """Gradient of a function of the state in one of its arrays, entry by entry."""
    array = getattr(state, name)
    gradient = np.empty_like(array)
    for place in np.ndindex(array.shape):
        move = np.zeros_like(array)
        move[place] = step
        at = [value_of(replace(state, **{name: array + k * move})) for k in (-2, -1, 1, 2)]
        gradient[place] = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step)
    return gradient


@every_loss
@given(batch=batches())
def test_gradients_are_the_derivatives_of_the_loss(loss, batch):
    state, X, weight, prior, nu, code_scale, rng = batch
    target = targets(loss, len(X), len(state.coef), rng)
    assume(keeps_its_distance(state, X, prior, loss, target, code_scale))
    settings = settings_of(prior, loss, nu, code_scale)

    def value_of(changed):
        return float(supervised.loss_and_gradients(changed, X, target, weight, settings)[0])

    _, gradients, _ = supervised.loss_and_gradients(state, X, target, weight, settings)
    size = max(1.0, *(np.abs(g).max() for g in gradients))
    for name, found in zip(ARGUMENTS, gradients, strict=True):
        assert found.shape == getattr(state, name).shape
        expected = differences(state, name, value_of)
        assert np.abs(found - expected).max() <= RTOL * size, name


SMOOTH = {
    "kl": KL(lam=0.1, p=0.05),
    "kl_positive": KL(lam=0.1, p=np.array([0.3, 0.01, 0.05, 1.0]), positive=True),
    "lp": Lp(lam=0.3, exponent=1.5),
    "ridge": Lp(lam=0.3, exponent=2.0),
}


@every_loss
@pytest.mark.parametrize("transfer", ["linear", "softmax"])
@pytest.mark.parametrize("prior", SMOOTH.values(), ids=SMOOTH)
def test_gradients_through_smooth_codes_are_the_derivatives_of_the_loss(prior, transfer, loss):
    # no kinks, so no margins; the steps are longer, since codes are exact to 1e-9 alone
    rng = np.random.default_rng(1)
    atoms = unit_atoms(rng, 4, 5) * (3.0 if transfer == "softmax" else 1.0)
    X = rng.dirichlet(np.ones(5), 3) if transfer == "softmax" else 2 * rng.normal(size=(3, 5))
    state = supervised.start(atoms, rng.normal(size=(2, 4)), rng.normal(size=(2, 1)))
    target, weight = targets(loss, 3, 2, rng), rng.uniform(0.5, 2.0, 3)
    settings = settings_of(prior, loss, 0.3, 2.5, transfer)

    def value_of(changed):
        return float(supervised.loss_and_gradients(changed, X, target, weight, settings)[0])

    _, gradients, _ = supervised.loss_and_gradients(state, X, target, weight, settings)
    size = max(1.0, *(np.abs(g).max() for g in gradients))
    for name, found in zip(ARGUMENTS, gradients, strict=True):
        expected = differences(state, name, value_of, 1e-3)
        assert np.abs(found - expected).max() <= RTOL * size, name


def fixed_batch(loss, n_samples=12):
    rng = np.random.default_rng(0)
    state = supervised.start(
        unit_atoms(rng, 9, 6), rng.normal(size=(3, 9)), rng.normal(size=(3, 1))
    )
    X, weight = rng.normal(size=(n_samples, 6)), rng.uniform(0.5, 2.0, n_samples)
    return state, X, targets(loss, n_samples, 3, rng), weight


PRIOR = ElasticNet(lam=0.15, lam2=0.05)


@every_loss
def test_the_loss_is_the_weighted_mean_and_the_ridge(loss):
    state, X, target, weight = fixed_batch(loss)
    settings = settings_of(PRIOR, loss, nu=0.3, code_scale=2.0)
    value, _, code = supervised.loss_and_gradients(state, X, target, weight, settings)
    scores = (code / 2.0) @ state.coef.T + state.intercept.T
    expected = np.average(loss.value(scores, target), weights=weight)
    assert float(value) == pytest.approx(expected + 0.15 * (state.coef**2).sum(), rel=1e-12)


@every_loss
def test_a_sample_of_weight_two_is_two_samples(loss):
    state, X, target, _ = fixed_batch(loss)
    repeats = np.arange(len(X)) % 3  # a weight of zero is no sample
    settings = settings_of(PRIOR, loss, nu=0.3)
    weighted = supervised.loss_and_gradients(state, X, target, 5.0 * repeats, settings)
    X, target = np.repeat(X, repeats, axis=0), np.repeat(target, repeats, axis=0)
    repeated = supervised.loss_and_gradients(state, X, target, np.ones(len(X)), settings)
    np.testing.assert_allclose(weighted[0], repeated[0], rtol=1e-12)
    for a, b in zip(weighted[1], repeated[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


@every_loss
def test_the_scale_of_signals_cancels(loss):
    # signals, lam and code_scale times c: scores, loss and gradients stay
    state, X, target, weight = fixed_batch(loss)
    plain = supervised.loss_and_gradients(
        state, X, target, weight, settings_of(PRIOR, loss, nu=0.3)
    )
    prior = ElasticNet(lam=255 * PRIOR.lam, lam2=PRIOR.lam2)
    scaled = supervised.loss_and_gradients(
        state, 255 * X, target, weight, settings_of(prior, loss, nu=0.3, code_scale=255.0)
    )
    np.testing.assert_allclose(scaled[0], plain[0], rtol=1e-12)
    for a, b in zip(scaled[1], plain[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@every_loss
def test_small_steps_against_the_gradient_lower_the_loss(loss):
    state, X, target, weight = fixed_batch(loss)
    settings = settings_of(PRIOR, loss, nu=1e-3)
    losses = []
    for _ in range(30):
        state, value, _ = supervised.step(state, X, target, weight, settings, (1e-3, 1e-3))
        losses.append(float(value))
    assert losses[-1] < losses[0]
    assert np.linalg.norm(state.dictionary, axis=1).max() <= 1 + 1e-12


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-9), (np.float32, 1e-3)])
@every_loss
def test_every_library_has_the_same_gradients(loss, dtype, rtol, xp):
    state, X, target, weight = fixed_batch(loss)
    settings = settings_of(PRIOR, loss, nu=0.3, code_scale=2.0)
    expected = supervised.loss_and_gradients(state, X, target, weight, settings)
    arrays = (state.dictionary, state.coef, state.intercept)
    mine = supervised.start(*(xp.asarray(a, dtype=dtype) for a in arrays))
    data = [xp.asarray(a, dtype=dtype) for a in (X, target, weight)]
    found = supervised.loss_and_gradients(mine, *data, settings)
    assert float(found[0]) == pytest.approx(float(expected[0]), rel=rtol)
    for a, b in zip(found[1], expected[1], strict=True):
        assert xp.is_mine(a)
        assert str(a.dtype).endswith(np.dtype(dtype).name)
        np.testing.assert_allclose(xp.to_numpy(a), b, rtol=rtol, atol=rtol)
    moved, *_ = supervised.step(mine, *data, settings, (np.float64(0.1), np.float64(0.1)))
    for array in (moved.dictionary, moved.coef, moved.intercept, moved.moments[0].squares):
        assert str(array.dtype).endswith(np.dtype(dtype).name)
