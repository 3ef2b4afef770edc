"""Layers in compiled and in exported graphs give what they give without."""

import copy

import pytest

torch = pytest.importorskip("torch")

from torch_problems import LAYERS, atoms, layer_and_input, normal

from skdict_sup import ElasticNet
from skdict_sup.nn import sparse_code

every_layer = pytest.mark.parametrize("kind", LAYERS)
COMPILER = {"backend": "aot_eager", "fullgraph": True}


@pytest.fixture(autouse=True)
def _afresh():
    torch._dynamo.reset()


def model_and_input(kind, **arguments):
    layer, input = layer_and_input(kind, prior=ElasticNet("auto", 0.1), **arguments)
    behind = torch.nn.Linear(input.shape[-1] - 1 if kind == "conv" else 7, 3)
    return torch.nn.Sequential(layer, behind.double()), input


@every_layer
def test_compiled_models_train_like_others(kind):
    model, input = model_and_input(kind, learn_prior=("lam",))
    twin = copy.deepcopy(model)
    compiled = torch.compile(model, **COMPILER)
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.5) for m in (model, twin)]
    for step in range(3):
        batch = (1 + step) * input
        for network, trained, optimizer in zip(
            (compiled, twin), (model, twin), optimizers, strict=True
        ):
            optimizer.zero_grad()
            (network(batch).square().mean() + trained[0].reconstruction_loss()).backward()
            optimizer.step()
        # what the next forward pass scales to the ball
        assert twin[0].dictionary.norm(dim=1).max() > 1
        for name, value in twin.state_dict().items():
            torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-11, atol=1e-13)
    assert model[0].running_lam_max > 0
    assert torch.equal(compiled.eval()(input), model(input))


def test_the_functional_form_is_compiled_with_tensors_for_hyper_parameters():
    lam = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    X, D = normal(5, 6), atoms(7, 6)

    def loss(X, D, lam):
        return sparse_code(X, D, ElasticNet(lam, 0.1)).square().sum()

    found, expected = torch.compile(loss, **COMPILER)(X, D, lam), loss(X, D, lam)
    assert torch.equal(found, expected)
    found, expected = (torch.autograd.grad(value, lam)[0] for value in (found, expected))
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)


@every_layer
@pytest.mark.parametrize("training", [False, True])
def test_exported_models_code_batches_of_any_size(kind, training, tmp_path):
    model, input = model_and_input(kind)
    model(input)  # sets the scale of lam
    model.train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(model, (input,), dynamic_shapes=shapes)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), "the graph of a model is taken without a trace"
    torch.export.save(program, tmp_path / "model.pt2")
    loaded = torch.export.load(tmp_path / "model.pt2").module()
    for batch in (input, torch.cat([input, 2 * input, -input])):
        expected = copy.deepcopy(model)(batch)
        torch.testing.assert_close(loaded(batch), expected, rtol=1e-13, atol=1e-14)
