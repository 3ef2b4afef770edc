"""Hyper-parameters of a layer: learned ones, and those that follow the scale of the input."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch_problems import LAYERS, conv, dense, layer_and_input, normal, prior_named

from skdict_sup import KL, ElasticNet, Lp, code_vjp, encode, lam_max
from skdict_sup.nn import SparseFactorization
from skdict_sup.nn._hyper_parameters import on_one_device

every_layer = pytest.mark.parametrize("kind", LAYERS)
RELATIVE = [
    ElasticNet(),
    ElasticNet("0.1*lam_max", 0.1),
    ElasticNet("auto", positive=True),
    KL(),
    KL("0.1*lam_max", "auto"),
    KL("auto", 0.1),
    Lp(),
]
every_relative_prior = pytest.mark.parametrize("prior", RELATIVE, ids=str)


def arrays(input, layer):
    return input.detach().numpy(), layer.dictionary.detach().numpy()


def scale_of(input, layer, positive=False):
    """Median of the largest correlations of signals with an atom, the upper one of two."""
    tops = lam_max(*arrays(input, layer), prior=ElasticNet(positive=positive))
    return np.sort(tops)[len(tops) // 2]


# --- learned ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["elastic_net", "positive", "kl", "kl_means", "lp"])
def test_learned_logarithms_get_the_gradients_of_the_adjoint(name):
    prior, input, cotangent = prior_named(name), normal(20, 6), normal(20, 7, seed=2)
    names = ("lam", "exponent") if name == "lp" else True
    layer = dense(prior=prior, learn_prior=names)
    (layer(input) * cotangent).sum().backward()
    X, D = arrays(input, layer)
    vjp = code_vjp(X, D, encode(X, D, prior=prior).code, cotangent.numpy(), prior=prior)
    learned = {k: p for k, p in layer.named_parameters() if k.startswith("log_")}
    assert len(learned) == 2
    for key, parameter in learned.items():
        value = np.asarray(getattr(prior, key.removeprefix("log_")))
        np.testing.assert_allclose(parameter.detach().exp(), value, rtol=1e-14)
        expected = value * getattr(vjp.prior, key.removeprefix("log_"))
        np.testing.assert_allclose(parameter.grad, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("prior", "learn_prior", "expected"),
    [
        (ElasticNet(0.2), False, []),
        (ElasticNet(0.2), True, ["log_lam"]),  # lam2 = 0 stays
        (ElasticNet(0.2, 0.1), True, ["log_lam", "log_lam2"]),
        (ElasticNet(0.2, 0.1), ["lam2"], ["log_lam2"]),
        (KL(0.2, 0.1), True, ["log_lam", "log_p"]),
        (KL(), ("p",), ["log_p"]),
        (Lp(0.2), True, ["log_lam"]),
        (ElasticNet(0.0, 0.1), ("lam2",), ["log_lam2"]),
    ],
    ids=str,
)
def test_hyper_parameters_are_learned_by_name(prior, learn_prior, expected):
    layer = SparseFactorization(6, 7, prior=prior, learn_prior=learn_prior)
    found = [name for name, _ in layer.named_parameters() if name != "dictionary"]
    assert found == expected


def test_a_learned_weight_stays_positive_and_is_used():
    layer, input = dense(prior=ElasticNet(0.2, 0.1), learn_prior=True), normal(20, 6)
    optimizer = torch.optim.SGD([layer.log_lam, layer.log_lam2], lr=10.0)
    for _ in range(3):
        optimizer.zero_grad()
        (-layer(input).square().mean()).backward()
        optimizer.step()
    assert 0 < layer.prior_.lam < 0.01
    assert layer.prior.lam == 0.2
    np.testing.assert_allclose(layer.prior_.lam, layer.log_lam.exp().item(), rtol=1e-14)
    np.testing.assert_allclose(layer.prior_.lam2, layer.log_lam2.exp().item(), rtol=1e-14)
    expected = encode(*arrays(input, layer), prior=layer.prior_).code
    np.testing.assert_allclose(layer(input).detach(), expected, rtol=1e-9, atol=1e-12)
    layer.reset_parameters()
    np.testing.assert_allclose(layer.prior_.lam, 0.2, rtol=1e-14)


def test_a_learned_relative_weight_is_a_ratio():
    layer, input = dense(prior=ElasticNet("0.5*lam_max"), learn_prior=True), normal(21, 6)
    np.testing.assert_allclose(layer.log_lam.exp().item(), 0.5, rtol=1e-14)
    with torch.no_grad():
        layer.log_lam -= np.log(2.0)
    code = layer(input)
    scale = scale_of(input, layer)
    np.testing.assert_allclose(layer.prior_.lam, 0.25 * scale, rtol=1e-13)
    expected = encode(*arrays(input, layer), prior=ElasticNet(0.25 * scale)).code
    np.testing.assert_allclose(code.detach(), expected, rtol=1e-9, atol=1e-12)
    (slope,) = torch.autograd.grad(code.abs().sum(), layer.log_lam)
    (doubled,) = torch.autograd.grad(layer(2 * input).abs().sum(), layer.log_lam)
    assert slope < 0
    assert layer.running_lam_max > scale
    assert doubled != slope


# --- relative to the input -------------------------------------------------------------------


@every_relative_prior
@pytest.mark.parametrize("n_samples", [20, 21])
def test_the_first_batch_has_the_codes_of_the_function(prior, n_samples):
    layer, input = dense(prior=prior), normal(n_samples, 6)
    input[3] = 0.0
    found = layer(input).detach()
    expected = encode(*arrays(input, layer), prior=prior).code
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
    # evaluation mode and estimators keep what has been found
    layer.eval()
    np.testing.assert_array_equal(layer(input).detach(), found)
    known = encode(*arrays(input, layer), prior=layer.prior_).code
    np.testing.assert_allclose(known, found, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("prior", [RELATIVE[0], RELATIVE[1], RELATIVE[2], KL()], ids=str)
def test_codes_scale_with_the_input(prior):
    layer, other = dense(prior=prior), dense(prior=prior)
    input = normal(20, 6)
    found, expected = other(1024 * input), 1024 * layer(input)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-7)
    torch.testing.assert_close(other.running_lam_max, 1024 * layer.running_lam_max)


@every_layer
def test_the_scale_follows_batches_with_the_momentum(kind):
    layer, input = layer_and_input(kind, prior=ElasticNet("auto", 0.1), momentum=0.25)
    assert layer.running_lam_max == 0
    layer(input)
    first = layer.running_lam_max.item()
    assert first > 0
    expected = first
    for factor in (3.0, 0.5, 8.0):
        layer(factor * input)
        expected += 0.25 * (factor * first - expected)
        np.testing.assert_allclose(layer.running_lam_max.item(), expected, rtol=1e-13)
        np.testing.assert_allclose(layer.prior_.lam, 0.2 * expected, rtol=1e-13)
    layer.eval()
    layer(100 * input)
    np.testing.assert_allclose(layer.running_lam_max.item(), expected, rtol=1e-13)


@every_layer
def test_before_the_first_batch_evaluation_uses_the_batch_and_keeps_nothing(kind):
    layer, input = layer_and_input(kind, prior=ElasticNet("auto", 0.1))
    found = layer.eval()(input)
    assert layer.running_lam_max == 0
    assert layer.prior_.lam == "auto"
    assert torch.equal(found, layer.train()(input))


@every_layer
@pytest.mark.parametrize("prior", [ElasticNet("auto", 0.1), KL()], ids=str)
def test_signals_of_zeros_move_no_scale(kind, prior):
    layer, input = layer_and_input(kind, prior=prior)
    for expected in (0.0, None):
        if expected is None:
            layer(input)
            expected = layer.running_lam_max.item()
            assert expected > 0
        code = layer(torch.zeros_like(input))
        torch.testing.assert_close(code, torch.zeros_like(code), rtol=0, atol=1e-9)
        assert layer.running_lam_max == expected


def test_the_scale_is_that_of_some_patches_of_a_large_batch():
    layer = conv(1, 5, kernel_size=3, prior="elastic_net")
    images = normal(40, 1, 40, 40)
    layer(images)
    rows = torch.nn.functional.unfold(images, 3).transpose(1, 2).reshape(-1, 9)
    np.testing.assert_allclose(layer.running_lam_max.item(), scale_of(rows, layer), rtol=0.05)
    rows = normal(5000, 6)
    layer = dense(prior="elastic_net")
    layer(rows)
    np.testing.assert_allclose(layer.running_lam_max.item(), scale_of(rows, layer), rtol=0.05)


def test_fixed_weights_compute_no_scale():
    layer, input = layer_and_input("dense")
    layer(input)
    assert layer.running_lam_max == 0
    assert layer.prior_.get_params() == layer.prior.get_params()


def test_values_on_several_devices_are_brought_to_the_one_that_is_not_the_host():
    here, there = torch.zeros(2), torch.zeros(3, device="meta")
    assert [t.device.type for t in on_one_device([here, there, here])] == ["meta"] * 3
    assert [t.device.type for t in on_one_device([here, here])] == ["cpu"] * 2


def test_evaluation_with_a_known_scale_does_not_look_at_the_batch(monkeypatch):
    layer = dense(prior="elastic_net")
    layer(normal(20, 6))
    expected = layer.eval()(normal(5, 6, seed=1)).detach()

    def refused(*_):
        raise AssertionError("the typical correlation was computed")

    module = "skdict_sup.nn.sparse_factorization.typical_correlation_of_rows"
    monkeypatch.setattr(module, refused)
    assert torch.equal(layer(normal(5, 6, seed=1)), expected)
    with pytest.raises(AssertionError, match="was computed"):
        layer.train()(normal(5, 6))
