"""Objective of the layers as a loss, joined with a supervised one, and the steps of its weight."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.autograd import gradcheck
from torch.func import functional_call
from torch_problems import LAYERS, TOL, conv, dense, gradients, layer_and_input, normal

from skdict_sup import KL, ElasticNet, Lp, encode
from skdict_sup.nn import MuSchedule, SemiSupervisedLoss

EN = ElasticNet(0.2, 0.1)
every_layer = pytest.mark.parametrize("kind", LAYERS)
cross_entropy = torch.nn.CrossEntropyLoss()


def model_and_batch(n_samples=9):
    """Two factorization layers and a linear one, with an input and classes."""
    torch.manual_seed(0)
    layers = [
        conv(1, 4, 2, prior=EN),
        torch.nn.Flatten(),
        dense(16, 7, prior=ElasticNet(0.1, 0.05)),
        torch.nn.Linear(7, 3).double(),
    ]
    return torch.nn.Sequential(*layers), normal(n_samples, 1, 3, 3), torch.arange(n_samples) % 3


def state_of(*parameters):
    return [p.grad.clone() for p in parameters]


# --- the objective of a layer ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("prior", "transfer"),
    [
        (EN, "linear"),
        (ElasticNet(0.1, positive=True), "linear"),
        (KL(0.2, 0.1), "linear"),
        (Lp(0.2, 1.5), "linear"),
        (KL(0.1, 0.1), "softmax"),
    ],
    ids=str,
)
def test_the_loss_of_a_layer_is_the_mean_objective(prior, transfer):
    layer, input = dense(prior=prior, transfer=transfer), normal(20, 6)
    input = torch.softmax(input, dim=1) if transfer == "softmax" else input
    layer(input.reshape(4, 5, 6))
    D = layer.dictionary.detach().numpy()
    expected = encode(input.numpy(), D, prior=prior, transfer=transfer).objective.mean()
    np.testing.assert_allclose(layer.reconstruction_loss().item(), expected, rtol=1e-9)


def test_patches_count_alike():
    layer, images = conv(), normal(3, 2, 4, 3)
    layer(images)
    rows = torch.nn.functional.unfold(images, 2).transpose(1, 2).reshape(-1, 8)
    expected = encode(rows.numpy(), layer.dictionary.detach().numpy(), prior=EN).objective.mean()
    np.testing.assert_allclose(layer.reconstruction_loss().item(), expected, rtol=1e-9)


@pytest.mark.parametrize("prior", [EN, KL(0.2, 0.1)], ids=str)
def test_its_gradients_are_those_at_fixed_codes(prior):
    """Equations 13 and 15: -w'(x - w D) / n and (x - w D) / n."""
    layer, input = dense(prior=prior, learn_prior=True), normal(20, 6).requires_grad_()
    code = layer(input).detach()
    found = gradients(layer.reconstruction_loss(), layer.dictionary, input)
    residual = (input - code @ layer.dictionary).detach() / 20
    for mine, other in zip(found, (-code.T @ residual, residual), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-12)
    layer(input)
    layer.reconstruction_loss().backward()
    assert layer.log_lam.grad is None or layer.log_lam.grad == 0, "it would drive lam to zero"


@every_layer
@pytest.mark.parametrize("prior", [EN, KL(0.2, 0.1)], ids=str)
def test_these_are_derivatives_of_the_minimum(kind, prior):
    layer, input = layer_and_input(kind, prior=prior, tol=TOL, norm=0.9)

    def loss(input, dictionary):
        functional_call(layer, {"dictionary": dictionary}, (input,))
        return layer.reconstruction_loss()

    dictionary = layer.dictionary.detach().clone().requires_grad_()
    assert gradcheck(loss, (input.requires_grad_(), dictionary))


