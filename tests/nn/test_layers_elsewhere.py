"""Tensors on a device are computed on as arrays: pretended here with tensors in host memory."""

import importlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch_problems import LAYERS, dense, gradients, layer_and_input, normal

from skdict_sup import KL, ElasticNet, Lp
from skdict_sup._array import is_torch
from skdict_sup.nn import _rows, _settings

SOLVE = importlib.import_module("skdict_sup.execution.solve")
PRIORS = [ElasticNet(0.2, 0.1), ElasticNet("auto", 0.1, positive=True), KL(0.2, 0.1), Lp(0.2)]


@pytest.fixture
def elsewhere(monkeypatch):
    """Calls after which tensors are not viewed as NumPy arrays, as on a device."""

    def pretend():
        for module in (_rows, _settings, SOLVE):
            monkeypatch.setattr(module, "as_numpy_view", lambda array: array)

    return pretend


def passes(layer, input):
    """Codes, loss and all gradients."""
    for parameter in layer.parameters():
        parameter.grad = None
    input = input.clone().requires_grad_()
    code = layer(input)
    loss = layer.reconstruction_loss()
    cotangent = normal(*code.shape, seed=2, dtype=code.dtype)
    (((cotangent * code).sum()) + loss).backward()
    tensors = code, loss, input.grad, *(p.grad for p in layer.parameters())
    return [t.detach().numpy() for t in tensors]


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_layers_give_the_same_elsewhere(kind, prior, elsewhere):
    names = ("lam",) if isinstance(prior, Lp) else True
    layer, input = layer_and_input(kind, prior=prior, learn_prior=names, tol=1e-13)
    expected = passes(layer, input)
    elsewhere()
    layer.running_lam_max.zero_()
    for found, other in zip(passes(layer, input), expected, strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("prior", [KL(0.1, 0.1), ElasticNet(0.05, 0.1)], ids=str)
def test_the_softmax_transfer_gives_the_same_elsewhere(prior, elsewhere):
    layer = dense(prior=prior, transfer="softmax", tol=1e-12)
    input = torch.softmax(normal(5, 6), dim=1)
    expected = passes(layer, input)
    elsewhere()
    for found, other in zip(passes(layer, input), expected, strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", LAYERS)
def test_nothing_is_computed_in_numpy_elsewhere(kind, elsewhere, monkeypatch):
    elsewhere()
    seen, solve, vjp = [], _rows.solve, _rows.vjp_by_slices

    def watched_solve(problem, X, *args, **kwargs):
        solution = solve(problem, X, *args, **kwargs)
        seen.append((problem.dictionary, problem.gram, X.dense(), *solution.arrays().values()))
        return solution

    def watched_vjp(problem, X, *args):
        found = vjp(problem, X, *args)
        seen.append((problem.gram, X.dense(), *args[:2], found.X, found.dictionary))
        return found

    monkeypatch.setattr(_rows, "solve", watched_solve)
    monkeypatch.setattr(_rows, "vjp_by_slices", watched_vjp)
    layer, input = layer_and_input(kind)
    passes(layer, input)
    assert len(seen) == 2
    for arrays in seen:
        assert all(is_torch(array) for array in arrays)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_codes_in_any_dtype_are_close_elsewhere(dtype, elsewhere):
    layer, input = layer_and_input("dense")
    layer, input = layer.to(dtype), input.to(dtype)
    expected = layer(input).detach()
    elsewhere()
    code = layer(input)
    assert code.dtype == dtype
    close = 2e-3 if dtype == torch.float32 else 1e-8
    torch.testing.assert_close(code.detach(), expected, rtol=0, atol=close * expected.abs().max())


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_refused_here_is_refused_elsewhere(kind, bad, elsewhere):
    elsewhere()
    layer, input = layer_and_input(kind)
    input.view(-1)[4] = bad
    with pytest.raises(ValueError, match=r"^input must be finite"):
        layer(input)
    assert not layer(input[:0]).numel()


def test_the_gram_matrix_is_computed_once_for_both_passes(monkeypatch):
    computed = []
    gram = _settings.Atoms._make_gram

    def counted(atoms, n_jobs):
        computed.append(atoms)
        return gram(atoms, n_jobs)

    monkeypatch.setattr(_settings.Atoms, "_make_gram", counted)
    for kind in LAYERS:
        layer, input = layer_and_input(kind)
        loss = layer(input).square().sum() + layer.reconstruction_loss()
        gradients(loss, layer.dictionary)
        assert len(computed) == 1
        computed.clear()


@pytest.mark.gpu
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_layers_on_a_gpu_keep_their_tensors_there(kind, prior):
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    names = ("lam",) if isinstance(prior, Lp) else True
    layer, input = layer_and_input(kind, prior=prior, learn_prior=names, tol=1e-12)
    expected = passes(layer, input)
    layer, there = layer.to("cuda"), input.to("cuda").requires_grad_()
    layer.zero_grad()
    layer.running_lam_max.zero_()
    code = layer(there)
    loss = layer.reconstruction_loss()
    ((normal(*code.shape, seed=2).to("cuda") * code).sum() + loss).backward()
    found = code, loss, there.grad, *(p.grad for p in layer.parameters())
    for mine, other in zip(found, expected, strict=True):
        assert mine.device.type == "cuda"
        np.testing.assert_allclose(mine.detach().cpu().numpy(), other, rtol=1e-6, atol=1e-7)
