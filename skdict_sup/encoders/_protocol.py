"""What is asked of an architecture: a network whose layers take a code to a better one."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .._array import device_of, namespace
from ..problem import Problem

_DISTURBANCE = 0.1  # of one atom by the others, relative to the correlations


@dataclass(frozen=True, eq=False)
class Seen:
    """What every layer sees: the problem and the signals; products they share are made once."""

    problem: Problem
    X: Any
    _products: dict = field(default_factory=dict)

    @cached_property
    def corr(self):
        """Correlations of the signals with the atoms."""
        return self.problem.atoms.correlations(self.X)

    def times(self, matrix):
        """X matrix', once for all layers that share the matrix."""
        key = id(matrix)
        if key not in self._products:
            # the matrix is held beside the product: its id stays its own
            self._products[key] = matrix, self.X @ matrix.T
        return self._products[key][1]

    def few(self, n):
        """At most the first n signals."""
        return Seen(self.problem, self.X[: min(n, self.X.shape[0]), :])

    def zeros(self):
        """The zero code of each signal."""
        dictionary = self.problem.dictionary
        shape = self.X.shape[0], dictionary.shape[0]
        home = {"dtype": dictionary.dtype, "device": device_of(dictionary)}
        return namespace(dictionary).zeros(shape, **home)


class Architecture:
    """Base of the architectures: pure functions of weights and signals.

    The weights of a layer are arrays by name. The state that goes from layer to layer is a tuple
    of arrays with one row for each signal; the first is the code.

    An architecture defines

    - `start(seen, n_layers)`: weights of each layer before any learning, for some of the signals;
    - `begin(seen)`: the state before the first layer;
    - `layer(weights, state, seen)`: the next state, and what its gradient needs of it;
    - `back(weights, kept, toward, seen)`: gradients of the weights by name, and of the state
      before, for a gradient of the state after.

    It may define `grown`, and how it runs where no gradient follows

    - `prepared(layers, problem)`: all layers in a form that is faster to run;
    - `advance(weights, state, seen)`: the next state, for a layer in this form.
    """

    shared = ()  # names of the arrays that layers which begin together have in common
    recurrent = False  # whether that is all of them, and for layers added later, too
    nonnegative = ("threshold",)  # names of those that are not negative
    fixed = False  # nothing to learn
    needs_signed = False  # made for codes of either sign

    def start(self, seen, n_layers) -> list:
        """Weights of each layer before any learning."""
        raise NotImplementedError

    def layer(self, weights, state, seen) -> tuple:
        """The next state, and what its gradient needs of it."""
        raise NotImplementedError

    def back(self, weights, kept, toward, seen) -> tuple:
        """Gradients of the weights by name, and of the state before."""
        raise NotImplementedError

    def begin(self, seen):
        """The zero code."""
        return (seen.zeros(),)

    def grown(self, kept, seen, n_layers):
        """Weights of each layer where an earlier training has come to the first ones."""
        if kept and self.recurrent:
            return [kept[0]] * n_layers
        return [*kept, *self.start(seen, n_layers)[len(kept) :]]

    def prepared(self, layers, problem):
        """The layers themselves."""
        return layers

    def advance(self, weights, state, seen):
        """The next state."""
        return self.layer(weights, state, seen)[0]

    def scales(self, layers, seen):
        """Typical size of the entries of each array of a layer: steps are in these units."""
        # thresholds that begin at a tiny lam have to reach what atoms disturb each other by
        least = {"threshold": _DISTURBANCE * step_of(seen.problem) * _size(seen.corr)}
        return [
            {name: max(_size(array), least.get(name, 0.0)) for name, array in layer.items()}
            for layer in layers
        ]

    def moved(self, weights, directions, lengths):
        """Weights after a step against directions, of a length for each array."""
        return weights | {
            name: self.allowed(name, weights[name] - lengths[name] * direction)
            for name, direction in directions.items()
        }

    def directions(self, weights, gradients):
        """Gradients as the optimizer shall see them."""
        return gradients

    def allowed(self, name, array):
        """Nearest array that the architecture allows."""
        if name not in self.nonnegative:
            return array
        xp = namespace(array)
        return xp.maximum(array, xp.zeros_like(array))


def _size(array):
    xp = namespace(array)
    return float(xp.sqrt(xp.mean(array * array))) or 1.0


def step_of(problem):
    """Step size of ISTA: one over the largest eigenvalue of the Gram matrix."""
    top = float(namespace(problem.gram).linalg.eigvalsh(problem.gram)[-1])
    return 1 / top if top > 0 else 1.0
