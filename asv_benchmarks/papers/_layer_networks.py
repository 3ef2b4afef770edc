"""Digits and their variations, the networks of Koch and Corso, and their training."""

from copy import deepcopy
from dataclasses import dataclass, fields

import numpy as np
import torch
from benchmarks import common
from scipy import ndimage
from sklearn.datasets import load_sample_images
from torch import nn

from skdict_sup import ElasticNet
from skdict_sup.nn import (
    ConvSparseFactorization,
    MuSchedule,
    SemiSupervisedLoss,
    SparseFactorization,
)

SIDE, N_CLASSES = 28, 10
LEAST_CONTRAST = 0.1  # standard deviation of a patch of a photograph behind a digit
PRETRAINING_BATCHES, PRETRAINING_SIGNALS = 40, 10_000
MUS = (0.8, 0.5, 0.3, 0.0)
MAX_STARTS = 8
_STARTS = {}  # by what they depend on: images (held, so that no others get their address), model


@dataclass(frozen=True, repr=False)
class Network:
    """A network of figure 2, and how it is trained."""

    csf: bool = False
    sf: bool = False
    csf_lam: float | str = "0.2*lam_max"
    sf_lam: float | str = "0.1*lam_max"
    lam2: float = 0.1  # keeps gradients small where atoms are nearly dependent
    learning_rate: float = 0.03
    dictionary_rate: float = 1.0  # learning rate of the first dictionary, relative to the others
    dense_dictionary_rate: float = 10.0
    weight_decay: float = 5e-4
    epochs: int = 10
    batch_size: int = 64
    pretrained: bool = False  # whether dictionaries are learned without labels to begin with
    semi_supervised: bool = False
    mu: float = 1.0  # weight of the unsupervised loss, relative to that of the paper

    def __repr__(self):
        """Settings that are not the default."""
        settings = (f for f in fields(self) if getattr(self, f.name) != f.default)
        return " ".join(f"{f.name}={getattr(self, f.name)}" for f in settings)

    def build(self):
        """A dictionary stands for the first convolution, or for the first dense layer."""
        first = nn.Conv2d(1, 20, 5)
        if self.csf:
            first = ConvSparseFactorization(1, 20, 5, prior=ElasticNet(self.csf_lam, self.lam2))
        dense = [nn.Linear(800, 500), nn.ReLU()]
        if self.sf:
            dense = [SparseFactorization(800, 500, prior=ElasticNet(self.sf_lam, self.lam2))]
        pool = nn.MaxPool2d
        last = nn.Linear(500, 10)
        return nn.Sequential(
            first, pool(2), nn.Conv2d(20, 50, 5), pool(2), nn.Flatten(), *dense, last
        )


def digits(kind, part, n=None, seed=0):
    """Images (n, 1, 28, 28) in [0, 1] and labels of MNIST, or of one of its variations.

    Digits are turned by any angle ("rot"), or have noise ("rand") or a patch of a photograph
    ("img") behind them. Training and test images have different photographs.
    """
    X, y = common.stored_digits(part)
    rng = np.random.default_rng([seed, part == "test"])
    rows = np.arange(len(X)) if n is None else rng.permutation(len(X))[:n]
    X, y = X[rows].astype(np.float32), y[rows].astype(np.int64)
    side = round(X.shape[1] ** 0.5)
    X = (X / X.max()).reshape(-1, side, side)
    if side != SIDE:
        X = ndimage.zoom(X, (1, SIDE / side, SIDE / side), order=1)
    return torch.from_numpy(_varied(X, kind, part, rng)[:, None]), torch.from_numpy(y)


def _varied(X, kind, part, rng):
    if kind == "rot":
        angles = rng.uniform(0, 360, len(X))
        pairs = zip(X, angles, strict=True)
        return np.stack([ndimage.rotate(x, angle, reshape=False, order=1) for x, angle in pairs])
    if kind == "rand":
        return np.maximum(X, rng.random(X.shape, dtype=np.float32))
    if kind == "img":
        photographs = _photographs(part)
        return np.stack([np.maximum(x, _patch(photographs, rng)) for x in X])
    return X