def test_distributions_have_derivatives_along_the_simplex():
    layer = dense(prior=KL(0.1, 0.1), transfer="softmax", tol=TOL, norm=0.9)

    def loss(scores, dictionary):
        input = torch.softmax(scores, dim=1)
        functional_call(layer, {"dictionary": dictionary}, (input,))
        return layer.reconstruction_loss()

    dictionary = layer.dictionary.detach().clone().requires_grad_()
    assert gradcheck(loss, (normal(4, 6).requires_grad_(), dictionary))


def test_gradients_of_codes_and_of_objectives_add_up():
    layer, input = layer_and_input("dense")
    input.requires_grad_()
    inputs = input, layer.dictionary
    parts = [
        gradients(layer(input).square().sum(), *inputs),
        gradients((layer(input), layer.reconstruction_loss())[1], *inputs),
    ]
    code = layer(input)
    both = gradients(code.square().sum() + 3 * layer.reconstruction_loss(), *inputs)
    for found, first, second in zip(both, *parts, strict=True):
        np.testing.assert_allclose(found, first + 3 * second, rtol=1e-12, atol=1e-13)


def test_gradients_reach_the_layers_below():
    below, layer, input = torch.nn.Linear(5, 6).double(), dense(), normal(8, 5)
    code = layer(below(input)).detach()
    layer.reconstruction_loss().backward()
    found = below.weight.grad.clone()
    below.zero_grad()
    residual = below(input) - code @ layer.dictionary.detach()
    (0.5 * residual.square().sum() / 8).backward()
    torch.testing.assert_close(found, below.weight.grad, rtol=1e-10, atol=1e-12)


# --- the joined loss -------------------------------------------------------------------------


@pytest.mark.parametrize("mu", [0.0, 0.3, 1.0])
def test_the_loss_weighs_both_parts(mu):
    model, input, target = model_and_batch()
    output = model(input)
    loss = SemiSupervisedLoss(model, cross_entropy, mu=mu)(output, target)
    unsupervised = model[0].reconstruction_loss() + model[2].reconstruction_loss()
    expected = (1 - mu) * cross_entropy(output, target) + mu * unsupervised
    np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-14)
    parameters = list(model.parameters())
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    other = torch.autograd.grad(expected, parameters, allow_unused=True)
    for mine, theirs in zip(found, other, strict=True):
        mine = torch.zeros_like(theirs) if mine is None else mine
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("mu", [0.0, 0.3, 1.0])
def test_samples_without_a_class_count_in_the_unsupervised_part_alone(mu):
    model, input, target = model_and_batch()
    target[[1, 4, 5]] = -1
    output = model(input)
    found = SemiSupervisedLoss(model, cross_entropy, mu)(output, target)
    labelled = target >= 0
    unsupervised = model[0].reconstruction_loss() + model[2].reconstruction_loss()
    expected = (1 - mu) * cross_entropy(output[labelled], target[labelled]) + mu * unsupervised
    np.testing.assert_allclose(found.item(), expected.item(), rtol=1e-14)


@pytest.mark.parametrize("n_targets", [None, 2])
def test_targets_of_nan_count_in_the_unsupervised_part_alone(n_targets):
    model, input, _ = model_and_batch()
    model[3] = torch.nn.Linear(7, n_targets or 1).double()
    target = normal(9, n_targets or 1, seed=5)
    target[2, 0] = target[7] = torch.nan
    output = model(input)
    if n_targets is None:
        target, output = target[:, 0], output[:, 0]
    loss = SemiSupervisedLoss(model, torch.nn.MSELoss(), mu=0.3)
    rows = [0, 1, 3, 4, 5, 6, 8]
    unsupervised = model[0].reconstruction_loss() + model[2].reconstruction_loss()
    expected = 0.7 * (output[rows] - target[rows]).square().mean() + 0.3 * unsupervised
    np.testing.assert_allclose(loss(output, target).item(), expected.item(), rtol=1e-13)


def test_a_batch_without_labels_has_the_unsupervised_part():
    model, input, target = model_and_batch()
    loss = SemiSupervisedLoss(model, cross_entropy, mu=0.3)
    found = loss(model(input), torch.full_like(target, -1))
    unsupervised = model[0].reconstruction_loss() + model[2].reconstruction_loss()
    np.testing.assert_allclose(found.item(), 0.3 * unsupervised.item(), rtol=1e-14)
    found.backward()
    assert not model[3].weight.grad.any()
    assert model[2].dictionary.grad.any()


