"""What both layers keep and change: atoms in the unit ball, states and copies, dtypes."""

import copy
import io
import pickle
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sklearn.exceptions import ConvergenceWarning
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch_problems import LAYERS, atoms, conv, dense, gradients, layer_and_input, normal

from skdict_sup import KL, ElasticNet, encode
from skdict_sup.nn import ConvSparseFactorization, SparseFactorization, _rows

every_layer = pytest.mark.parametrize("kind", LAYERS)
HALVES = torch.float16, torch.bfloat16


def norms(layer):
    return layer.dictionary.detach().double().norm(dim=1)


# --- the unit ball ---------------------------------------------------------------------------


def test_atoms_start_on_the_unit_sphere_and_are_random():
    layers = [SparseFactorization(6, 7), ConvSparseFactorization(2, 7, 3)]
    for layer in layers:
        first = layer.dictionary.detach().clone()
        layer.running_lam_max.fill_(2.0)
        layer.reset_parameters()
        for drawn in (first, layer.dictionary.detach()):
            torch.testing.assert_close(drawn.norm(dim=1), torch.ones(7))
        assert not torch.equal(first, layer.dictionary)
        assert layer.running_lam_max == 0


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.5, momentum=0.9, foreach=False),
    "sgd_foreach": lambda p: torch.optim.SGD(p, lr=0.5, foreach=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1, foreach=False),
    "adam_foreach": lambda p: torch.optim.Adam(p, lr=0.1, foreach=True),
    "adamw_fused": lambda p: torch.optim.AdamW(p, lr=0.1, fused=True),
    "rmsprop_foreach": lambda p: torch.optim.RMSprop(p, lr=0.1, foreach=True),
}


@every_layer
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_atoms_stay_in_the_unit_ball_with_any_optimizer(kind, name):
    layer, input = layer_and_input(kind)
    optimizer = OPTIMIZERS[name](layer.parameters())
    left_the_ball = 0
    for _ in range(4):
        optimizer.zero_grad()
        (-layer(input).square().sum()).backward()
        assert norms(layer).max() <= 1 + 1e-12
        optimizer.step()
        left_the_ball += int((norms(layer) > 1 + 1e-3).sum())
    assert left_the_ball > 0, "the projection had something to do"


@every_layer
@pytest.mark.parametrize("training", [True, False])
def test_codes_are_those_of_atoms_scaled_to_the_ball(kind, training):
    layer, input = layer_and_input(kind)
    with torch.no_grad():
        layer.dictionary[::2] *= 3.0
        layer.dictionary[1::2] *= 0.5
    before = layer.dictionary.detach().clone()
    scaled = before.clone()
    scaled[::2] /= scaled[::2].norm(dim=1, keepdim=True)
    layer.train(training)
    code = layer(input)
    after = layer.dictionary.detach().clone()
    torch.testing.assert_close(after, scaled if training else before, rtol=1e-15, atol=1e-16)
    assert torch.equal(after[1::2], before[1::2]), "atoms inside the ball are not touched"
    with torch.no_grad():
        layer.dictionary.copy_(scaled)
    torch.testing.assert_close(layer(input), code, rtol=1e-12, atol=1e-14)


@every_layer
def test_gradients_are_those_at_the_scaled_atoms(kind):
    layer, input = layer_and_input(kind)
    expected = gradients(layer(input).square().sum(), layer.dictionary)
    with torch.no_grad():
        layer.dictionary *= 2.0
    found = gradients(layer(input).square().sum(), layer.dictionary)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@every_layer
def test_a_backward_pass_may_follow_two_forward_passes(kind):
    layer, input = layer_and_input(kind, norm=2.0)
    first, second = layer(input).square().sum(), layer(-3 * input).square().sum()
    (found,) = gradients(first + second, layer.dictionary)
    parts = [gradients(layer(x).square().sum(), layer.dictionary)[0] for x in (input, -3 * input)]
    np.testing.assert_allclose(found, sum(parts), rtol=1e-12, atol=1e-13)


def test_atoms_inside_the_ball_are_not_written_between_two_passes():
    layer, input = layer_and_input("dense")
    loss = layer(input).square().sum() + layer.dictionary.square().sum()
    layer(2 * input)
    loss.backward()  # raises if the parameter has been written since
    assert layer.dictionary.grad.any()


# --- states and copies -----------------------------------------------------------------------


def by_pickle(layer):
    return pickle.loads(pickle.dumps(layer))