def _photographs(part):
    path = common.data_file(f"images_{part}.npz")
    if path is None:
        images = [image.mean(axis=2) for image in load_sample_images().images]
        half = images[0].shape[1] // 2
        images = [x[:, :half] if part == "train" else x[:, half:] for x in images]
    else:
        with np.load(path, allow_pickle=False) as data:
            images = [data[key] for key in sorted(data.files)]
    return [image.astype(np.float32) / 255 for image in images]


def _patch(photographs, rng):
    while True:
        image = photographs[rng.integers(len(photographs))]
        row, column = (rng.integers(size - SIDE) for size in image.shape)
        patch = image[row : row + SIDE, column : column + SIDE]
        if patch.std() > LEAST_CONTRAST:
            return patch


def accuracy(model, X, y):
    """Accuracy in %; that of a guess for a model whose training has diverged."""
    if model is None:
        return 100 / N_CLASSES
    model.eval()
    with torch.no_grad():
        right = [
            (model(x).argmax(dim=1) == label).float()
            for x, label in zip(X.split(500), y.split(500), strict=True)
        ]
    model.train()
    return 100 * float(torch.cat(right).mean())


def trained(network, X, y, seed, unlabelled=None):
    """Model of a network, trained on images and labels; `unlabelled` are more images.

    None if the training has diverged.
    """
    pool = X if unlabelled is None else unlabelled
    model, draw = _start(network, pool, seed)
    optimizer, n_batches = _optimizer(model, network), -(-len(X) // network.batch_size)
    rates = [group["lr"] for group in optimizer.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rates, network.epochs * n_batches + 1, pct_start=0.1, cycle_momentum=False
    )
    loss, weights = nn.CrossEntropyLoss(), None
    if network.semi_supervised:
        loss = SemiSupervisedLoss(model, loss)
        milestones = [network.epochs * k // len(MUS) for k in (1, 2, 3)]
        weights = MuSchedule(loss, milestones, [network.mu * mu for mu in MUS])
    for _ in range(network.epochs):
        for rows in torch.randperm(len(X), generator=draw).split(network.batch_size):
            optimizer.zero_grad()
            others = []
            if weights is not None and loss.mu > 0 and unlabelled is not None:
                chosen = torch.randint(len(pool), (network.batch_size,), generator=draw)
                others = [pool[chosen]]
            try:
                loss(model(X[rows]), y[rows], *others).backward()
            except ValueError:  # a dictionary or activations that are not finite
                return None
            optimizer.step()
            schedule.step()
        if weights is not None:
            weights.step()
    return model


def _start(network, pool, seed):
    """Model before training, with dictionaries that have been learned, and a generator.

    The last ones are kept, since networks that differ only in their training begin alike.
    """
    torch.manual_seed(seed)
    model, draw = network.build(), torch.Generator().manual_seed(seed)
    if not network.pretrained:
        return model, draw
    structure = network.csf, network.sf, network.csf_lam, network.sf_lam, network.lam2
    key = *structure, seed, pool.data_ptr(), len(pool)
    if key not in _STARTS:
        for layer in _factorizations(model):
            batches = torch.randperm(len(pool), generator=draw).split(256)[:PRETRAINING_BATCHES]
            loader = (pool[rows] for rows in batches)
            layer.initialise_from(loader, model, n_signals=PRETRAINING_SIGNALS, random_state=seed)
        _STARTS[key] = pool, deepcopy(model.state_dict()), draw.get_state()
        while len(_STARTS) > MAX_STARTS:
            del _STARTS[next(iter(_STARTS))]
    _, state, generator = _STARTS[key]
    model.load_state_dict(state)
    return model, draw.set_state(generator)


def _factorizations(model):
    kinds = ConvSparseFactorization, SparseFactorization
    return [layer for layer in model if isinstance(layer, kinds)]


def _optimizer(model, network):
    """SGD with momentum 0.9; dictionaries have their own rate and no weight decay."""
    groups = []
    for layer in model:
        group = {"params": list(layer.parameters()), "weight_decay": network.weight_decay}
        if isinstance(layer, ConvSparseFactorization | SparseFactorization):
            is_dense = isinstance(layer, SparseFactorization)
            factor = network.dense_dictionary_rate if is_dense else network.dictionary_rate
            group |= {"lr": network.learning_rate * factor, "weight_decay": 0.0}
        if group["params"]:
            groups.append(group)
    return torch.optim.SGD(groups, lr=network.learning_rate, momentum=0.9)
