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

from skdict_sup import KL, ElasticNet, Lp, encode
from skdict_sup.coding import make_solver
from skdict_sup.losses import CLASSIFICATION_LOSSES, Smoothed, Softmax, Square
from skdict_sup.reconstruction import as_reconstruction
from skdict_sup.supervised import step as supervised
from skdict_sup.supervised.data import Batch
from skdict_sup.supervised.heads import BilinearHead, BlockHead, LinearHead

CROSSED = ("encode",)

LOSSES = {"square": Square(), **CLASSIFICATION_LOSSES}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def settings_of(prior, loss, transfer="linear", **options):
    reconstruction = as_reconstruction(transfer)
    solver = make_solver("auto", reconstruction, prior)
    terms = {"reconstruction": reconstruction, "prior": prior, "solver": solver}
    return supervised.SupervisedSettings(loss, n_jobs=1, **terms, **options)


def start(dictionary, coef, intercept, **others):
    named = {"dictionary": dictionary, "coef": coef, "intercept": intercept}
    return supervised.initial_state(named | others)


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
    state = start(dictionary, coef, intercept)
    return state, X, weight, prior, nu, code_scale, rng


def keeps_its_distance(state, X, prior, loss, target, code_scale):
    case = Case(X, state.dictionary, prior.lam, prior.lam2, prior.positive, np.zeros(1))
    coef, intercept = state.parameters["coef"], state.parameters["intercept"]
    scores = (case.code / code_scale) @ coef.T + intercept.T
    hinge = not hasattr(loss, "probabilities") and not isinstance(loss, Square)
    return case.keeps_its_distance_from_kinks() and (
        not hinge or np.abs(1 - target * scores).min() > MARGIN
    )


def differences(state, name, value_of, step=STEP):
    """Gradient of a function of the state in one of its arrays, entry by entry."""
    array = state.parameters[name]
    gradient = np.empty_like(array)
    for place in np.ndindex(array.shape):
        move = np.zeros_like(array)
        move[place] = step
        at = [value_of(state.with_parameters(**{name: array + k * move})) for k in (-2, -1, 1, 2)]
        gradient[place] = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step)
    return gradient


def mean_loss(state, batch, settings):
    """The loss of a batch without dropout, from those of its samples, and no gradients."""
    each = supervised.sample_losses(state, batch, settings)
    multiplied = [
        state.parameters[name] for name in ("coef", "linear") if name in state.parameters
    ]
    ridge = 0.5 * settings.nu * sum((array**2).sum() for array in multiplied)
    return float(np.average(each, weights=batch.weight) + ridge)


def assert_derivatives(state, batch, settings, mu=0.0, step=STEP):
    def value_of(changed):
        if mu or batch.mask is not None:
            return float(supervised.loss_and_gradients(changed, batch, settings, mu)[0])
        return mean_loss(changed, batch, settings)

    value, gradients, code, _ = supervised.loss_and_gradients(state, batch, settings, mu)
    seen = supervised.make_head_input(code, batch, settings)

    def value_beside(changed):
        return float(supervised.head_loss_and_gradients(changed.parameters, seen, settings)[0])

    assert float(value) == pytest.approx(value_of(state), rel=1e-12)
    assert mu or float(value) == pytest.approx(value_beside(state), rel=1e-12)
    assert gradients.keys() == state.parameters.keys()
    size = max(1.0, *(np.abs(g).max() for g in gradients.values()))
    for name, found in gradients.items():
        assert found.shape == state.parameters[name].shape
        # codes stay where the head alone is moved
        moves_codes = mu or name in ("dictionary", "projection")
        expected = differences(state, name, value_of if moves_codes else value_beside, step)
        assert np.abs(found - expected).max() <= RTOL * size, name


