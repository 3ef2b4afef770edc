"""Layers of learned encoders: where they start, and their gradients."""

from dataclasses import replace

import numpy as np
import pytest
from problems import unit_atoms

from skdict_sup import ElasticNet
from skdict_sup._atoms import Atoms
from skdict_sup.encoders import LayerInput, costs, network, training
from skdict_sup.encoders.facnet import FacNet
from skdict_sup.encoders.gated import SLSTM, AdaptiveISTA
from skdict_sup.encoders.steps import ALISTA, StepLISTA, analytic_weights
from skdict_sup.encoders.unrolled import LFISTA, LISTA, RECURRENT
from skdict_sup.losses import Softmax
from skdict_sup.optim import Adam
from skdict_sup.problem import Problem
from skdict_sup.reconstruction import as_reconstruction
from skdict_sup.supervised.data import Batch
from skdict_sup.supervised.step import HeadSettings

EVERY = {
    "lista": LISTA(),
    "lfista": LFISTA(),
    "facnet": FacNet(),
    "adaptive": AdaptiveISTA(),
    "slstm": SLSTM(),
    "step": StepLISTA(),
    "alista": ALISTA(),
}
PRIORS = {
    "l1": ElasticNet(lam=0.1),
    "elastic net": ElasticNet(lam=0.1, lam2=0.2),
    "nonnegative": ElasticNet(lam=0.1, lam2=0.1, positive=True),
}


def input_of(prior, n=9, p=6, m=8, seed=0, convert=np.asarray):
    rng = np.random.default_rng(seed)
    problem = Problem(as_reconstruction("linear"), prior, Atoms(convert(unit_atoms(rng, p, m))))
    X = convert(rng.normal(size=(n, m)))
    return LayerInput(problem, X)


def varied(layer, size, rng):
    """Weights with noise; those that cannot be negative stay positive."""
    return {
        name: array * np.exp(size * rng.normal(size=array.shape))
        if (array > 0).all()
        else array + size * rng.normal(size=array.shape)
        for name, array in layer.items()
    }


def ista(inputs, n_steps):
    """Codes of plain proximal gradient steps."""
    D, prior = inputs.problem.dictionary, inputs.problem.prior
    step = 1 / np.linalg.norm(D, 2) ** 2
    code, found = np.zeros((len(inputs.X), len(D))), []
    for _ in range(n_steps):
        code = prior.prox(code + step * (inputs.X - code @ D) @ D.T, step)
        found.append(code)
    return found


def fista(inputs, n_steps):
    D, prior = inputs.problem.dictionary, inputs.problem.prior
    step, t = 1 / np.linalg.norm(D, 2) ** 2, 1.0
    code = point = np.zeros((len(inputs.X), len(D)))
    found = []
    for _ in range(n_steps):
        following = prior.prox(point + step * (inputs.X - point @ D) @ D.T, step)
        grown = (1 + np.sqrt(1 + 4 * t**2)) / 2
        point = following + (t - 1) / grown * (following - code)
        code, t = following, grown
        found.append(code)
    return found


@pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
@pytest.mark.parametrize("name", ["lista", "lfista", "facnet", "adaptive", "step"])
def test_every_layer_starts_at_ista_or_fista(name, prior):
    if EVERY[name].needs_signed and prior.positive:
        pytest.skip("made for signed codes")
    inputs = input_of(prior)
    codes, _ = network.forward_with_residuals(
        EVERY[name], EVERY[name].initial_layers(inputs, 8), inputs
    )
    expected = fista(inputs, 8) if name == "lfista" else ista(inputs, 8)
    for found, code in zip(codes, expected, strict=True):
        np.testing.assert_allclose(found, code, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
@pytest.mark.parametrize("name", EVERY)
def test_gradients_are_those_of_finite_differences(name, prior):
    architecture = EVERY[name]
    if architecture.needs_signed and prior.positive:
        pytest.skip("made for signed codes")
    inputs, rng = input_of(prior), np.random.default_rng(1)
    layers = [varied(layer, 0.05, rng) for layer in architecture.initial_layers(inputs, 3)]
    grad_codes = [rng.normal(size=inputs.corr.shape), None, rng.normal(size=inputs.corr.shape)]

    def value(layers):
        codes, _ = network.forward_with_residuals(architecture, layers, inputs)
        return sum(
            float((c * t).sum()) for c, t in zip(codes, grad_codes, strict=True) if t is not None
        )

    _, residuals = network.forward_with_residuals(architecture, layers, inputs)
    found = network.backward(architecture, layers, residuals, grad_codes, inputs)
    step = 1e-6
    for number, gradients in enumerate(found):
        for key, gradient in gradients.items():
            assert gradient.shape == layers[number][key].shape
            direction = rng.normal(size=gradient.shape)

            def moved(sign, number=number, key=key, direction=direction):
                other = layers[number] | {key: layers[number][key] + sign * step * direction}
                return value([*layers[:number], other, *layers[number + 1 :]])

            quotient = (moved(1) - moved(-1)) / (2 * step)
            expected = float((gradient * direction).sum())
            assert quotient == pytest.approx(expected, rel=1e-6, abs=1e-7), (number, key)


def test_analytic_weights_are_the_least_coherent():
    rng = np.random.default_rng(0)
    D = unit_atoms(rng, 12, 8)
    W = analytic_weights(D)
    np.testing.assert_allclose((W * D).sum(axis=1), 1, rtol=1e-12)
    best = ((W @ D.T) ** 2).sum(axis=1)
    for _ in range(50):
        other = W + 0.1 * rng.normal(size=W.shape)
        other = other / (other * D).sum(axis=1, keepdims=True)
        assert (((other @ D.T) ** 2).sum(axis=1) >= best - 1e-12).all()


@pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
def test_the_objective_is_that_of_the_problem_and_its_gradient_right(prior):
    inputs, rng = input_of(prior), np.random.default_rng(2)
    code, step = np.abs(rng.normal(size=inputs.corr.shape)), 1e-6
    cost = costs.Objective()
    residual = inputs.X - code @ inputs.problem.dictionary
    expected = 0.5 * (residual**2).sum(axis=1) + prior.value(code)
    np.testing.assert_allclose(cost.value(code, inputs, None), expected, rtol=1e-12)
    direction = rng.normal(size=code.shape)
    ends = [cost.value(code + s * step * direction, inputs, None).sum() for s in (1, -1)]
    slope = float((cost.gradient(code, inputs, None) * direction).sum())
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("name", EVERY)
def test_a_pass_without_gradients_makes_the_codes_of_one_with_them(name, prior):
    if prior == "nonnegative" and EVERY[name].needs_signed:
        pytest.skip("for signed codes alone")
    inputs, rng = input_of(PRIORS[prior], n=40, p=30, m=20), np.random.default_rng(5)
    layers = [varied(layer, 0.1, rng) for layer in EVERY[name].initial_layers(inputs, 5)]
    codes, _ = network.forward_with_residuals(EVERY[name], layers, inputs)
    for depth in (1, 5):
        found = network.Encoder(EVERY[name], layers[:depth], inputs.problem)(inputs.X)
        np.testing.assert_allclose(found, codes[depth - 1], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("m", [8, 40])
@pytest.mark.parametrize("safeguard", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_codes_of_a_signal_do_not_depend_on_the_batch(name, safeguard, m, dtype):
    inputs = input_of(PRIORS["l1"], 75, 30, m, convert=lambda a: np.asarray(a, dtype))
    layers = EVERY[name].initial_layers(inputs, 4)
    encoder = network.Encoder(EVERY[name], layers, inputs.problem, safeguard)
    X = np.concatenate([inputs.X, 0 * inputs.X[:20], 1e-3 * inputs.X])
    whole = encoder(X)
    for first, last in ((0, 1), (74, 76), (60, 90), (100, 170)):
        np.testing.assert_array_equal(encoder(X[first:last]), whole[first:last])
    np.testing.assert_array_equal(encoder(X[::-1]), whole[::-1])


@pytest.mark.parametrize("name", EVERY)
def test_the_safeguard_never_lets_the_objective_rise(name):
    inputs, rng = input_of(PRIORS["elastic net"], n=40), np.random.default_rng(3)
    layers = [varied(layer, 0.3, rng) for layer in EVERY[name].initial_layers(inputs, 6)]
    before = np.zeros(40)
    rises = 0
    for depth in range(1, 7):
        plain = network.Encoder(EVERY[name], layers[:depth], inputs.problem)(inputs.X)
        rises += (network.objective(plain, inputs) > before + 1e-9).sum()
        guarded = network.Encoder(EVERY[name], layers[:depth], inputs.problem, True)(inputs.X)
        after = network.objective(guarded, inputs)
        assert (after <= before + 1e-12).all()
        before = after
    assert rises  # there was something to guard against


def test_rotations_stay_orthogonal():
    inputs, rng = input_of(PRIORS["l1"]), np.random.default_rng(4)
    weights = FacNet().initial_layers(inputs, 1)[0]
    for _ in range(200):
        gradients = {"rotation": rng.normal(size=(6, 6)), "curvature": rng.normal(size=6)}
        directions = FacNet().tangent_gradients(weights, gradients)
        weights = FacNet().updated(weights, directions, {"rotation": 0.3, "curvature": 0.1})
        A = weights["rotation"]
        np.testing.assert_allclose(A @ A.T, np.eye(6), atol=1e-12)
        assert (weights["curvature"] > 0).all()


@pytest.mark.parametrize("with_head", [False, True])
@pytest.mark.parametrize("every_layer", [False, True])
@pytest.mark.parametrize("target", ["objective", "codes"])
@pytest.mark.parametrize("n_together", [2, 3])
@pytest.mark.parametrize("architecture", [LISTA(), LISTA(RECURRENT), LISTA(()), SLSTM()], ids=str)
def test_gradients_of_the_cost(architecture, n_together, target, every_layer, with_head):
    inputs, rng = input_of(PRIORS["elastic net"]), np.random.default_rng(5)
    first = varied(architecture.initial_layers(inputs, 1)[0], 0.05, rng)
    layers = [varied(layer, 0.05, rng) for layer in architecture.initial_layers(inputs, 3)]
    common = {name: first[name] for name in architecture.shared}
    layers = [layer | (common if k < n_together else {}) for k, layer in enumerate(layers)]
    cost = costs.Objective()
    if target == "codes":
        cost = costs.Distance(rng.normal(size=(20, 6)))
    rows, X, D = np.arange(3, 12), inputs.X, inputs.problem.dictionary
    given = (
        inputs.problem.reconstruction,
        inputs.problem.prior,
        cost,
        2.5,
        every_layer,
        True,
        Adam(),
    )
    settings = HeadSettings(Softmax(), nu=0.1, code_scale=0.7)
    task = (None, settings, 0.3) if with_head else ()
    setup = training.TrainingSetup(architecture, *given, D, layers, X, rows, rng, *task)
    labels = np.eye(3)[rng.integers(0, 3, size=9)]
    batch = Batch(X, labels, rng.uniform(0.5, 2, size=9))
    head = {"coef": rng.normal(size=(3, 6)), "intercept": rng.normal(size=(3, 1))}
    head = head if with_head else {}

    def value(layers, head=head, D=D):
        state = training.initial_state(replace(setup, layers=layers, dictionary=D), head)
        return float(training.cost_and_gradients(state, batch, rows, setup)[0])

    state, step = training.initial_state(setup, head), 1e-6
    _, found, grad_head, grad_dictionary = training.cost_and_gradients(state, batch, rows, setup)
    for number, gradients in enumerate(training._sum_shared(found, setup.shared_with)):
        for name, gradient in gradients.items():
            direction = rng.normal(size=gradient.shape)
            all_of_them = [k for k in range(3) if layers[k][name] is layers[number][name]]

            def moved(sign, name=name, direction=direction, places=all_of_them):
                return value(
                    [
                        layer | {name: layer[name] + sign * step * direction}
                        if k in places
                        else layer
                        for k, layer in enumerate(layers)
                    ]
                )

            expected = float((gradient * direction).sum())
            quotient = (moved(1) - moved(-1)) / (2 * step)
            assert quotient == pytest.approx(expected, rel=1e-6, abs=1e-7), (number, name)
    for name, gradient in grad_head.items():
        direction = rng.normal(size=gradient.shape)
        ends = [value(layers, head | {name: head[name] + s * step * direction}) for s in (1, -1)]
        expected = float((gradient * direction).sum())
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert set(grad_head) == set(head)
    if target == "objective":  # the layers' codes do not depend on the atoms
        direction = rng.normal(size=D.shape)
        ends = [value(layers, D=D + s * step * direction) for s in (1, -1)]
        expected = float((grad_dictionary * direction).sum())
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(expected, rel=1e-6, abs=1e-8)