def by_torch(layer):
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@every_layer
@pytest.mark.parametrize("duplicate", [copy.deepcopy, by_pickle, by_torch])
def test_copies_after_a_forward_pass_are_independent(kind, duplicate):
    layer, input = layer_and_input(kind, prior=ElasticNet("auto", 0.1), learn_prior=True)
    layer(input).sum().backward()
    twin = duplicate(layer)
    layer.eval()
    twin.eval()
    expected = layer(input)
    assert torch.equal(twin(input), expected)
    with torch.no_grad():
        for value in (*twin.parameters(), *twin.buffers()):
            value.mul_(0.5)
    assert torch.equal(layer(input), expected)
    assert repr(twin) == repr(layer)


def test_a_copy_has_had_no_forward_pass():
    layer, input = layer_and_input("dense")
    layer(input)
    twin = copy.deepcopy(layer)
    assert layer.reconstruction_loss() > 0
    with pytest.raises(RuntimeError, match="reconstruction_loss belongs to the last forward pass"):
        twin.reconstruction_loss()


@every_layer
def test_states_are_moved_between_layers(kind):
    settings = {"prior": ElasticNet("auto", 0.1), "learn_prior": True}
    layer, input = layer_and_input(kind, **settings)
    layer(input)
    with torch.no_grad():
        layer.log_lam += 0.3
    state = layer.state_dict()
    assert set(state) == {"dictionary", "log_lam", "log_lam2", "running_lam_max"}
    other = LAYERS[kind][0](**settings)
    other.reset_parameters()
    other.load_state_dict(state)
    assert torch.equal(other.eval()(input), layer.eval()(input))


@every_layer
@pytest.mark.parametrize("multi", [None, get_ema_multi_avg_fn(0.9)], ids=["mean", "ema"])
def test_averages_of_weights_are_layers(kind, multi):
    layer, input = layer_and_input(kind, prior=ElasticNet("auto", 0.1))
    layer(input)
    average = AveragedModel(layer, multi_avg_fn=multi, use_buffers=True)
    average.update_parameters(layer)
    first = layer.dictionary.detach().clone()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.2)
    layer(2 * input).square().sum().backward()
    optimizer.step()
    layer(2 * input)
    average.update_parameters(layer)
    share = 0.5 if multi is None else 0.9
    expected = share * first + (1 - share) * layer.dictionary.detach()
    torch.testing.assert_close(average.module.dictionary.detach(), expected)
    assert norms(average.module).max() <= 1 + 1e-12
    code = average.eval()(input)
    assert torch.isfinite(code).all()
    assert code.any()


def test_parameters_may_be_made_later():
    layer = SparseFactorization(6, 7, learn_prior=True, prior=ElasticNet(0.2), device="meta")
    assert layer.dictionary.is_meta
    layer = layer.to_empty(device="cpu")
    layer.reset_parameters()
    torch.testing.assert_close(layer.dictionary.norm(dim=1), torch.ones(7))
    torch.testing.assert_close(layer.log_lam.exp(), torch.tensor(0.2))
    assert layer(normal(3, 6, dtype=torch.float32)).shape == (3, 7)


# --- dtypes ----------------------------------------------------------------------------------


@every_layer
def test_codes_under_autocast_are_those_without(kind):
    layer, input = layer_and_input(kind)
    layer, input = layer.float(), input.float()
    expected = layer(input)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        code = layer(input)
        assert torch.equal(code, expected)
        behind = torch.nn.functional.linear(input.flatten(1), torch.ones(3, input[0].numel()))
        assert behind.dtype == torch.bfloat16
        low = behind.repeat(1, 2) if kind == "dense" else input.bfloat16()
        assert layer(low).dtype == torch.bfloat16
    loss = code.square().sum()
    loss.backward()
    assert layer.dictionary.grad.dtype == torch.float32


