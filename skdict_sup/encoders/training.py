r"""Encoders learn: steps in units of each array of weights; dictionary and head beside the layers.

.. math:: \min \; \frac{\mu}{s} \frac1n \sum_i \sum_k c_k \, C(w_k(x_i), x_i)
          + (1 - \mu) \Big( \frac1n \sum_i \ell(y_i, W w_K(x_i) + b) + \frac{\nu}{2} \|W\|^2 \Big)

with :math:`w_k` the code after layer k, C the objective or the distance to known codes, and s the
mean squared norm of the signals; mu is one where there is no task. A tied dictionary is the matrix
that layers multiply the signals with, times a number.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .._array import namespace
from .._atoms import Atoms
from .._linalg import project_ball
from ..problem import Problem
from ..supervised.step import HeadInput, head_loss
from ._protocol import Seen
from .network import backward, forward

_DICTIONARY_RATE = 0.1  # of the atoms, in units of the rate of the layers


@dataclass(frozen=True, eq=False)
class Course:
    """What stays the same over a training; `judges` are signals at `rows` that judge an epoch."""

    architecture: Any
    reconstruction: Any
    prior: Any
    cost_of: Any
    energy: float  # mean squared norm of the signals, s in the module's text
    every_layer: bool  # whether c_k is 1/K for each, or 1 for the last
    dictionary_update: Any  # False, True or "tied"
    optimizer: Any  # a record of `optim`
    dictionary: Any  # at the start, as are the layers
    layers: list
    judges: Any
    rows: Any
    rng: Any
    judge_targets: Any = None  # of the task, if there is one
    task: Any = None  # settings of its head
    mu: float = 1.0

    @cached_property
    def scales(self):
        """Units of the steps, for each layer."""
        problem = Problem(self.reconstruction, self.prior, Atoms(self.dictionary))
        return self.architecture.scales(self.layers, Seen(problem, self.judges))

    @cached_property
    def owners(self):
        """{name: number of the first layer with the same array} of what layers share, for each."""
        shared, layers = self.architecture.shared, self.layers
        return [
            {
                name: next(n for n, other in enumerate(layers) if other[name] is layer[name])
                for name in shared
            }
            for layer in layers
        ]

    @cached_property
    def ratio(self):
        """Size of the matrix on the signals, relative to a dictionary that is tied to it."""
        if self.dictionary_update != "tied":
            return None
        xp, matrix = namespace(self.dictionary), self.layers[0]["signal"]
        size = float(xp.sum(self.dictionary * self.dictionary))
        return float(xp.sum(matrix * self.dictionary)) / (size or 1.0) or 1.0

    def cost(self, state):
        """Mean cost of the judges, in units of the mean squared norm of the signals."""
        xp, seen = namespace(self.judges), state.seen(self.judges, self)
        codes, _ = forward(self.architecture, state.layers, seen)
        counted = codes if self.every_layer else codes[-1:]
        means = [float(xp.mean(self.cost_of.value(code, seen, self.rows))) for code in counted]
        value = self.mu * sum(means) / len(means) / self.energy
        if self.task is None:
            return value
        features = codes[-1] / self.task.code_scale
        seen = HeadInput(features, self.judge_targets, xp.ones_like(self.judges[:, 0]))
        loss, *_ = head_loss(state.head, seen, self.task)
        return value + (1 - self.mu) * float(loss)


@dataclass(frozen=True, eq=False)
class EncoderState:
    """Everything that learning needs to go on."""

    layers: list
    dictionary: Any
    head: dict
    moments: dict
    n_steps: int = 0

    def seen(self, X, course):
        """What the layers see of signals."""
        problem = Problem(course.reconstruction, course.prior, Atoms(self.dictionary))
        return Seen(problem, X)


def start(course, head):
    """State before the first step."""
    begin = course.optimizer.start
    moments = {
        "layers": [
            {
                name: begin(array, by_row=False)
                for name, array in layer.items()
                if own.get(name, number) == number
            }
            for number, (layer, own) in enumerate(zip(course.layers, course.owners, strict=True))
        ],
        "dictionary": begin(course.dictionary, by_row=True),
        "head": {name: begin(array, by_row=False) for name, array in head.items()},
    }
    return EncoderState(course.layers, course.dictionary, head, moments)


def share(layers, moments):
    """Let layers without moments of their own for an array have that of the layer that has them.

    Of several the first with equal entries is the one: layers that were added begin with others.
    """
    for number, layer in enumerate(layers):
        for name in layer.keys() - moments[number].keys():
            xp = namespace(layer[name])
            for before, owned in zip(layers[:number], moments, strict=False):
                if name in owned and bool(xp.all(before[name] == layer[name])):
                    layer[name] = before[name]
                    break


def cost_and_gradients(state, batch, rows, course):
    """Cost of a batch; gradients of the layers, of the head, and of a dictionary that moves."""
    seen = state.seen(batch.X, course)
    codes, kept = forward(course.architecture, state.layers, seen)
    xp, last = namespace(seen.X), len(codes) - 1
    share = batch.weight / xp.sum(batch.weight)
    counted = range(len(codes)) if course.every_layer else [last]
    weight = course.mu / course.energy / len(counted)
    value, toward, pull, head = 0.0, [None] * len(codes), None, {}
    for k in counted:
        value = value + weight * xp.sum(share * course.cost_of.value(codes[k], seen, rows))
        toward[k] = weight * share[:, None] * course.cost_of.gradient(codes[k], seen, rows)
    if course.dictionary_update:
        residuals = {k: codes[k] @ state.dictionary - seen.X for k in counted}
        pull = weight * sum((share[:, None] * codes[k]).T @ r for k, r in residuals.items())
    if course.task is not None:
        features = codes[last] / course.task.code_scale
        seen_by_head = HeadInput(features, batch.target, batch.weight)
        loss, head, back = head_loss(state.head, seen_by_head, course.task)
        value = value + (1 - course.mu) * loss
        head = {name: (1 - course.mu) * gradient for name, gradient in head.items()}
        toward[last] = toward[last] + (1 - course.mu) / course.task.code_scale * back
    return value, backward(course.architecture, state.layers, kept, toward, seen), head, pull


def step(state, batch, rows, course, rate):
    """State after one step on a mini-batch."""
    _, found, slopes, pull = cost_and_gradients(state, batch, rows, course)
    optimizer, pooled = course.optimizer, _pooled(found, course.owners)
    moments, layers = dict(state.moments), []
    if course.ratio:
        pooled[0]["signal"] = pooled[0]["signal"] + pull / course.ratio
    moments["layers"] = []
    for number, gradients in enumerate(pooled):
        before = state.moments["layers"][number]
        moved, after = _moved(state.layers[number], gradients, before, course, number, rate)
        owned = course.owners[number].items()
        layers.append(moved | {name: layers[n][name] for name, n in owned if n != number})
        moments["layers"].append(before | after)
    dictionary = state.dictionary
    if course.ratio:
        dictionary = layers[0]["signal"] / course.ratio
    elif pull is not None:
        moments["dictionary"], direction = optimizer.direction(moments["dictionary"], pull)
        dictionary = project_ball(dictionary - _DICTIONARY_RATE * rate * direction, False)
    after = {n: optimizer.direction(state.moments["head"][n], g) for n, g in slopes.items()}
    moments["head"] = {name: moment for name, (moment, _) in after.items()}
    head = {name: state.head[name] - rate * direction for name, (_, direction) in after.items()}
    return EncoderState(layers, dictionary, head, moments, state.n_steps + 1)


def _moved(weights, gradients, moments, course, number, rate):
    """Weights of a layer after a step against gradients, and the moments of these."""
    architecture, units = course.architecture, course.scales[number]
    turned = architecture.directions(weights, gradients)
    after = {
        name: course.optimizer.direction(moments[name], units[name] * gradient)
        for name, gradient in turned.items()
    }
    directions = {name: direction for name, (_, direction) in after.items()}
    lengths = {name: rate * units[name] for name in directions}
    moved = architecture.moved(weights, directions, lengths)
    if course.ratio and number == 0:
        atoms = project_ball(moved["signal"] / course.ratio, False)
        moved["signal"] = course.ratio * atoms
    return moved, {name: moment for name, (moment, _) in after.items()}


def _pooled(found, owners):
    """Gradients of each layer; those of what layers share are summed, in the first of them."""
    pooled = [dict(layer) for layer in found]
    for number, own in enumerate(owners):
        for name, first in own.items():
            if first != number:
                pooled[first][name] = pooled[first][name] + pooled[number].pop(name)
    return pooled


def learn(state, samples, course, rates_of, rng):
    """State after one pass over the samples."""
    for rows, _ in samples.epoch(rng):
        rate = float(rates_of(state.n_steps)[0])
        state = step(state, samples.batch(rows), rows, course, rate)
    return state
