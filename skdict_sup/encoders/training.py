r"""Training of encoders: layers, and optionally the dictionary and a head with them.

.. math:: \min \; \frac{\mu}{s} \frac1n \sum_i \sum_k c_k \, C(w_k(x_i), x_i)
          + (1 - \mu) \Big( \frac1n \sum_i \ell(y_i, W w_K(x_i) + b) + \frac{\nu}{2} \|W\|^2 \Big)

with :math:`w_k` the code after layer k, C the objective or the distance to known codes, and s the
mean squared norm of the signals; mu is one where there is no head. Learning rates are relative to
the root mean square of each array of weights. A tied dictionary is a multiple of the matrix that
layers multiply the signals with.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .._array import namespace
from .._atoms import Atoms
from .._linalg import project_ball
from ..problem import Problem
from ..supervised.step import HeadInput, head_loss_and_gradients
from ._protocol import LayerInput
from .network import backward, forward_with_residuals

_DICTIONARY_RATE = 0.1  # learning rate of the atoms, relative to that of the layers


@dataclass(frozen=True, eq=False)
class TrainingSetup:
    """Constants of a training, initial values included.

    `validation_signals`, the rows `validation_rows` of the signals, decide which epoch is best.
    """

    architecture: Any
    reconstruction: Any
    prior: Any
    cost: Any
    mean_sq_norm: float  # mean squared norm of the signals, s in the module's docstring
    every_layer: bool  # whether c_k is 1/K for each layer, or 1 for the last one
    dictionary_update: Any  # False, True or "tied"
    optimizer: Any  # a record of `optim`
    dictionary: Any  # initial dictionary
    layers: list  # initial weights of the layers
    validation_signals: Any
    validation_rows: Any
    rng: Any
    validation_targets: Any = None  # targets of the head, if there is one
    head_settings: Any = None
    mu: float = 1.0

    @cached_property
    def scales(self):
        """Scale of each array of each layer: learning rates are relative to it."""
        problem = Problem(self.reconstruction, self.prior, Atoms(self.dictionary))
        return self.architecture.scales(self.layers, LayerInput(problem, self.validation_signals))

    @cached_property
    def shared_with(self):
        """For each layer, {name of a shared array: number of the first layer that has it}."""
        shared_names, layers = self.architecture.shared, self.layers
        return [
            {
                name: next(n for n, other in enumerate(layers) if other[name] is layer[name])
                for name in shared_names
            }
            for layer in layers
        ]

    @cached_property
    def tie_scale(self):
        """Factor from a tied dictionary to the matrix on the signals; None if it is not tied."""
        if self.dictionary_update != "tied":
            return None
        xp, matrix = namespace(self.dictionary), self.layers[0]["signal"]
        sq_norm = float(xp.sum(self.dictionary * self.dictionary))
        return float(xp.sum(matrix * self.dictionary)) / (sq_norm or 1.0) or 1.0

    def validation_cost(self, state):
        """Mean cost of the validation signals, plus their loss if there is a head."""
        xp, inputs = (
            namespace(self.validation_signals),
            state.layer_input(self.validation_signals, self),
        )
        codes, _ = forward_with_residuals(self.architecture, state.layers, inputs)
        costed = codes if self.every_layer else codes[-1:]
        means = [
            float(xp.mean(self.cost.value(code, inputs, self.validation_rows))) for code in costed
        ]
        cost = self.mu * sum(means) / len(means) / self.mean_sq_norm
        if self.head_settings is None:
            return cost
        features = codes[-1] / self.head_settings.code_scale
        head_input = HeadInput(
            features, self.validation_targets, xp.ones_like(self.validation_signals[:, 0])
        )
        loss, *_ = head_loss_and_gradients(state.head, head_input, self.head_settings)
        return cost + (1 - self.mu) * float(loss)


@dataclass(frozen=True, eq=False)
class EncoderState:
    """State of a training: layers, dictionary, head, and the moments of the optimizer."""

    layers: list
    dictionary: Any
    head: dict
    moments: dict
    n_steps: int = 0

    def layer_input(self, X, setup):
        """Input of the layers for the signals X."""
        problem = Problem(setup.reconstruction, setup.prior, Atoms(self.dictionary))
        return LayerInput(problem, X)


def initial_state(setup, head):
    """State before the first step."""
    initial_moments = setup.optimizer.initial_moments
    moments = {
        "layers": [
            {
                name: initial_moments(array, by_row=False)
                for name, array in layer.items()
                if shared.get(name, number) == number
            }
            for number, (layer, shared) in enumerate(
                zip(setup.layers, setup.shared_with, strict=True)
            )
        ],
        "dictionary": initial_moments(setup.dictionary, by_row=True),
        "head": {name: initial_moments(array, by_row=False) for name, array in head.items()},
    }
    return EncoderState(setup.layers, setup.dictionary, head, moments)


def restore_sharing(layers, moments):
    """Restore in place the arrays that layers shared before they were stored.

    A layer without moments for an array shares it with the first earlier layer that has moments
    and the same entries; layers that were added by a later fit have other entries.
    """
    for number, layer in enumerate(layers):
        for name in layer.keys() - moments[number].keys():
            xp = namespace(layer[name])
            for earlier, own_moments in zip(layers[:number], moments, strict=False):
                if name in own_moments and bool(xp.all(earlier[name] == layer[name])):
                    layer[name] = earlier[name]
                    break


def cost_and_gradients(state, batch, rows, setup):
    """Cost of a batch, and its gradients in the layers, the head and a trained dictionary."""
    inputs = state.layer_input(batch.X, setup)
    codes, residuals = forward_with_residuals(setup.architecture, state.layers, inputs)
    xp, last = namespace(inputs.X), len(codes) - 1
    sample_weights = batch.weight / xp.sum(batch.weight)
    costed = range(len(codes)) if setup.every_layer else [last]
    weight = setup.mu / setup.mean_sq_norm / len(costed)
    cost, grad_codes, grad_dictionary, grad_head = 0.0, [None] * len(codes), None, {}
    for k in costed:
        cost = cost + weight * xp.sum(sample_weights * setup.cost.value(codes[k], inputs, rows))
        grad_codes[k] = (
            weight * sample_weights[:, None] * setup.cost.gradient(codes[k], inputs, rows)
        )
    if setup.dictionary_update:
        errors = {k: codes[k] @ state.dictionary - inputs.X for k in costed}
        grad_dictionary = weight * sum(
            (sample_weights[:, None] * codes[k]).T @ r for k, r in errors.items()
        )
    if setup.head_settings is not None:
        features = codes[last] / setup.head_settings.code_scale
        head_input = HeadInput(features, batch.target, batch.weight)
        loss, grad_head, grad_features = head_loss_and_gradients(
            state.head, head_input, setup.head_settings
        )
        cost = cost + (1 - setup.mu) * loss
        grad_head = {name: (1 - setup.mu) * gradient for name, gradient in grad_head.items()}
        grad_codes[last] = (
            grad_codes[last] + (1 - setup.mu) / setup.head_settings.code_scale * grad_features
        )
    grad_layers = backward(setup.architecture, state.layers, residuals, grad_codes, inputs)
    return cost, grad_layers, grad_head, grad_dictionary


def step(state, batch, rows, setup, learning_rate):
    """State after one optimizer step on a mini-batch."""
    _, grad_layers, grad_head, grad_dictionary = cost_and_gradients(state, batch, rows, setup)
    optimizer, grad_shared = setup.optimizer, _sum_shared(grad_layers, setup.shared_with)
    moments, layers = dict(state.moments), []
    if setup.tie_scale:
        grad_shared[0]["signal"] = grad_shared[0]["signal"] + grad_dictionary / setup.tie_scale
    moments["layers"] = []
    for number, gradients in enumerate(grad_shared):
        layer_moments = state.moments["layers"][number]
        updated, new_moments = _updated_layer(
            state.layers[number], gradients, layer_moments, setup, number, learning_rate
        )
        shared = setup.shared_with[number].items()
        layers.append(updated | {name: layers[n][name] for name, n in shared if n != number})
        moments["layers"].append(layer_moments | new_moments)
    dictionary = state.dictionary
    if setup.tie_scale:
        dictionary = layers[0]["signal"] / setup.tie_scale
    elif grad_dictionary is not None:
        arguments = moments["dictionary"], dictionary, grad_dictionary
        rate = _DICTIONARY_RATE * learning_rate
        moments["dictionary"], dictionary = optimizer.ball_step(*arguments, rate)
    head_steps = {
        n: optimizer.direction(state.moments["head"][n], g) for n, g in grad_head.items()
    }
    moments["head"] = {name: moment for name, (moment, _) in head_steps.items()}
    head = {
        name: state.head[name] - learning_rate * direction
        for name, (_, direction) in head_steps.items()
    }
    return EncoderState(layers, dictionary, head, moments, state.n_steps + 1)


def _updated_layer(weights, gradients, moments, setup, number, learning_rate):
    """Weights of a layer after an optimizer step, and the new moments."""
    architecture, scales = setup.architecture, setup.scales[number]
    projected = architecture.tangent_gradients(weights, gradients)
    steps = {
        name: setup.optimizer.direction(moments[name], scales[name] * gradient)
        for name, gradient in projected.items()
    }
    directions = {name: direction for name, (_, direction) in steps.items()}
    step_sizes = {name: learning_rate * scales[name] for name in directions}
    updated = architecture.updated(weights, directions, step_sizes)
    if setup.tie_scale and number == 0:
        atoms = project_ball(updated["signal"] / setup.tie_scale, False)
        updated["signal"] = setup.tie_scale * atoms
    return updated, {name: moment for name, (moment, _) in steps.items()}


def _sum_shared(gradients, shared_with):
    """Gradients of each layer; those of a shared array are summed in the first layer with it."""
    summed = [dict(layer) for layer in gradients]
    for number, shared in enumerate(shared_with):
        for name, first in shared.items():
            if first != number:
                summed[first][name] = summed[first][name] + summed[number].pop(name)
    return summed


def train_epoch(state, samples, setup, learning_rates, rng):
    """State after one epoch, a pass over the samples in mini-batches."""
    for rows, _ in samples.epoch_batches(rng):
        learning_rate = float(learning_rates(state.n_steps)[0])
        state = step(state, samples.batch(rows), rows, setup, learning_rate)
    return state
