"""Dictionaries to and from estimators, and dictionaries learned from what reaches a layer."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from learners import classifier, digits, fitted, unsupervised
from problems import unit_atoms
from torch_problems import LAYERS, conv, dense, layer_and_input, normal

from skdict_sup import (
    KL,
    ElasticNet,
    LISTAEncoder,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    encode,
)
from skdict_sup.nn import ConvSparseFactorization, SparseFactorization

EN = ElasticNet(0.2, 0.1)
every_layer = pytest.mark.parametrize("kind", LAYERS)


def coder(**settings):
    dictionary = unit_atoms(np.random.default_rng(0), 6, 64)
    return SparseCoder(dictionary, **{"prior": EN} | settings).fit(digits()[0])


ESTIMATORS = {
    "coder": coder,
    "coder_kl": lambda: coder(prior=KL(0.05, 0.01)),
    "unsupervised": lambda: fitted(unsupervised),
    "classifier": lambda: fitted(classifier, max_iter=1),
}


# --- estimators ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_layer_from_an_estimator_has_its_codes(name):
    estimator, (X, _) = ESTIMATORS[name](), digits()
    layer = SparseFactorization.from_estimator(estimator).eval()
    assert layer.dictionary.dtype == torch.float64
    code = layer(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(code, estimator.transform(X), rtol=1e-9, atol=1e-11)
    back = layer.to_estimator()
    assert isinstance(back, SparseCoder)
    np.testing.assert_allclose(back.fit(X).transform(X), code, rtol=1e-9, atol=1e-11)


def test_arguments_of_the_layer_have_priority():
    layer = SparseFactorization.from_estimator(
        coder(), prior="kl", dtype=torch.float32, learn_prior=True
    )
    assert layer.dictionary.dtype == torch.float32
    assert isinstance(layer.prior, KL)
    assert set(dict(layer.named_parameters())) == {"dictionary", "log_lam", "log_p"}


def test_a_layer_with_the_softmax_transfer_is_exchanged():
    rng = np.random.default_rng(0)
    X = rng.dirichlet(np.ones(8), 20)
    estimator = SparseCoder(unit_atoms(rng, 5, 8), prior=KL(0.1, 0.1), transfer="softmax").fit(X)
    layer = SparseFactorization.from_estimator(estimator)
    assert layer.transfer == "softmax"
    code = layer(torch.tensor(X)).detach().numpy()
    np.testing.assert_allclose(code, estimator.transform(X), rtol=1e-12)
    np.testing.assert_allclose(layer.to_estimator().fit(X).transform(X), code, rtol=1e-12)


def test_a_layer_of_patches_has_the_codes_of_an_estimator_of_patches():
    rng = np.random.default_rng(0)
    estimator = SparseCoder(unit_atoms(rng, 5, 12), prior=EN)
    layer = ConvSparseFactorization.from_estimator(estimator, 2, (2, 3), stride=2)
    images = normal(3, 2, 6, 7)
    rows = torch.nn.functional.unfold(images, (2, 3), stride=2).transpose(1, 2).reshape(-1, 12)
    expected = estimator.fit(rows.numpy()).transform(rows.numpy())
    code = layer(images).detach().permute(0, 2, 3, 1).reshape(-1, 5)
    np.testing.assert_allclose(code, expected, rtol=1e-9, atol=1e-12)
    found = layer.to_estimator().fit(rows.numpy()).transform(rows.numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@every_layer
def test_estimators_get_relative_weights_as_they_are_now(kind):
    layer, input = layer_and_input(kind, prior="elastic_net", tol=1e-10, max_iter=500)
    assert layer.to_estimator().prior.lam == "auto"
    layer(input)
    estimator = layer.to_estimator()
    np.testing.assert_allclose(estimator.prior.lam, 0.2 * layer.running_lam_max.item())
    assert (estimator.tol, estimator.max_iter) == (1e-10, 500)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_estimators_get_atoms_inside_the_ball(dtype):
    layer = dense(norm=2.0).to(dtype)
    atoms = layer.to_estimator().dictionary
    assert atoms.dtype == (np.float64 if dtype == torch.float64 else np.float32)
    close = max(1e-6, torch.finfo(dtype).eps)
    np.testing.assert_allclose(np.linalg.norm(atoms, axis=1), 1.0, rtol=close)
    assert layer.dictionary.norm(dim=1).min() > 1.9, "the layer is not changed"


def test_a_supervised_estimator_starts_from_a_layer():
    X, y = digits()
    layer = dense(64, 6, prior=ElasticNet(0.1, 0.1))
    atoms = layer.dictionary.detach().numpy().copy()
    given = SupervisedDictionaryClassifier(3, max_iter=1, learning_rate=1e-12, random_state=0)
    estimator = layer.to_estimator(given)
    assert (given.n_components, given.init is atoms) == (3, False)
    assert estimator.n_components == 6
    assert estimator.prior.get_params() == layer.prior.get_params()
    np.testing.assert_array_equal(estimator.init, atoms)
    estimator.fit(X, y)  # with a vanishing learning rate it stays there
    np.testing.assert_allclose(estimator.components_, atoms, atol=1e-6)
    np.testing.assert_array_equal(layer.dictionary.detach(), atoms)


def test_an_encoder_without_a_transfer_starts_from_a_layer():
    layer = dense(64, 6)
    estimator = layer.to_estimator(LISTAEncoder(max_iter=1))
    np.testing.assert_array_equal(estimator.init, layer.dictionary.detach())
    other = SparseFactorization(8, 6, prior=KL(0.1, 0.1), transfer="softmax")
    with pytest.raises(ValueError, match=r"^estimator must have a parameter transfer"):
        other.to_estimator(LISTAEncoder())


# --- learning without labels -----------------------------------------------------------------


def signals_of(kind, n_batches=3, seed=0):
    """Batches of few sources, so that there is a dictionary to be learned."""
    _, shape = LAYERS[kind]
    sources = normal(4, *shape[1:], seed=99)
    weights = normal(n_batches, 60, 4, seed=seed)
    weights = weights * (weights.abs() > 1.0)
    return list(torch.einsum("bns,s...->bn...", weights, sources))


@every_layer
def test_learned_atoms_code_signals_at_less_cost(kind):
    batches = signals_of(kind)
    layer = LAYERS[kind][0]()
    layer(batches[0])
    before = layer.reconstruction_loss()
    assert layer.initialise_from(batches, random_state=0) is layer
    layer(batches[0])
    assert layer.reconstruction_loss() < 0.8 * before
    assert layer.dictionary.norm(dim=1).max() <= 1 + 1e-12
    assert layer.dictionary.requires_grad


def test_the_atoms_are_those_of_the_estimator():
    batches = signals_of("dense")
    layer = dense(n_components=7).initialise_from(batches, random_state=0)
    seed = int(np.random.default_rng(0).integers(2**31))
    expected = OnlineDictionaryLearning(7, prior=EN, random_state=seed)
    expected.fit(torch.cat(batches).numpy())
    found = layer.dictionary.detach()
    np.testing.assert_allclose(found, expected.components_, rtol=1e-9, atol=1e-11)


@every_layer
def test_the_same_seed_learns_the_same_atoms(kind):
    first, second, other = (
        LAYERS[kind][0]().initialise_from(signals_of(kind), random_state=seed).dictionary
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


class Below(torch.nn.Module):
    """A layer below, which counts its calls."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, input):
        self.calls += 1
        return torch.relu(input)


