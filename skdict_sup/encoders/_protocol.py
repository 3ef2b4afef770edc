"""Interface of an architecture: a network whose layers improve a code step by step."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .._array import device_of, namespace
from ..problem import Problem
from .factor import Factor

_INTERFERENCE = 0.1  # correlation caused by other atoms, relative to the typical correlation


@dataclass(frozen=True, eq=False)
class LayerInput:
    """Input of every layer: the problem, the signals, and a cache of products of the signals."""

    problem: Problem
    X: Any
    _products: dict = field(default_factory=dict)

    @cached_property
    def corr(self):
        """Correlations of the signals with the atoms."""
        return self.problem.atoms.own_correlations(self.X)

    def project(self, matrix):
        """Product X matrix' for a matrix or its factor, computed once for all layers with it."""
        key = id(matrix)
        if key not in self._products:
            is_factor = isinstance(matrix, Factor)
            product = matrix.times(self.X) if is_factor else self.X @ matrix.T
            # the reference to the matrix keeps its id from being reused
            self._products[key] = matrix, product
        return self._products[key][1]

    def first(self, n):
        """The input restricted to the first n signals, or to all if there are fewer."""
        return LayerInput(self.problem, self.X[: min(n, self.X.shape[0]), :])

    def zero_code(self):
        """The zero code of each signal."""
        dictionary = self.problem.dictionary
        shape = self.X.shape[0], dictionary.shape[0]
        kwargs = {"dtype": dictionary.dtype, "device": device_of(dictionary)}
        return namespace(dictionary).zeros(shape, **kwargs)


class Architecture:
    """Base of the architectures: pure functions of weights and signals.

    The weights of a layer are a mapping of names to arrays. The state passed from layer to layer
    is a tuple of arrays with one row for each signal; its first array is the code.

    An architecture defines

    - `initial_layers(inputs, n_layers)`: untrained weights of each layer;
    - `initial_state(inputs)`: the state before the first layer;
    - `forward_with_residuals(weights, state, inputs)`: the next state, and the residuals (values
      of the forward pass) that its vector-Jacobian product needs;
    - `vjp(weights, residuals, grad_state, inputs)`: gradients with respect to the weights, by
      name, and to the previous state, for a gradient with respect to the next state.

    It may define `extend`, and a faster forward pass for inference

    - `fused(layers, problem, every_code)`: all layers in a form that is faster to run, whose
      matrices are `Factor`s; with `every_code`, states between layers begin with codes;
    - `forward(weights, state, inputs)`: the next state, for a layer in this form.
    """

    shared = ()  # names of the arrays that layers created by the same fit share
    recurrent = False  # whether all layers share all arrays, including layers added later
    nonnegative = ("threshold",)  # names of the arrays that are constrained to be nonnegative
    fixed = False  # whether there is nothing to learn
    needs_signed = False  # whether the prior must allow negative codes
    needs_one_weight = False  # whether lam must be one number for all atoms

    def initial_layers(self, inputs, n_layers) -> list:
        """Untrained weights of each layer."""
        raise NotImplementedError

    def forward_with_residuals(self, weights, state, inputs) -> tuple:
        """The next state, and the residuals that its vector-Jacobian product needs."""
        raise NotImplementedError

    def vjp(self, weights, residuals, grad_state, inputs) -> tuple:
        """Gradients with respect to the weights, by name, and to the previous state."""
        raise NotImplementedError

    def initial_state(self, inputs):
        """State before the first layer: the zero code."""
        return (inputs.zero_code(),)

    def extend(self, trained, inputs, n_layers):
        """Weights of `n_layers` layers, of which the first are already trained."""
        if trained and self.recurrent:
            return [trained[0]] * n_layers
        return [*trained, *self.initial_layers(inputs, n_layers)[len(trained) :]]

    def fused(self, layers, problem, every_code):
        """Layers in the form that `forward` takes, by default unchanged."""
        return layers

    def forward(self, weights, state, inputs):
        """The next state, without residuals."""
        return self.forward_with_residuals(weights, state, inputs)[0]

    def scales(self, layers, inputs):
        """Root mean square of each array of each layer; learning rates are relative to it."""
        # with a tiny lam, thresholds must still be able to grow to the interference between atoms
        smallest = {
            "threshold": _INTERFERENCE * ista_step_size(inputs.problem) * _rms(inputs.corr)
        }
        return [
            {name: max(_rms(array), smallest.get(name, 0.0)) for name, array in layer.items()}
            for layer in layers
        ]

    def updated(self, weights, directions, step_sizes):
        """Weights after a step against the directions, with a step size for each array."""
        return weights | {
            name: self.clipped(name, weights[name] - step_sizes[name] * direction)
            for name, direction in directions.items()
        }

    def tangent_gradients(self, weights, gradients):
        """Gradients projected onto the tangent space of the constraints, by default unchanged."""
        return gradients

    def clipped(self, name, array):
        """Projection of an array onto its constraint set."""
        if name not in self.nonnegative:
            return array
        xp = namespace(array)
        return xp.maximum(array, xp.zeros_like(array))


def _rms(array):
    """Root mean square of the entries, or one if all are zero."""
    xp = namespace(array)
    return float(xp.sqrt(xp.mean(array * array))) or 1.0


def ista_step_size(problem):
    """Step size of ISTA: one over the largest eigenvalue of the Gram matrix."""
    largest = float(namespace(problem.gram).linalg.eigvalsh(problem.gram)[-1])
    return 1 / largest if largest > 0 else 1.0
