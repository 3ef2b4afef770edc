"""Tensors for the tests of layers, and layers with parameters inside the unit ball."""

from functools import partial

import numpy as np
import torch
from problems import unit_atoms

from skdict_sup import KL, ElasticNet, Lp
from skdict_sup.nn import ConvSparseFactorization, SparseFactorization

TOL = 1e-13  # codes of iterative solvers as exact as finite differences need
MEANS = [0.1, 0.2, 0.3, 0.1, 0.2, 0.5, 1.0]
# a prior as a function of its hyper-parameters, and their values
PRIORS = {
    "elastic_net": (ElasticNet, (0.2, 0.1)),
    "lasso": (ElasticNet, (0.3,)),
    "positive": (partial(ElasticNet, positive=True), (0.2, 0.1)),
    "kl": (KL, (0.2, 0.1)),
    "kl_positive": (partial(KL, positive=True), (0.2, 0.1)),
    "kl_means": (KL, (0.2, MEANS)),
    "lp": (Lp, (0.2, 1.5)),
}


def normal(*shape, seed=0, dtype=torch.float64):
    """Tensor of normal entries."""
    return torch.as_tensor(np.random.default_rng(seed).normal(size=shape)).to(dtype)


def atoms(n_components, n_features, seed=1, dtype=torch.float64):
    """Dictionary of atoms of unit norm."""
    D = unit_atoms(np.random.default_rng(seed), n_components, n_features)
    return torch.as_tensor(D).to(dtype)


def prior_named(name):
    """Prior of the table, with numbers."""
    make, values = PRIORS[name]
    return make(*(np.asarray(v) if isinstance(v, list) else v for v in values))


def with_atoms(layer, seed=1, norm=1.0):
    """The layer, with atoms of a given norm."""
    with torch.no_grad():
        drawn = atoms(*layer.dictionary.shape, seed=seed, dtype=layer.dictionary.dtype)
        layer.dictionary.copy_(norm * drawn)
    return layer


def dense(n_features=6, n_components=7, norm=1.0, **arguments):
    """SparseFactorization in float64."""
    settings = {"prior": ElasticNet(0.2, 0.1), "dtype": torch.float64} | arguments
    return with_atoms(SparseFactorization(n_features, n_components, **settings), norm=norm)


def conv(channels=2, n_components=7, kernel_size=2, norm=1.0, **arguments):
    """ConvSparseFactorization in float64."""
    settings = {"prior": ElasticNet(0.2, 0.1), "dtype": torch.float64} | arguments
    return with_atoms(
        ConvSparseFactorization(channels, n_components, kernel_size, **settings), norm=norm
    )


LAYERS = {"dense": (dense, (5, 6)), "conv": (conv, (3, 2, 4, 3))}


def layer_and_input(name, seed=0, **arguments):
    """A layer of either kind, and an input for it."""
    make, shape = LAYERS[name]
    return make(**arguments), normal(*shape, seed=seed)


def gradients(loss, *tensors):
    """Gradients in NumPy."""
    return [g.numpy() for g in torch.autograd.grad(loss, tensors)]