class Behind(torch.nn.Module):
    """A layer that must not be reached."""

    def forward(self, _):
        raise AssertionError("reached")


@every_layer
def test_a_model_is_run_up_to_the_layer(kind):
    layer, below, batches = LAYERS[kind][0](), Below(), signals_of(kind)
    model = torch.nn.Sequential(below, layer, Behind())
    loader = [(batch, torch.zeros(len(batch))) for batch in batches]
    layer.initialise_from(loader, model, random_state=0)
    assert below.calls == len(batches)
    expected = LAYERS[kind][0]().initialise_from(map(torch.relu, batches), random_state=0)
    assert torch.equal(layer.dictionary, expected.dictionary)
    with pytest.raises(AssertionError, match="reached"):
        model(batches[0])  # no hook is left behind


@every_layer
def test_as_many_signals_as_asked_for_are_used(kind, monkeypatch):
    seen = []

    def fit(estimator, X, y=None):
        seen.append(X)
        estimator.components_ = X[:7]
        return estimator

    monkeypatch.setattr(OnlineDictionaryLearning, "fit", fit)
    below = Below()
    layer, batches = LAYERS[kind][0](), signals_of(kind)
    per_batch = 60 if kind == "dense" else 60 * 3 * 2
    model = torch.nn.Sequential(below, layer)
    for n_signals in (10, per_batch + 5, 10 * per_batch):
        below.calls = 0
        layer.initialise_from(batches, model, n_signals=n_signals, random_state=0)
        assert len(seen[-1]) == min(n_signals, 3 * per_batch)
        assert below.calls == min(3, -(-n_signals // per_batch))
    layer.initialise_from(iter(batches), n_signals=25, random_state=0)
    rows = batches[0]
    if kind == "conv":
        rows = torch.nn.functional.unfold(rows, 2).transpose(1, 2).reshape(-1, 8)
    # each is a signal of the batch
    differences = torch.tensor(seen[-1])[:, None] - rows
    distances = differences.abs().sum(dim=2)
    assert distances.min(dim=1).values.max() == 0
    if kind == "conv":
        assert len(np.unique(seen[-1], axis=0)) > 20
        places = distances.argmin(dim=1)
        assert places.max() > 25, "they are drawn from the whole batch"


def test_centered_patches_are_learned_from(monkeypatch):
    seen = []

    def fit(estimator, X, y=None):
        seen.append(X)
        estimator.components_ = X[:7]
        return estimator

    monkeypatch.setattr(OnlineDictionaryLearning, "fit", fit)
    conv(center=True).initialise_from([normal(5, 2, 4, 4)])
    np.testing.assert_allclose(seen[0].mean(axis=1), 0.0, atol=1e-15)


@every_layer
def test_the_scale_of_relative_weights_is_that_of_the_signals(kind):
    batches = signals_of(kind)
    layer = LAYERS[kind][0](prior="elastic_net").initialise_from(batches, random_state=0)
    scale = layer.running_lam_max.item()
    rows = torch.cat(batches)
    if kind == "conv":
        rows = torch.nn.functional.unfold(rows, 2).transpose(1, 2).reshape(-1, 8)
    D = layer.dictionary.detach().numpy()
    expected = encode(rows.numpy(), D, prior="elastic_net").code
    found = encode(rows.numpy(), D, prior=ElasticNet(0.2 * scale)).code
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_other_dtypes_are_learned_from(dtype):
    layer = dense().to(dtype)
    before = layer.dictionary.detach().clone()
    layer.initialise_from([batch.to(dtype) for batch in signals_of("dense")], random_state=0)
    assert layer.dictionary.dtype == dtype
    assert not torch.equal(layer.dictionary, before)
    assert layer.dictionary.float().norm(dim=1).max() < 1.01


def test_dictionaries_of_several_classes_are_refused():
    estimator = fitted(classifier, max_iter=1, multi_class="ovr")
    with pytest.raises(ValueError, match="estimator must have one dictionary for all classes"):
        SparseFactorization.from_estimator(estimator)


@pytest.mark.parametrize("name", ["standardise", "fit_offset"])
def test_dictionaries_of_prepared_signals_are_refused(name):
    estimator = fitted(classifier, max_iter=1, **{name: True})
    with pytest.raises(ValueError, match=f"was fitted with {name}=True: fit it with {name}=False"):
        SparseFactorization.from_estimator(estimator)


def test_the_layers_below_do_not_learn_from_the_signals_of_a_start():
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(6, dtype=torch.float64), dense())
    state = {name: value.clone() for name, value in model[0].state_dict().items()}
    model[1].initialise_from([5 + normal(64, 6)], model, random_state=0)
    assert all(module.training for module in model.modules())
    for name, value in model[0].state_dict().items():
        assert torch.equal(value, state[name])