@every_loss
@given(batch=batches())
def test_gradients_are_the_derivatives_of_the_loss(loss, batch):
    state, X, weight, prior, nu, code_scale, rng = batch
    target = targets(loss, len(X), len(state.parameters["coef"]), rng)
    assume(keeps_its_distance(state, X, prior, loss, target, code_scale))
    settings = settings_of(prior, loss, nu=nu, code_scale=code_scale)
    assert_derivatives(state, Batch(X, target, weight), settings)


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
    atoms = unit_atoms(rng, 4, 3) * (3.0 if transfer == "softmax" else 1.0)
    X = rng.dirichlet(np.ones(3), 3) if transfer == "softmax" else 2 * rng.normal(size=(3, 3))
    state = start(atoms, rng.normal(size=(2, 4)), rng.normal(size=(2, 1)))
    target, weight = targets(loss, 3, 2, rng), rng.uniform(0.5, 2.0, 3)
    settings = settings_of(prior, loss, transfer, nu=0.3, code_scale=2.5)
    assert_derivatives(state, Batch(X, target, weight), settings, step=1e-3)


SHAPES = {
    "linear": (LinearHead(), 1, False),
    "path": (LinearHead(skip=True), 1, True),
    "bilinear": (BilinearHead(), 1, False),
    "bilinear_path": (BilinearHead(skip=True), 1, True),
    "blocks": (BlockHead(), 2, False),
    "blocks_path": (BlockHead(skip=True), 2, True),
}