def test_another_batch_may_be_unlabelled():
    model, input, target = model_and_batch()
    other = 2 * normal(5, 1, 3, 3, seed=7)
    loss = SemiSupervisedLoss(model, cross_entropy, mu=0.3)
    found = loss(model(input), target, unlabelled=other)
    found.backward()
    found_gradients = state_of(*model.parameters())
    model.zero_grad()
    supervised = cross_entropy(model(input), target)
    model(other)
    unsupervised = model[0].reconstruction_loss() + model[2].reconstruction_loss()
    expected = 0.7 * supervised + 0.3 * unsupervised
    expected.backward()
    np.testing.assert_allclose(found.item(), expected.item(), rtol=1e-13)
    for mine, theirs in zip(found_gradients, state_of(*model.parameters()), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)


def test_without_weight_another_batch_is_not_coded():
    model, input, target = model_and_batch()
    output = model(input)
    loss = SemiSupervisedLoss(model, cross_entropy, mu=0.0)
    found = loss(output, target, unlabelled="not a batch")
    assert torch.equal(found, cross_entropy(output, target))


def test_the_loss_owns_no_parameters_of_the_model():
    model, *_ = model_and_batch()
    loss = SemiSupervisedLoss(model, cross_entropy, mu=0.25)
    assert list(loss.parameters()) == []
    assert loss.state_dict() == {}
    assert "mu=0.25" in repr(loss)


# --- steps of the weight ---------------------------------------------------------------------


def schedule(milestones=(2, 3, 5), **settings):
    loss = SemiSupervisedLoss(dense(), cross_entropy)
    return MuSchedule(loss, milestones, **settings)


def run(steps, n_epochs):
    """Values of mu in the next epochs."""
    found = []
    for _ in range(n_epochs):
        assert steps.get_last_mu() == steps.loss.mu
        found.append(steps.loss.mu)
        steps.step()
    return found


def test_the_weight_steps_down_as_in_the_paper():
    assert run(schedule(), 7) == [0.8, 0.8, 0.5, 0.3, 0.3, 0.0, 0.0]


def test_other_values_are_taken_in_their_order():
    assert run(schedule([1], values=[0.1, 0.9]), 3) == [0.1, 0.9, 0.9]
    assert run(schedule([0, 1], values=[0.1, 0.9, 0.4]), 3) == [0.9, 0.4, 0.4]
    assert run(schedule([], values=[0.7]), 2) == [0.7, 0.7]


def test_a_schedule_is_continued():
    steps = schedule()
    run(steps, 3)
    state = steps.state_dict()
    assert state == {"milestones": [2, 3, 5], "values": [0.8, 0.5, 0.3, 0.0], "last_epoch": 3}
    other = schedule([1], values=[0.1, 0.2])
    other.load_state_dict(state)
    assert run(other, 4) == run(steps, 4) == [0.3, 0.3, 0.0, 0.0]
    assert schedule(last_epoch=1).loss.mu == 0.5


def test_a_model_learns_from_samples_without_labels():
    torch.manual_seed(0)
    sources = normal(4, 6, seed=3)
    weights = normal(200, 4, seed=4)
    X = (weights * (weights.abs() > 1)) @ sources
    target = torch.full((200,), -1)
    target[:6] = torch.arange(6) % 3
    model = torch.nn.Sequential(dense(prior=EN), torch.nn.Linear(7, 3).double())
    loss = SemiSupervisedLoss(model, cross_entropy, mu=0.8)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    objectives = []
    for _ in range(30):
        optimizer.zero_grad()
        loss(model(X), target).backward()
        optimizer.step()
        objectives.append(model[0].reconstruction_loss().item())
    assert objectives[-1] < 0.7 * objectives[0]
