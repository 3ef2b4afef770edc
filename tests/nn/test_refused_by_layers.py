"""What layers, operators and losses refuse, and the names in their messages."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch_problems import conv, dense, normal

from skdict_sup import KL, ElasticNet, LISTAEncoder, Lp, OnlineDictionaryLearning, SparseCoder
from skdict_sup.nn import (
    ConvSparseFactorization,
    MuSchedule,
    SemiSupervisedLoss,
    SparseFactorization,
    sparse_code,
)

EN = ElasticNet(0.2, 0.1)
ROWS, IMAGES = normal(5, 6), normal(2, 2, 5, 4)


def with_entry(tensor, value, place=0):
    tensor = tensor.clone()
    tensor.view(-1)[place] = value
    return tensor


def with_infinite_column(tensor):
    tensor = tensor.clone()
    tensor[..., 0] = torch.inf
    return tensor


# --- inputs ----------------------------------------------------------------------------------

BAD_INPUTS = {
    "array": (lambda x: x.numpy(), TypeError, "must be a torch tensor, got ndarray"),
    "list": (lambda x: x.tolist(), TypeError, "must be a torch tensor, got list"),
    "integers": (lambda x: x.long(), TypeError, r"must have a real .*got torch\.int64"),
    "booleans": (lambda x: x > 0, TypeError, r"must have a real .*got torch\.bool"),
    "complex": (lambda x: x + 1j, TypeError, r"must have a real .*got torch\.complex128"),
    "float32": (lambda x: x.float(), TypeError, r"must have .*float64, got torch\.float32"),
    "nan": (lambda x: with_entry(x, torch.nan), ValueError, "must be finite"),
    "infinity": (lambda x: with_entry(x, -torch.inf), ValueError, "must be finite"),
    "infinities": (with_infinite_column, ValueError, "must be finite"),
    "device": (lambda x: x.to("meta"), ValueError, "is on meta, but the dictionary .* on cpu"),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
@pytest.mark.parametrize("prior", [EN, "elastic_net"], ids=str)
def test_layers_refuse_what_they_cannot_code(name, prior):
    spoil, error, message = BAD_INPUTS[name]
    for layer, input in ((dense(prior=prior), ROWS), (conv(prior=prior), IMAGES)):
        with pytest.raises(error, match=f"^input {message}"):
            layer(spoil(input))
        assert layer.running_lam_max == 0  # as before the batch


@pytest.mark.parametrize("name", [n for n in BAD_INPUTS if n != "list"])
def test_the_functional_form_refuses_the_same(name):
    spoil, error, _ = BAD_INPUTS[name]
    with pytest.raises(error, match=r"^input "):
        sparse_code(spoil(ROWS), dense().dictionary, EN)


@pytest.mark.parametrize("shape", [(5, 5), (6, 5), (5,), ()])
def test_numbers_of_features_must_agree(shape):
    with pytest.raises(ValueError, match=r"^input must have in_features=6 .*got shape \("):
        dense()(torch.ones(shape, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"^input must have 6 entries .*got shape \("):
        sparse_code(torch.ones(shape, dtype=torch.float64), dense().dictionary, EN)


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        ({}, (2, 3, 5, 4), r"input must have in_channels=2 .*got shape \(2, 3, 5, 4\)"),
        ({}, (3, 5, 4), r"input must have in_channels=2 "),
        ({}, (5, 4), r"input must have shape \(N, C, H, W\) or \(C, H, W\)"),
        ({}, (1, 2, 2, 5, 4), r"input must have shape \(N, C, H, W\) or \(C, H, W\)"),
        ({"kernel_size": (2,)}, (1, 2, 5, 4), r"input must have shape \(N, C, L\) or \(C, L\)"),
        ({"kernel_size": (2,)}, (1, 3, 5), "input must have in_channels=2"),
        ({"kernel_size": 5}, (1, 2, 5, 4), r"kernel_size=\(5, 5\) .*covers \(5, 5\)"),
        ({"dilation": (1, 4)}, (1, 2, 5, 4), r"kernel_size=\(2, 2\) .*covers \(2, 5\)"),
        ({"kernel_size": 7, "padding": 1}, (1, 2, 5, 4), r"kernel_size=.*padding=\(1, 1\)"),
        ({"kernel_size": (3,)}, (1, 2, 2), r"kernel_size=\(3,\) .*covers \(3,\)"),
    ],
)
def test_images_must_have_the_channels_and_the_size(settings, shape, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        conv(**settings)(torch.ones(shape, dtype=torch.float64))


def test_a_dictionary_on_another_device_is_named():
    with pytest.raises(ValueError, match=r"^input is on cpu, but the dictionary .* is on meta"):
        dense().to("meta")(ROWS)
    with pytest.raises(ValueError, match=r"^input is on cpu, but dictionary is on meta"):
        sparse_code(ROWS, dense().dictionary.to("meta"), EN)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("prior", [EN, "elastic_net"], ids=str)
def test_a_dictionary_that_has_diverged_is_named(value, prior):
    for layer, input in ((dense(prior=prior), ROWS), (conv(prior=prior), IMAGES)):
        with torch.no_grad():
            layer.dictionary[1, 2] = value
        with pytest.raises(ValueError, match=r"^dictionary must be finite, .*learning rate"):
            layer(input)


@pytest.mark.parametrize(
    ("dictionary", "error", "message"),
    [
        (np.ones((7, 6)), TypeError, "must be a torch tensor"),
        (normal(6), ValueError, "must have shape"),
        (normal(0, 6), ValueError, "must have shape"),
        (normal(7, 6).half(), TypeError, "must be in float32 or float64"),
        (with_entry(normal(7, 6), torch.nan), ValueError, "must be finite"),
    ],
    ids=["array", "vector", "empty", "half", "nan"],
)
def test_dictionaries_must_be_matrices(dictionary, error, message):
    with pytest.raises(error, match=f"^dictionary {message}"):
        sparse_code(ROWS, dictionary, EN)
    with pytest.raises(TypeError, match=r"^input and dictionary must have the same dtype"):
        sparse_code(ROWS, normal(7, 6).float(), EN)


def test_only_distributions_have_a_softmax_transfer():
    layer = dense(prior=KL(0.1, 0.1), transfer="softmax")
    with pytest.raises(ValueError, match=r"^input must be nonnegative for transfer='softmax'"):
        layer(ROWS)
    with pytest.raises(ValueError, match=r"^input must have rows that sum to 1"):
        layer(ROWS.abs() + 1)


# --- arguments -------------------------------------------------------------------------------

SHARED = [
    ({"n_components": 0}, ValueError, "n_components must"),
    ({"n_components": 2.5}, TypeError, "n_components must"),
    ({"prior": "none"}, ValueError, "prior must be one of"),
    ({"prior": 3}, TypeError, "prior must be one of"),
    ({"prior": ElasticNet}, TypeError, "prior must be one of"),
    ({"prior": ElasticNet(-1.0)}, ValueError, "lam must"),
    ({"prior": KL(0.1, np.ones(3))}, ValueError, "p must have one entry per atom: got 3"),
    ({"solver": "none"}, ValueError, "solver must be one of"),
    ({"solver": "newton"}, ValueError, "solver must be one of"),
    ({"tol": 0.0}, ValueError, "tol must"),
    ({"tol": "small"}, TypeError, "tol must"),
    ({"max_iter": 0}, ValueError, "max_iter must"),
    ({"momentum": 0.0}, ValueError, "momentum must"),
    ({"momentum": 1.5}, ValueError, "momentum must"),
    ({"dtype": torch.int32}, TypeError, "dtype must be a floating-point dtype"),
    ({"dtype": torch.complex64}, TypeError, "dtype must be a floating-point dtype"),
    ({"learn_prior": "lam"}, TypeError, "learn_prior must be True, False or a sequence"),
    ({"learn_prior": 1}, TypeError, "learn_prior must be True, False or a sequence"),
    ({"learn_prior": ("p",)}, ValueError, r"learn_prior must .*\['lam', 'lam2'\], got \['p'\]"),
    ({"learn_prior": True, "prior": ElasticNet(0.0)}, ValueError, "prior must have lam > 0"),
    ({"learn_prior": ["lam2"], "prior": ElasticNet(1.0)}, ValueError, "prior must have lam2 > 0"),
    ({"learn_prior": True, "prior": ElasticNet(-1.0)}, ValueError, "lam must"),
]
PLACES = [
    ({"in_channels": 0}, ValueError, "in_channels must"),
    ({"kernel_size": 0}, ValueError, "kernel_size must"),
    ({"kernel_size": 2.5}, TypeError, "kernel_size must"),
    ({"kernel_size": (2, 2, 2)}, ValueError, "kernel_size must be an integer or have 2"),
    ({"kernel_size": ()}, ValueError, "kernel_size must be an integer or have 2"),
    ({"stride": 0}, ValueError, "stride must"),
    ({"stride": 1.5}, TypeError, "stride must"),
    ({"stride": (1,)}, ValueError, "stride must be an integer or have 2"),
    ({"padding": -1}, ValueError, "padding must"),
    ({"padding": "same"}, ValueError, "padding must"),
    ({"dilation": 0}, ValueError, "dilation must"),
    ({"center": 1}, TypeError, "center must be True or False"),
]


@pytest.mark.parametrize(("settings", "error", "message"), SHARED)
def test_arguments_of_both_layers_are_checked(settings, error, message):
    arguments = {"n_components": 7, "prior": EN} | settings
    with pytest.raises(error, match=f"^{message}"):
        SparseFactorization(6, **arguments)
    with pytest.raises(error, match=f"^{message}"):
        ConvSparseFactorization(2, kernel_size=2, **arguments)


@pytest.mark.parametrize(("settings", "error", "message"), PLACES)
def test_places_of_patches_are_checked(settings, error, message):
    with pytest.raises(error, match=f"^{message}"):
        ConvSparseFactorization(
            **{"in_channels": 2, "n_components": 7, "kernel_size": 2} | settings
        )


def test_other_arguments_of_the_dense_layer_are_checked():
    with pytest.raises(TypeError, match=r"^in_features must"):
        SparseFactorization(2.5, 7)
    with pytest.raises(ValueError, match=r"^transfer must be one of"):
        SparseFactorization(6, 7, transfer="none")
    with pytest.raises(ValueError, match=r"^n_jobs must"):
        dense(n_jobs=0)(ROWS)


def test_numpy_integers_are_sizes():
    layer = ConvSparseFactorization(1, np.int64(2), np.int64(3), stride=np.int64(2))
    assert (layer.kernel_size, layer.stride) == ((3, 3), (2, 2))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"prior": "none"}, ValueError, "prior must be one of"),
        ({"prior": 3}, TypeError, "prior must be one of"),
        ({"prior": ElasticNet}, TypeError, "prior must be one of"),
        ({"prior": ElasticNet(torch.tensor(-1.0))}, ValueError, "lam must"),
        ({"prior": ElasticNet(torch.tensor(torch.nan))}, ValueError, "lam must"),
        ({"prior": ElasticNet(torch.ones(2))}, ValueError, "lam must have one entry per atom"),
        ({"prior": ElasticNet("auto", torch.tensor(-1.0))}, ValueError, "lam2 must"),
        ({"prior": KL(0.1, torch.ones(3))}, ValueError, "p must have one entry per atom: got 3"),
        ({"prior": Lp(0.1, 3.0)}, ValueError, "exponent must"),
        ({"solver": "none"}, ValueError, "solver must be one of"),
        ({"transfer": "none"}, ValueError, "transfer must be one of"),
        ({"tol": 0.0}, ValueError, "tol must"),
        ({"max_iter": 0}, ValueError, "max_iter must"),
        ({"n_jobs": 0}, ValueError, "n_jobs must"),
    ],
)
def test_arguments_of_the_functional_form_are_checked(settings, error, message):
    with pytest.raises(error, match=f"^{message}"):
        sparse_code(ROWS, dense().dictionary, **{"prior": EN} | settings)


def test_the_prior_of_learned_parameters_cannot_be_replaced():
    layer = dense(learn_prior=True)
    with pytest.raises(ValueError, match=r"^prior cannot be set if learn_prior is used"):
        layer.prior = KL()
    layer = dense()
    with pytest.raises(ValueError, match=r"^prior must be one of"):
        layer.prior = "none"
    assert layer.prior.get_params() == EN.get_params()


# --- estimators and batches ------------------------------------------------------------------


def test_estimators_must_have_a_dictionary():
    with pytest.raises(TypeError, match=r"^estimator must be fitted, .*: call fit\.$"):
        SparseFactorization.from_estimator(OnlineDictionaryLearning())
    for estimator in (3, OnlineDictionaryLearning):
        with pytest.raises(TypeError, match=r"^estimator must be a fitted estimator with a dict"):
            SparseFactorization.from_estimator(estimator)
    with pytest.raises(ValueError, match=r"^estimator must have atoms of .* 4 entries, got 6"):
        ConvSparseFactorization.from_estimator(SparseCoder(np.eye(6)), 1, 2)
    coder = SparseCoder(np.eye(6), prior=KL(0.1, 0.1), transfer="softmax")
    with pytest.raises(ValueError, match=r"^estimator must have transfer='linear'"):
        ConvSparseFactorization.from_estimator(coder, 1, (2, 3))


@pytest.mark.parametrize("estimator", [3, SparseCoder(None), OnlineDictionaryLearning])
def test_estimators_must_have_a_start(estimator):
    with pytest.raises(TypeError, match=r"^estimator must be None or have a parameter init"):
        dense().to_estimator(estimator)
    assert dense().to_estimator(LISTAEncoder()).init.shape == (7, 6)


def test_batches_must_reach_the_layer():
    layer = dense()
    for loader, model in (([], None), ([ROWS[:0]], None), ([ROWS], torch.nn.Identity())):
        with pytest.raises(ValueError, match=r"^data_loader must have a batch with signals"):
            layer.initialise_from(loader, model)
    with pytest.raises(TypeError, match=r"^data_loader must have tensors, .* got dict"):
        layer.initialise_from([{"input": ROWS}])
    with pytest.raises(ValueError, match=r"^n_signals must"):
        layer.initialise_from([ROWS], n_signals=0)
    with pytest.raises(ValueError, match=r"^input must have in_features=6"):
        layer.initialise_from([ROWS[:, :4]])
    with pytest.raises(ValueError, match=r"^data_loader must have finite signals"):
        layer.initialise_from([with_entry(ROWS, torch.nan)])
    assert layer._forward_pre_hooks == {}


# --- losses ----------------------------------------------------------------------------------


def test_losses_are_checked():
    criterion, layer = torch.nn.CrossEntropyLoss(), dense()
    with pytest.raises(TypeError, match=r"^model must be a torch\.nn\.Module"):
        SemiSupervisedLoss(3, criterion)
    with pytest.raises(ValueError, match=r"^model must have at least one SparseFactorization"):
        SemiSupervisedLoss(torch.nn.Linear(2, 2), criterion)
    with pytest.raises(TypeError, match=r"^criterion must be callable"):
        SemiSupervisedLoss(layer, 3)
    with pytest.raises(ValueError, match=r"^mu must"):
        SemiSupervisedLoss(layer, criterion, mu=1.5)
    loss = SemiSupervisedLoss(layer, criterion)
    with pytest.raises(RuntimeError, match="call the layer first"):
        loss(ROWS, torch.arange(5))
    loss.mu = 2.0
    with pytest.raises(ValueError, match=r"^mu must"):
        loss(ROWS, torch.arange(5))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"values": [0.1]}, ValueError, "values must have one entry more than milestones"),
        ({"values": [0.1, 2.0]}, ValueError, "values must"),
        ({"milestones": [-1]}, ValueError, "milestones must"),
        ({"milestones": [1.5]}, TypeError, "milestones must"),
        ({"milestones": [2, 1], "values": [0, 0, 0]}, ValueError, "milestones must be increasing"),
        ({"last_epoch": -2}, ValueError, "last_epoch must"),
        ({"loss": torch.nn.MSELoss()}, TypeError, "loss must be a SemiSupervisedLoss"),
    ],
)
def test_schedules_are_checked(arguments, error, message):
    loss = SemiSupervisedLoss(dense(), torch.nn.CrossEntropyLoss())
    settings = {"loss": loss, "milestones": [1], "values": [0.2, 0.1]} | arguments
    with pytest.raises(error, match=f"^{message}"):
        MuSchedule(**settings)


def test_tensors_to_learn_are_not_taken_for_numbers():
    lam = torch.tensor(0.1, requires_grad=True)
    with pytest.raises(TypeError, match=r"^prior must have numbers .* learn_prior=\('lam',\)"):
        dense(prior=ElasticNet(lam))
    assert dense(prior=ElasticNet(lam.detach())).prior.lam == pytest.approx(0.1)
