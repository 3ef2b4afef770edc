"""Coding operators: codes of `encode`, derivatives, and the transforms of torch."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.autograd import gradcheck
from torch.func import functional_call, grad, jacrev
from torch_problems import (
    LAYERS,
    PRIORS,
    TOL,
    atoms,
    conv,
    dense,
    gradients,
    layer_and_input,
    normal,
    prior_named,
)

from skdict_sup import KL, ElasticNet, Lp, code_vjp, encode
from skdict_sup.nn import ConvSparseFactorization, SparseFactorization, sparse_code
from skdict_sup.nn._settings import describe

OPERATORS = torch.ops.skdict_sup
EN = ElasticNet(0.2, 0.1)

every_prior = pytest.mark.parametrize("name", PRIORS)
every_layer = pytest.mark.parametrize("kind", LAYERS)
either_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)


def tracked(*tensors):
    return [torch.as_tensor(t, dtype=torch.float64).requires_grad_() for t in tensors]


def numbers(record):
    return [getattr(record, name) for name in vars(record)]


# --- agreement with the functions for arrays -------------------------------------------------


@every_prior
@either_dtype
def test_codes_and_gradients_are_those_of_the_functions(name, dtype):
    make, values = PRIORS[name]
    hyper = tracked(*values)
    X, D, cotangent = normal(9, 6, dtype=dtype), atoms(7, 6, dtype=dtype), normal(9, 7, seed=2)
    X, D, cotangent = X.requires_grad_(), D.requires_grad_(), cotangent.to(dtype)
    code = sparse_code(X, D, make(*hyper))
    assert code.dtype == dtype
    arrays = X.detach().numpy(), D.detach().numpy()
    expected = encode(*arrays, prior=prior_named(name))
    np.testing.assert_allclose(code.detach().numpy(), expected.code, rtol=1e-13, atol=0)
    found = gradients((code * cotangent).sum(), X, D, *hyper)
    vjp = code_vjp(*arrays, expected.code, cotangent.numpy(), prior=prior_named(name))
    close = {"rtol": 1e-12, "atol": 1e-12} if dtype == torch.float64 else {"rtol": 1e-5}
    for mine, other in zip(found, [vjp.X, vjp.dictionary, *numbers(vjp.prior)], strict=False):
        np.testing.assert_allclose(mine, other, **close)


@pytest.mark.parametrize("prior", [KL(0.1, 0.05), Lp(0.2, 1.5), ElasticNet(0.05, 0.1)], ids=str)
def test_distributions_are_coded_with_the_softmax_transfer(prior):
    X = torch.softmax(normal(5, 6), dim=1).requires_grad_()
    D, cotangent = 3 * atoms(7, 6), normal(5, 7, seed=2)
    code = sparse_code(X, D, prior, transfer="softmax")
    terms = {"prior": prior, "transfer": "softmax"}
    arrays = X.detach().numpy(), D.numpy()
    expected = encode(*arrays, **terms).code
    np.testing.assert_allclose(code.detach().numpy(), expected, rtol=1e-13, atol=0)
    (found,) = gradients((code * cotangent).sum(), X)
    vjp = code_vjp(*arrays, expected, cotangent.numpy(), **terms)
    np.testing.assert_allclose(found, vjp.X, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("prior", ["elastic_net", "kl", ElasticNet("0.3*lam_max"), Lp()], ids=str)
def test_relative_weights_are_resolved_on_the_input(prior):
    X, D = normal(20, 6), atoms(7, 6)
    expected = encode(X.numpy(), D.numpy(), prior=prior).code
    np.testing.assert_allclose(sparse_code(X, D, prior).numpy(), expected, rtol=1e-12, atol=1e-14)


def test_leading_dimensions_are_kept():
    X, D = normal(2, 3, 4, 6), atoms(7, 6)
    code = sparse_code(X, D, EN)
    assert code.shape == (2, 3, 4, 7)
    rows = sparse_code(X.reshape(-1, 6), D, EN)
    assert torch.equal(code.reshape(-1, 7), rows)
    assert torch.equal(sparse_code(X[0, 0, 0], D, EN), rows[0])
    strided = normal(6, 24).T[::2]
    assert torch.equal(sparse_code(strided, D, EN), sparse_code(strided.contiguous(), D, EN))


def test_a_prior_of_the_user_may_end_before_the_backward_pass():
    class Own(ElasticNet):
        pass

    X = normal(5, 6).requires_grad_()
    cotangent = normal(5, 7, seed=2)
    expected = gradients((sparse_code(X, atoms(7, 6), EN) * cotangent).sum(), X)
    found = gradients((sparse_code(X, atoms(7, 6), Own(0.2, 0.1)) * cotangent).sum(), X)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    patches = normal(1, 2, 3, 3).requires_grad_()
    assert gradients(conv(prior=Own(0.2, 0.1))(patches).sum(), patches)[0].any()


# --- derivatives -----------------------------------------------------------------------------


@every_prior
def test_derivatives_of_codes_are_those_of_differences(name):
    make, values = PRIORS[name]
    arguments = tracked(normal(4, 6), atoms(7, 6), *values)

    def codes(X, D, *hyper):
        return sparse_code(X, D, make(*hyper), tol=TOL)

    assert gradcheck(codes, arguments)


LEARNED = {"lp": ("lam", "exponent")}
SHAPES = {"dense": (dense, {}, (4, 6)), "conv": (conv, {}, (2, 2, 3, 3))}
SHAPES["strided"] = (conv, {"stride": (2, 1), "padding": (1, 0), "center": True}, (2, 2, 3, 2))
SHAPES["dilated"] = (conv, {"dilation": (1, 2), "padding": 1}, (2, 2, 2, 3))
SHAPES["signals"] = (conv, {"kernel_size": (3,), "padding": 1}, (2, 2, 4))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("dense", name) for name in PRIORS if name not in ("lasso", "kl_positive")),
        *(("strided", name) for name in ("elastic_net", "positive", "kl_means")),
        *((kind, "elastic_net") for kind in SHAPES if kind not in ("dense", "strided")),
    ],
)
def test_derivatives_of_layers_are_those_of_differences(kind, name):
    make, places, shape = SHAPES[kind]
    names = LEARNED.get(name, True)
    # atoms are inside the ball: at its surface, gradients are those without the projection
    layer = make(prior=prior_named(name), learn_prior=names, tol=TOL, norm=0.9, **places)
    parameters = dict(layer.named_parameters())
    assert len(parameters) == 3

    def codes(input, *values):
        return functional_call(layer, dict(zip(parameters, values, strict=True)), (input,))

    assert gradcheck(codes, tracked(normal(*shape), *(p.detach() for p in parameters.values())))


@every_layer
def test_the_derivatives_of_relative_weights_are_at_a_fixed_scale(kind):
    layer, input = layer_and_input(kind, prior=ElasticNet("0.2*lam_max", 0.1), norm=0.9)
    layer(input)
    layer.eval()
    names = [name for name, _ in layer.named_parameters()]

    def codes(input, *values):
        return functional_call(layer, dict(zip(names, values, strict=True)), (input,))

    assert gradcheck(codes, tracked(input, *(p.detach() for p in layer.parameters())))


@every_layer
def test_a_second_derivative_raises_with_the_reason(kind):
    layer, input = layer_and_input(kind)
    input.requires_grad_()
    loss = layer(input).square().sum()
    expected = gradients(layer(input).square().sum(), input)
    (first,) = torch.autograd.grad(loss, input, create_graph=True)
    np.testing.assert_array_equal(first.detach().numpy(), expected[0])
    with pytest.raises(RuntimeError, match="can be differentiated once, not twice"):
        first.square().sum().backward()


# --- registered operators --------------------------------------------------------------------


TEXT = describe(EN, {"lam": None, "lam2": None}, ("linear", "auto", None, None, 1))
PLACES = [2, 2, 1, 2, 1, 0, 1, 1]
WEIGHTS = torch.tensor([0.2, 0.1], dtype=torch.float64)


@either_dtype
def test_the_operator_of_rows_is_registered_as_torch_asks(dtype):
    X, D = normal(5, 6, dtype=dtype), atoms(7, 6, dtype=dtype)
    arguments = X.requires_grad_(), D.requires_grad_(), WEIGHTS.clone().requires_grad_(), TEXT
    torch.library.opcheck(OPERATORS.sparse_code.default, arguments)
    torch.library.opcheck(OPERATORS.typical_correlation.default, (X.detach(), D.detach(), False))
    code, objective, gram = (part.detach() for part in OPERATORS.sparse_code(*arguments))
    saved = X.detach(), D.detach(), WEIGHTS, code, gram, TEXT
    for cotangents in ((code, None), (None, objective), (code, objective)):
        torch.library.opcheck(OPERATORS.sparse_code_backward.default, (*cotangents, *saved))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_the_operator_of_patches_is_registered_as_torch_asks(layout):
    input, D = normal(2, 2, 5, 4).to(memory_format=layout), atoms(7, 8)
    places = PLACES, True
    arguments = input.clone().requires_grad_(), D.clone().requires_grad_(), WEIGHTS, TEXT
    torch.library.opcheck(OPERATORS.conv_sparse_code.default, (*arguments, *places))
    typical = OPERATORS.conv_typical_correlation.default
    torch.library.opcheck(typical, (input, D, True, *places))
    code, objective, gram = OPERATORS.conv_sparse_code(input, D, WEIGHTS, TEXT, *places)
    saved = input, D, WEIGHTS, code, gram, TEXT, *places
    for needs_input in (False, True):
        for cotangents in ((code, None), (code, objective)):
            torch.library.opcheck(
                OPERATORS.conv_sparse_code_backward.default, (*cotangents, *saved, needs_input)
            )


def test_operators_of_the_softmax_transfer_need_no_gram_matrix():
    text = describe(KL(0.1, 0.1), {"lam": None, "p": None}, ("softmax", "auto", None, None, 1))
    X = torch.softmax(normal(5, 6), dim=1)
    arguments = X.requires_grad_(), atoms(7, 6), WEIGHTS, text
    torch.library.opcheck(OPERATORS.sparse_code.default, arguments)
    assert OPERATORS.sparse_code(*arguments)[2].numel() == 0


# --- torch.func ------------------------------------------------------------------------------


@pytest.mark.parametrize("in_dims", [(0, None, None), (1, None, None), (None, 1, None)])
@pytest.mark.parametrize("of_lam", [False, True])
def test_batches_of_any_argument_are_loops(in_dims, of_lam):
    X, D, lam = normal(4, 4, 6), normal(7, 4, 6), torch.tensor([0.1, 0.2, 0.3, 0.4]).double()
    X = X if in_dims[0] is not None else X[0]
    D = D if in_dims[1] is not None else D[:, 0]
    in_dims = (*in_dims[:2], 0) if of_lam else in_dims
    lam = lam if of_lam else lam[0]

    def codes(X, D, lam):
        return sparse_code(X, D, ElasticNet(lam, 0.1))

    found = torch.vmap(codes, in_dims=in_dims)(X, D, lam)
    for i in range(4):
        entry = [
            a if dim is None else a.select(dim, i)
            for a, dim in zip((X, D, lam), in_dims, strict=True)
        ]
        torch.testing.assert_close(found[i], codes(*entry), rtol=1e-13, atol=1e-14)


@every_layer
def test_gradients_of_single_samples_are_those_of_a_loop(kind):
    layer, input = layer_and_input(kind, learn_prior=True)
    parameters = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(parameters, sample):
        return functional_call(layer, parameters, (sample[None],)).square().sum()

    found = torch.vmap(grad(loss), in_dims=(None, 0))(parameters, input)
    for i, sample in enumerate(input):
        expected = torch.autograd.grad(layer(sample[None]).square().sum(), layer.parameters())
        for mine, other in zip(found.values(), expected, strict=True):
            torch.testing.assert_close(mine[i], other, rtol=1e-12, atol=1e-13)


@every_layer
def test_jacobians_are_those_of_single_entries(kind):
    layer, input = layer_and_input(kind)
    found = jacrev(layer)(input[:1])
    sample = input[:1].requires_grad_()
    code = layer(sample)
    places = list(np.ndindex(code.shape))
    assert found.shape == (*code.shape, *sample.shape)
    for place in places[:: max(1, len(places) // 8)]:
        expected = torch.autograd.grad(code[place], sample, retain_graph=True)[0]
        torch.testing.assert_close(found[place], expected, rtol=1e-12, atol=1e-13)


def test_layers_are_batched_over_images():
    layer, input = layer_and_input("conv")
    images = torch.stack([input, 2 * input, -input], dim=1)
    found = torch.vmap(layer, in_dims=1)(images)
    for i in range(3):
        assert torch.equal(found[i], layer(images[:, i]))


def test_layers_and_their_functional_form_agree():
    layer, input = layer_and_input("dense")
    assert isinstance(layer, SparseFactorization)
    assert torch.equal(layer(input), sparse_code(input, layer.dictionary, EN))
    kernel = conv(channels=6, kernel_size=1)
    assert isinstance(kernel, ConvSparseFactorization)
    found = kernel(input[:, :, None, None])[:, :, 0, 0]
    assert torch.equal(found, sparse_code(input, kernel.dictionary, EN))