@pytest.mark.parametrize(("head", "n_blocks", "projected"), SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("split_sign", [True, False])
def test_gradients_of_every_formulation_are_the_derivatives(split_sign, head, n_blocks, projected):
    rng = np.random.default_rng(3)
    n_features, width = 4, 2 if projected else 4
    prior = KL(lam=0.1, p=0.05)  # halves of other codes have a kink at zero
    head = replace(head, split_sign=split_sign) if n_blocks > 1 else head
    dictionary = unit_atoms(rng, 3 * n_blocks, width)
    settings = settings_of(
        prior,
        Softmax(),
        head=head,
        n_blocks=n_blocks,
        split_sign=split_sign,
        nu=0.3,
        code_scale=0.7,
        signal_scale=1.3,
        mean_sq_norm=2.0,
    )
    zeros = supervised.zero_head(dictionary, 2, settings, n_features)
    others = {name: rng.normal(size=array.shape) for name, array in zeros.items()}
    if projected:
        others["projection"] = unit_atoms(rng, width, n_features)
    state = supervised.initial_state({"dictionary": dictionary} | others)
    X, weight = 2 * rng.normal(size=(3, n_features)), rng.uniform(0.5, 2.0, 3)
    mask = rng.integers(0, 2, size=(3, (6 if split_sign else 3) * n_blocks)) * 2.0
    batch = Batch(X, np.eye(2)[rng.integers(2, size=3)], weight, mask, rng.normal(size=(2, 4)))
    # a projection follows the loss alone: reconstruction would have it vanish
    for mu in (0.0,) if projected else (0.0, 0.4):
        assert_derivatives(state, batch, settings, mu, step=1e-3)


@every_loss
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_smoothed_loss_is_the_mean_over_labels_drawn_at_random(loss, share):
    rng = np.random.default_rng(0)
    scores, table = rng.normal(size=(7, 3)), np.eye(3)
    table = 2 * table - 1 if getattr(loss, "margins", False) else table
    target = table[rng.integers(3, size=7)]
    smoothed = Smoothed(loss, share, table)
    uniform = np.mean([loss.value(scores, np.tile(row, (7, 1))) for row in table], axis=0)
    expected = (1 - share) * loss.value(scores, target) + share * uniform
    np.testing.assert_allclose(smoothed.value(scores, target), expected, rtol=1e-12)
    found, step = smoothed.gradient(scores, target), 1e-6
    for place in np.ndindex(scores.shape):
        move = np.zeros_like(scores)
        move[place] = step
        ends = [smoothed.value(scores + k * move, target)[place[0]] for k in (-1, 1)]
        assert found[place] == pytest.approx((ends[1] - ends[0]) / (2 * step), abs=1e-8)


def fixed_batch(loss, n_samples=12):
    rng = np.random.default_rng(0)
    state = start(unit_atoms(rng, 9, 6), rng.normal(size=(3, 9)), rng.normal(size=(3, 1)))
    X, weight = rng.normal(size=(n_samples, 6)), rng.uniform(0.5, 2.0, n_samples)
    return state, Batch(X, targets(loss, n_samples, 3, rng), weight)


PRIOR = ElasticNet(lam=0.15, lam2=0.05)


@every_loss
def test_the_loss_is_the_weighted_mean_and_the_ridge(loss):
    state, batch = fixed_batch(loss)
    settings = settings_of(PRIOR, loss, nu=0.3, code_scale=2.0)
    value, _, code, _ = supervised.loss_and_gradients(state, batch, settings)
    coef, intercept = state.parameters["coef"], state.parameters["intercept"]
    scores = (code / 2.0) @ coef.T + intercept.T
    expected = np.average(loss.value(scores, batch.target), weights=batch.weight)
    assert float(value) == pytest.approx(expected + 0.15 * (coef**2).sum(), rel=1e-12)


def test_mu_mixes_the_loss_with_the_objective_of_the_codes():
    state, batch = fixed_batch(Square())
    settings = settings_of(PRIOR, Square(), mean_sq_norm=3.0)
    labelled = float(supervised.loss_and_gradients(state, batch, settings)[0])
    others = np.random.default_rng(5).normal(size=(20, 6))
    objective = encode(others, state.dictionary, prior=PRIOR).objective.mean() / 3.0
    batch = replace(batch, reconstruction_signals=others)
    for mu in (0.25, 1.0):
        mixed = float(supervised.loss_and_gradients(state, batch, settings, mu)[0])
        assert mixed == pytest.approx((1 - mu) * labelled + mu * objective, rel=1e-10)


@every_loss
def test_a_sample_of_weight_two_is_two_samples(loss):
    state, batch = fixed_batch(loss)
    repeats = np.arange(len(batch.X)) % 3  # a weight of zero is no sample
    settings = settings_of(PRIOR, loss, nu=0.3)
    five = replace(batch, weight=5.0 * repeats)
    weighted = supervised.loss_and_gradients(state, five, settings)
    X, target = (np.repeat(a, repeats, axis=0) for a in (batch.X, batch.target))
    repeated = supervised.loss_and_gradients(state, Batch(X, target, np.ones(len(X))), settings)
    np.testing.assert_allclose(weighted[0], repeated[0], rtol=1e-12)
    for name, found in weighted[1].items():
        np.testing.assert_allclose(found, repeated[1][name], rtol=1e-10, atol=1e-13)


@every_loss
def test_the_scale_of_signals_cancels(loss):
    # signals, lam and code_scale times c: scores, loss and gradients stay
    state, batch = fixed_batch(loss)
    plain = supervised.loss_and_gradients(state, batch, settings_of(PRIOR, loss, nu=0.3))
    prior = ElasticNet(lam=255 * PRIOR.lam, lam2=PRIOR.lam2)
    larger = replace(batch, X=255 * batch.X)
    settings = settings_of(prior, loss, nu=0.3, code_scale=255.0)
    scaled = supervised.loss_and_gradients(state, larger, settings)
    np.testing.assert_allclose(scaled[0], plain[0], rtol=1e-12)
    for name, found in scaled[1].items():
        np.testing.assert_allclose(found, plain[1][name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("adaptive", [True, False])
@every_loss
def test_small_steps_against_the_gradient_lower_the_loss(loss, adaptive):
    state, batch = fixed_batch(loss)
    settings = settings_of(PRIOR, loss, nu=1e-3, adaptive=adaptive)
    losses = []
    for _ in range(30):
        state, value, *_ = supervised.step(state, batch, settings, (1e-3, 1e-3))
        losses.append(float(value))
    assert losses[-1] < losses[0]
    assert np.linalg.norm(state.dictionary, axis=1).max() <= 1 + 1e-12


def test_the_amplification_is_that_of_nearly_dependent_atoms():
    # two atoms at an angle e in one code: the smallest eigenvalue of their Gram matrix is e^2 / 2
    angle = 1e-2
    atoms = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
    code = np.array([[1.0, 1.0]])
    prior = ElasticNet(lam=1e-3)
    X = code @ atoms + prior.lam * np.ones((1, 2)) @ np.linalg.inv(atoms).T
    coef = np.array([[1.0, -1.0]])  # along the direction that the atoms hardly tell
    state, batch = start(atoms, coef, np.zeros((1, 1))), Batch(X, np.zeros((1, 1)), np.ones(1))
    for lam2, expected in ((0.0, 1 / (1 - np.cos(angle))), (0.1, 10.0)):
        settings = settings_of(ElasticNet(prior.lam, lam2=lam2), Square())
        state = state.with_parameters(intercept=np.ones((1, 1)))
        found = supervised.loss_and_gradients(state, batch, settings)[3]
        assert found == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-9), (np.float32, 1e-3)])
