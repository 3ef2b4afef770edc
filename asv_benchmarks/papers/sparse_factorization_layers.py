"""Sparse factorization layers in a small LeNet: the experiments of Koch and Corso.

python asv_benchmarks/papers/sparse_factorization_layers.py measures all and writes
docs/results/layers.md and its figure; --only measures and prints one part. All of it takes hours;
what is measured is kept in asv_benchmarks/.kept, and later runs go on from there. Settings are
chosen on training images held out; the test images give the figures alone.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from _common import THREADS, Contender, arguments, interleaved, machine, publish
from _kept import Kept
from _layer_networks import Network, accuracy, digits, trained
from _layers_page import draw, page

from skdict_sup import ElasticNet, code_vjp, encode
from skdict_sup.nn import ConvSparseFactorization, SparseFactorization

PARTS = ("table", "few labels", "why", "times")
KINDS = ("MNIST", "rot", "rand", "img")
NETWORKS = {
    "LeNet": Network(),
    "CSF": Network(csf=True, pretrained=True),
    "SF": Network(sf=True, pretrained=True),
    "CSF+SF": Network(csf=True, sf=True, pretrained=True),
}
N_VARIATION, N_VALIDATION, N_CHOICE = 12_000, 2000, 10_000
RATES = (0.01, 0.03)
EPOCHS = 10
LABELS, DRAWS, CHOICE_DRAWS = (100, 200, 400, 600), 5, 2
_FEW_SETTINGS = {"batch_size": 20, "csf_lam": "0.5*lam_max"}
FEW = {  # what is done with the images that have no label
    "LeNet": Network(**_FEW_SETTINGS),
    **{
        f"{kind}{name}": Network(**{kind.lower(): True}, **extra, **_FEW_SETTINGS)
        for kind in ("SF", "CSF")
        for name, extra in (
            ("", {}),
            (", learned start", {"pretrained": True}),
            (", semi-supervised", {"semi_supervised": True}),
            (", learned start, semi-supervised", {"pretrained": True, "semi_supervised": True}),
        )
    },
}
FEW_CHOICES = [{"learning_rate": rate, "epochs": n} for rate in (0.01, 0.03) for n in (50, 100)]
MORE_CHOICES = {  # by whether training is semi-supervised
    False: [{"weight_decay": decay} for decay in (5e-4, 5e-3)],
    True: [{"mu": weight} for weight in (1.0, 0.03)],
}
WHY = {  # from what the paper did to what the table has
    "lam 1, random dictionary": {"sf_lam": 1.0, "dense_dictionary_rate": 1.0, "pretrained": False},
    "lam relative": {"dense_dictionary_rate": 1.0, "pretrained": False},
    "lam relative, learned start": {"dense_dictionary_rate": 1.0},
    "lam relative, learned start, rate of the dictionary times 10": {},
}
PACKAGES = ("skdict-sup", "torch", "numpy", "numba", "scikit-learn")
BATCHES = (64, 256, 1024, 4096)


class Experiment:
    """The parts of the page; `quick` makes all of them small."""

    def __init__(self, quick):
        self.quick, self.kept = quick, Kept("layers", keep=not quick)

    def _data(self, kind):
        """Training and test images with labels."""
        n = 300 if self.quick else None
        n_train = n or (None if kind == "MNIST" else N_VARIATION)
        return *digits(kind, "train", n_train), *digits(kind, "test", n)

    def _fitted(self, label, network, *data, seed, unlabelled=None):
        """Accuracy in % on the last two of the data, of a model trained on the first two."""
        if self.quick:
            network = replace(network, epochs=1)

        def compute():
            model = trained(network, *data[:2], seed, unlabelled)
            return accuracy(model, *data[2:])

        return self.kept(f"{label} {network} {seed}", compute)

    def _chosen(self, label, choices, splits, unlabelled=None):
        """The network of the best mean accuracy on validation data, and that accuracy."""
        scores = []
        for network in choices[: 2 if self.quick else None]:
            found = [
                self._fitted(label, network, *split, seed=1000 + k, unlabelled=unlabelled)
                for k, split in enumerate(splits)
            ]
            scores.append(np.mean(found))
            print(f"  {label}: {scores[-1]:.2f} {network}", flush=True)
        best = int(np.argmax(scores))
        return choices[best], scores[best]

    def table(self):
        """Accuracy by data set and network, with the learning rate that was chosen on img."""
        results, chosen = {}, {}
        for kind in KINDS[::-1]:  # the largest last
            *train, X_test, y_test = self._data(kind)
            for name, network in NETWORKS.items():
                choices = [replace(network, learning_rate=rate, epochs=EPOCHS) for rate in RATES]
                if name not in chosen:
                    chosen[name], _ = self._chosen(f"validation {kind}", choices, [_split(*train)])
                network = chosen[name]
                found = self._fitted(f"test {kind}", network, *train, X_test, y_test, seed=0)
                results[kind, name] = found, network
                print(f"{kind} {name}: {found:.2f}", flush=True)
        return {key: results[key] for key in sorted(results, key=lambda key: KINDS.index(key[0]))}

    def few_labels(self):
        """Accuracies by method and number of labels, with the network that was chosen."""
        X, y = digits("MNIST", "train", 2000 if self.quick else None)
        test = digits("MNIST", "test", 300 if self.quick else None)
        n = len(X) * 5 // 6
        pool, labels, validation = X[:n], y[:n], (X[n:][:5000], y[n:][:5000])
        sizes, n_draws = (LABELS[:1], 2) if self.quick else (LABELS, DRAWS)
        splits = [
            (*_draw(pool, labels, LABELS[0], 1000 + k), *validation) for k in range(CHOICE_DRAWS)
        ]
        results = {}
        for name, network in FEW.items():
            choices = [
                replace(network, **choice, **more)
                for choice in FEW_CHOICES
                for more in MORE_CHOICES[network.semi_supervised]
            ]
            network, _ = self._chosen("validation few labels", choices, splits, pool)
            for size in sizes:
                draws = (_draw(pool, labels, size, seed) for seed in range(n_draws))
                found = [
                    self._fitted(
                        f"few labels {size}", network, *data, *test, seed=seed, unlabelled=pool
                    )
                    for seed, data in enumerate(draws)
                ]
                results[name, size] = network, found
                print(f"{name}, {size}: {np.mean(found):.2f} {np.std(found):.2f}", flush=True)
        return results

    def why(self):
        """Validation accuracy of SF on turned digits, by what is done differently."""
        train = digits("rot", "train", 300 if self.quick else N_VARIATION)
        results = {}
        for name, change in WHY.items():
            choices = [
                replace(NETWORKS["SF"], learning_rate=rate, epochs=EPOCHS, **change)
                for rate in RATES
            ]
            # the last row is the network of the table, which has been measured there
            network, score = self._chosen("validation rot", choices, [_split(*train)])
            results[name] = score, network
        return results

    def times(self):
        """Seconds of a training step of each network, and of each layer and its parts by hand."""
        torch.set_num_threads(THREADS)
        X, y = digits("MNIST", "train", 128)
        contenders = {
            name: Contender(_step(net, X[:64], y[:64]), 64, THREADS)
            for name, net in NETWORKS.items()
        }
        steps = {k: v[0] for k, v in interleaved(contenders, 5 if self.quick else 40).items()}
        layers = {}
        for dtype in (torch.float32, torch.float64):
            for batch in BATCHES[: 1 if self.quick else None]:
                for kind, pair in (("SF", _dense(batch, dtype)), ("CSF", _conv(batch, dtype))):
                    names = dict(zip(("layer", "by hand"), pair, strict=True))
                    called = {k: Contender(run, batch, THREADS) for k, run in names.items()}
                    repeats = 15 if batch < BATCHES[-1] else 5
                    found = interleaved(called, 3 if self.quick else repeats)
                    layers[kind, batch, str(dtype).removeprefix("torch.")] = tuple(
                        found[name][0] for name in names
                    )
        return steps, layers


def _split(X, y):
    """Training and validation images with labels."""
    n, n_validation = min(N_CHOICE, len(X) * 5 // 6), min(N_VALIDATION, len(X) // 6)
    return X[:n], y[:n], X[-n_validation:], y[-n_validation:]


def _draw(X, y, n, seed):
    """The same number of images of each class, with labels."""
    rng = np.random.default_rng([seed, n])
    rows = [rng.choice(np.flatnonzero(y == c), n // 10, replace=False) for c in range(10)]
    rows = np.concatenate(rows)
    return X[rows], y[rows]


def _step(network, X, y):
    """A training step, of a network that has been trained for a while."""
    model = trained(replace(network, epochs=20), X, y, 0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    loss = nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad()
        loss(model(X), y).backward()
        optimizer.step()

    return step


def _pair(layer, input, rows):
    """Forward and backward pass of a layer, and the same of its rows by hand on arrays."""
    input = input.requires_grad_()
    output = layer(input)
    gradient = torch.randn_like(output)
    columns = gradient if output.ndim == 2 else gradient.permute(0, 2, 3, 1).flatten(0, 2)
    X, D, G = (np.ascontiguousarray(a.detach().numpy()) for a in (rows, layer.dictionary, columns))

    def run():
        layer.dictionary.grad = input.grad = None
        layer(input).backward(gradient)

    def by_hand():
        code = encode(X, D, prior=layer.prior).code
        return code_vjp(X, D, code, G, prior=layer.prior)

    return run, by_hand


def _dense(batch, dtype):
    torch.manual_seed(0)
    layer = SparseFactorization(784, 300, prior=ElasticNet(2.0), dtype=dtype)
    X = torch.randn(batch, 784, dtype=dtype)
    return _pair(layer, X, X)


def _conv(batch, dtype):
    torch.manual_seed(0)
    layer = ConvSparseFactorization(1, 20, 5, prior=ElasticNet(0.3), dtype=dtype)
    X = torch.rand(batch, 1, 28, 28, dtype=dtype)
    return _pair(layer, X, nn.functional.unfold(X, 5).transpose(1, 2).flatten(0, 1))


def main():
    options = arguments(__doc__.splitlines()[0], "layers", PARTS)
    about = machine(PACKAGES, threads=f"1; {THREADS} for times")
    torch.set_num_threads(1)
    experiment, start = Experiment(options.quick), time.perf_counter()
    parts = [options.only] if options.only else PARTS
    results = {part: getattr(experiment, part.replace(" ", "_"))() for part in parts}
    print(f"{time.perf_counter() - start:.0f} s")
    publish(page(results, about, options.quick), options.output, lambda path: draw(results, path))


if __name__ == "__main__":
    main()