@every_layer
@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("of_parameters", [False, True])
def test_half_precision_is_computed_in_float32(kind, dtype, of_parameters):
    layer, input = layer_and_input(kind, norm=0.9)  # inside the ball, after rounding too
    layer, input = layer.to(dtype).float(), input.to(dtype).float().requires_grad_()
    expected = layer(input)
    cotangent = normal(*expected.shape, seed=2, dtype=dtype)
    inputs = input, layer.dictionary
    expected_gradients = torch.autograd.grad((expected * cotangent).sum(), inputs)
    half = input.detach().to(dtype).requires_grad_()
    layer = layer.to(dtype) if of_parameters else layer
    code = layer(half)
    assert code.dtype == dtype
    assert torch.equal(code, expected.to(dtype))
    (code * cotangent).sum().backward()
    for found, other in zip((half, layer.dictionary), expected_gradients, strict=True):
        assert torch.equal(found.grad, other.to(found.dtype))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_atoms_in_half_precision_are_scaled_once(dtype):
    layer, input = layer_and_input("dense", norm=2.0)
    layer, input = layer.to(dtype), input.to(dtype)
    layer(input)
    once = layer.dictionary.detach().clone()
    layer(input)
    assert torch.equal(layer.dictionary, once)
    assert norms(layer).max() <= 1 + 4 * torch.finfo(dtype).eps


# --- what a module has -----------------------------------------------------------------------


@pytest.mark.parametrize("prior", [ElasticNet(0.2, 0.1), "elastic_net", KL(0.1, 0.1)], ids=str)
def test_an_empty_batch_gives_an_empty_output(prior):
    for layer, shape, size in (
        (dense(prior=prior), (0, 6), (0, 7)),
        (dense(prior=prior), (3, 0, 6), (3, 0, 7)),
        (conv(prior=prior), (0, 2, 4, 3), (0, 7, 3, 2)),
        (conv(kernel_size=(2,), prior=prior), (0, 2, 4), (0, 7, 3)),
    ):
        input = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        code = layer(input)
        assert code.shape == size
        (code.sum() + layer.reconstruction_loss()).backward()
        assert input.grad.shape == shape
        assert not layer.dictionary.grad.any()
        assert layer.running_lam_max == 0


def test_the_printed_form_has_the_arguments():
    text = "SparseFactorization(in_features=6, n_components=7, "
    text += "prior=KL(lam=0.1, p=0.2, positive=False)"
    assert repr(SparseFactorization(6, 7, prior=KL(0.1, 0.2))) == text + ")"
    options = {"transfer": "softmax", "learn_prior": ("lam",)}
    found = repr(SparseFactorization(6, 7, prior=KL(0.1, 0.2), **options))
    assert found == text + ", transfer='softmax', learn_prior=('lam',))"
    found = repr(ConvSparseFactorization(1, 2, 3))
    text = "ConvSparseFactorization(1, 2, kernel_size=(3, 3), stride=(1, 1)"
    prior = "prior=ElasticNet(lam='auto', lam2=0.0, positive=False)"
    assert found == f"{text}, {prior})"
    options = {"padding": 1, "dilation": (1, 2), "center": True}
    found = repr(ConvSparseFactorization(1, 2, 3, **options))
    shown = "padding=(1, 1), dilation=(1, 2), center=True"
    assert found == f"{text}, {shown}, {prior})"


def test_another_prior_may_be_set():
    layer, input = layer_and_input("dense")
    layer.prior = KL(0.1, 0.2)
    assert layer.prior.get_params() == {"lam": 0.1, "p": 0.2, "positive": False}
    other = dense(prior=KL(0.1, 0.2))
    assert torch.equal(layer(input), other(input))
    layer.prior = "elastic_net"
    expected = encode(input.numpy(), atoms(7, 6).numpy()).code
    np.testing.assert_allclose(layer(input).detach(), expected, rtol=1e-9, atol=1e-11)


@every_layer
def test_codes_that_have_not_converged_are_reported_once(kind, monkeypatch):
    monkeypatch.setattr(_rows, "_reported", set())
    layer, input = layer_and_input(kind, prior=KL(0.1, 1e-3), max_iter=1)
    with pytest.warns(ConvergenceWarning, match=r"of \d+ codes of a sparse factor") as caught:
        layer(input)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    n_codes = input[..., 0].numel() if kind == "dense" else 3 * 3 * 2
    assert f"of {n_codes} codes" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(2 * input)
        copy.deepcopy(layer)(input)
    other, _ = layer_and_input(kind, prior=KL(0.1, 1e-3), max_iter=2)
    with pytest.warns(ConvergenceWarning):
        other(input)


def test_layers_train_with_any_loss_in_a_model():
    torch.manual_seed(0)
    input, target = normal(40, 6), torch.arange(40) % 3
    behind = torch.nn.Linear(7, 3).double()
    model = torch.nn.Sequential(torch.nn.Linear(6, 6).double(), dense(learn_prior=True), behind)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(input), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
