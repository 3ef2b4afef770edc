"""Layers in models and loops that strain them: checkpoints, tied weights, overflows."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.checkpoint import checkpoint
from torch_problems import LAYERS, conv, dense, gradients, layer_and_input, normal

from skdict_sup import KL, ElasticNet, SparseCoder
from skdict_sup.nn import (
    ConvSparseFactorization,
    SemiSupervisedLoss,
    SparseFactorization,
    _patches,
    _rows,
    sparse_code,
)

every_layer = pytest.mark.parametrize("kind", LAYERS)
cross_entropy = torch.nn.CrossEntropyLoss()


# --- graphs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("reentrant", [False, True])
@every_layer
def test_a_checkpoint_repeats_the_same_codes(kind, reentrant):
    found = []
    for repeats in (False, True):
        layer, input = layer_and_input(kind, prior="elastic_net")
        layer(3 * input)  # an earlier batch, of another scale
        x = input.clone().requires_grad_()
        output = checkpoint(layer, x, use_reentrant=reentrant) if repeats else layer(x)
        output.square().sum().backward()
        found.append((output, x.grad, layer.dictionary.grad, layer.running_lam_max))
    for once, again in zip(*found, strict=True):
        assert torch.equal(once, again)


@every_layer
def test_the_dictionary_may_be_used_before_the_layer(kind):
    layer, input = layer_and_input(kind)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    for _ in range(2):
        penalty = (layer.dictionary @ layer.dictionary.T).square().sum()
        loss = penalty + layer(input).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.isfinite(layer.dictionary).all()


@every_layer
def test_the_output_may_be_changed_in_place(kind):
    layer, input = layer_and_input(kind)
    expected = gradients(torch.relu(layer(input)).sum(), layer.dictionary)
    found = gradients(torch.relu_(layer(input)).sum(), layer.dictionary)
    assert torch.equal(torch.as_tensor(expected[0]), torch.as_tensor(found[0]))


@pytest.mark.parametrize("padding", [0, 1])
def test_strides_for_compilers_are_those_of_the_results(padding):
    rows = normal(6, 5, dtype=torch.float32).t().requires_grad_()
    images = normal(2, 3, 6, 5, dtype=torch.float32).contiguous(memory_format=torch.channels_last)
    for layer, input in (
        (dense(6, 7, dtype=torch.float32), rows),
        (conv(3, dtype=torch.float32, padding=padding), images.requires_grad_()),
    ):
        real = layer(input)
        mode = FakeTensorMode(allow_non_fake_inputs=True)
        with mode:
            fake = layer.eval()(mode.from_tensor(input))
        assert fake.stride() == real.stride()
        (found,) = torch.autograd.grad(real.sum(), input)
        assert found.is_contiguous()


# --- numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [1.5, 1e4, 1e8, 1e25])
def test_long_atoms_get_unit_norm_at_any_scale(norm):
    layer, input = dense(dtype=torch.float32), normal(20, 6, dtype=torch.float32)
    expected = layer(input)
    with torch.no_grad():
        layer.dictionary *= norm
    torch.testing.assert_close(layer(input), expected, rtol=1e-4, atol=1e-5)
    lengths = torch.linalg.vector_norm(layer.dictionary, dim=1)
    torch.testing.assert_close(lengths, torch.ones(7), rtol=1e-6, atol=0)


@pytest.mark.parametrize("prior", [ElasticNet(0.2), KL(0.1, 0.1)], ids=str)
@every_layer
def test_gradients_that_are_nan_stay_nan(kind, prior):
    # scalers of mixed precision look for them
    layer, input = layer_and_input(kind, prior=prior)
    x = input.clone().requires_grad_()
    code = layer(x)
    weight = torch.ones_like(code)
    weight.view(-1)[0] = torch.nan
    (code * weight).sum().backward()
    assert layer.dictionary.grad.isnan().all()
    assert x.grad.isnan().any()


@every_layer
def test_autocast_changes_nothing(kind):
    layer, input = layer_and_input(kind, prior="elastic_net", dtype=torch.float32)
    input = 10 * input.to(torch.float32)
    expected = layer(input)
    scale = layer.running_lam_max.clone()
    layer.reset_parameters()
    layer, _ = layer_and_input(kind, prior="elastic_net", dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(input), expected)
    assert torch.equal(layer.running_lam_max, scale)


def test_a_large_scale_fits_a_buffer_in_half_precision():
    torch.manual_seed(0)  # an atom that is parallel to the input has a code beyond the range
    layer = SparseFactorization(6, 7, prior=ElasticNet("0.9*lam_max"), dtype=torch.float16)
    input = torch.full((4, 6), 6e4, dtype=torch.float16)
    assert torch.isfinite(layer(input)).all()
    assert torch.isfinite(layer.running_lam_max)
    assert torch.isfinite(layer.eval()(input)).all()


def test_half_precision_is_computed_in_the_dtype_of_the_dictionary():
    layer = dense(dtype=torch.float32)
    input = normal(4, 6, dtype=torch.bfloat16)
    found = sparse_code(input, layer.dictionary, layer.prior)
    assert found.dtype == torch.bfloat16
    expected = sparse_code(input.float(), layer.dictionary, layer.prior)
    assert torch.equal(found, expected.bfloat16())


def test_numbers_of_numpy_are_options():
    options = {"tol": np.float32(1e-3), "max_iter": np.int64(50), "n_jobs": np.int64(1)}
    layer, input = dense(**options), normal(4, 6)
    plain = dense(tol=float(np.float32(1e-3)), max_iter=50, n_jobs=1)
    assert torch.equal(layer(input), plain(input))
    sparse_code(input, layer.dictionary, layer.prior, **options)


@pytest.mark.parametrize("shape", [(1, 1, 3000), (1, 1, 4, 700)])
def test_bands_are_narrow_where_lines_are_long(shape, monkeypatch):
    monkeypatch.setattr(_patches, "_MAX_ENTRIES", 200)
    size = (8,) if len(shape) == 3 else (2, 4)
    layer, input = conv(1, kernel_size=size), normal(*shape)
    largest, encode = 0, _rows.Coding.encode

    def seen(coding, rows):
        nonlocal largest
        largest = max(largest, rows.numel())
        return encode(coding, rows)

    monkeypatch.setattr(_rows.Coding, "encode", seen)
    x = input.clone().requires_grad_()
    found = layer(x)
    assert largest <= 200
    banded = gradients(found.square().sum(), x, layer.dictionary)
    monkeypatch.setattr(_patches, "_MAX_ENTRIES", 2**22)
    whole = layer(x)
    assert torch.equal(whole, found)
    for a, b in zip(gradients(whole.square().sum(), x, layer.dictionary), banded, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


# --- batches and estimators ------------------------------------------------------------------


def two_layers():
    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"one": dense(), "two": dense(), "last": torch.nn.Linear(7, 3)})
    return model.double()


def test_only_layers_that_were_called_count():
    model, input = two_layers(), normal(5, 6)
    loss, target = SemiSupervisedLoss(model, cross_entropy, mu=1.0), torch.arange(5) % 3
    model["two"](input)
    loss(model["last"](model["one"](input)), target).backward()
    output = model["last"](model["one"](2 * input))
    found = loss(output, target)
    assert found == model["one"].reconstruction_loss()
    assert found != model["two"].reconstruction_loss()
    found.backward()


def test_a_loss_without_gradients_is_refused():
    model, input = two_layers(), normal(5, 6)
    loss, target = SemiSupervisedLoss(model, cross_entropy), torch.arange(5) % 3
    output = model["last"](model["two"](model["one"](input)[:, :6]))
    with torch.no_grad():
        model["two"](model["one"](input)[:, :6])
        loss(output, target)  # for validation
        model["two"](model["one"](input)[:, :6])
    with pytest.raises(RuntimeError, match=r"^the last forward pass of the model was without"):
        loss(output, target)


def test_pixels_without_a_class_do_not_take_their_image_along():
    layer, images = conv(2, 3), normal(4, 2, 5, 4)
    target = torch.randint(3, (4, 4, 3), generator=torch.Generator().manual_seed(0))
    target[:, 0, 0] = -100  # ignored by the criterion
    target[0] = -1  # an image without labels
    loss = SemiSupervisedLoss(layer, cross_entropy, mu=0.0)
    output = layer(images)
    assert loss(output, target) == cross_entropy(output[1:], target[1:])


@pytest.mark.parametrize("target", [torch.zeros(0, dtype=torch.int64), torch.zeros(0, 7)])
def test_an_empty_batch_may_stand_beside_unlabelled_ones(target):
    layer, others = dense(), normal(5, 6)
    loss = SemiSupervisedLoss(layer, torch.nn.MSELoss() if target.ndim > 1 else cross_entropy)
    value = loss(layer(others[:0]), target, unlabelled=others)
    assert value == 0.5 * layer.reconstruction_loss()


def test_targets_may_be_what_the_criterion_reads():
    layer, input = dense(), normal(5, 6)
    target = (torch.zeros(5, 7), 2.0)
    loss = SemiSupervisedLoss(layer, lambda out, pair: pair[1] * (out - pair[0]).sum(), mu=0.0)
    output = layer(input)
    assert loss(output, target) == 2 * output.sum()
    scalar = SemiSupervisedLoss(layer, cross_entropy, mu=0.0)
    assert scalar(output[0], torch.tensor(3)) == cross_entropy(output[0], torch.tensor(3))


def test_a_layer_that_is_called_by_keyword_is_found():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = dense()

        def forward(self, x):
            return self.layer(input=x)

    model = Model()
    before = model.layer.dictionary.clone()
    model.layer.initialise_from([normal(50, 6)], model, random_state=0)
    assert not torch.equal(before, model.layer.dictionary)


def test_estimators_that_code_otherwise_are_refused():
    for coder, message in (
        (SparseCoder(2 * np.eye(6)), "must have atoms in the unit ball, .* norm 2"),
        (type("Projected", (), {"components_": np.eye(6), "n_projected": 3})(), "n_projected"),
    ):
        with pytest.raises(ValueError, match=f"^estimator must .*{message.split()[-1]}"):
            SparseFactorization.from_estimator(coder)
    coder = SparseCoder(np.eye(4, dtype=int), solver="coordinate_descent", tol=1e-3, max_iter=7)
    layer = ConvSparseFactorization.from_estimator(coder, 1, 2)
    assert (layer.solver, layer.tol, layer.max_iter) == ("coordinate_descent", 1e-3, 7)
    assert layer.dictionary.dtype == torch.float64


@pytest.mark.parametrize("kind", LAYERS)
def test_codes_that_are_all_zero_are_reported_once(kind, monkeypatch):
    monkeypatch.setattr(_rows, "_reported", set())
    monkeypatch.setattr(_rows, "_MANY", 5)
    layer, input = layer_and_input(kind, prior=ElasticNet(1e3))
    with pytest.warns(UserWarning, match=r"^all .* are zero.* lam is at least"):
        layer(input)
    assert not layer(input).any()
    monkeypatch.setattr(_rows, "_reported", set())
    layer(0 * input)  # their codes are zero whatever lam is