@every_loss
def test_every_library_has_the_same_gradients(loss, dtype, rtol, xp):
    state, batch = fixed_batch(loss, n_samples=6)
    settings = settings_of(PRIOR, loss, nu=0.3, code_scale=2.0)
    expected = supervised.loss_and_gradients(state, batch, settings, 0.2)
    named = {name: xp.asarray(a, dtype=dtype) for name, a in state.parameters.items()}
    mine = supervised.initial_state(named)
    data = Batch(*(xp.asarray(a, dtype=dtype) for a in (batch.X, batch.target, batch.weight)))
    found = supervised.loss_and_gradients(mine, data, settings, 0.2)
    assert float(found[0]) == pytest.approx(float(expected[0]), rel=rtol)
    for name, a in found[1].items():
        assert xp.is_mine(a)
        assert str(a.dtype).endswith(np.dtype(dtype).name)
        np.testing.assert_allclose(xp.to_numpy(a), expected[1][name], rtol=rtol, atol=rtol)
    moved, *_ = supervised.step(mine, data, settings, (np.float64(0.1), np.float64(0.1)))
    for array in (*moved.parameters.values(), moved.moments["dictionary"].squares):
        assert str(array.dtype).endswith(np.dtype(dtype).name)


@pytest.mark.parametrize(("head", "n_blocks", "path"), SHAPES.values(), ids=SHAPES)
def test_every_library_has_the_same_scores_of_every_head(head, n_blocks, path, xp):
    rng = np.random.default_rng(0)
    home = rng.normal(size=(4 * n_blocks, 5))
    head = replace(head, split_sign=True) if n_blocks > 1 else head
    settings = settings_of(PRIOR, Square(), head=head, n_blocks=n_blocks, split_sign=True)
    zeros = supervised.zero_head(home, 2, settings, 5)
    named = {name: rng.normal(size=array.shape) for name, array in zeros.items()}
    arrays = rng.normal(size=(6, 8 * n_blocks)), rng.normal(size=(6, 5))
    expected = head.scores(named, *arrays)
    mine = {name: xp.asarray(array) for name, array in named.items()}
    features, X = (xp.asarray(a) for a in arrays)
    found = head.scores(mine, features, X)
    np.testing.assert_allclose(xp.to_numpy(found), expected, rtol=1e-12)
    toward = rng.normal(size=(6, 2))
    gradients, back = head.vjp(named, *arrays, toward)
    others, other = head.vjp(mine, features, X, xp.asarray(toward))
    np.testing.assert_allclose(xp.to_numpy(other), back, rtol=1e-12)
    for name, array in others.items():
        np.testing.assert_allclose(xp.to_numpy(array), gradients[name], rtol=1e-12)
