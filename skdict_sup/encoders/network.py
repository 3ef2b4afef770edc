"""Forward and backward passes through the layers of a network, and the safeguard."""

from typing import Any

from .._array import ignore_float_warnings, namespace, on_host
from ._protocol import LayerInput, ista_step_size
from .factor import Factor

# signals per forward pass; on the host, what layers pass on stays in the caches
_ROWS_ON_HOST, _ROWS_ON_DEVICE = 256, 1024


def rows_at_once(dictionary):
    """Signals of a forward pass over a dictionary, where its array is."""
    return _ROWS_ON_HOST if on_host(dictionary) else _ROWS_ON_DEVICE


def forward_with_residuals(architecture, layers, inputs):
    """Codes after each layer, and the residuals that `backward` needs."""
    state, codes, residuals = architecture.initial_state(inputs), [], []
    for weights in layers:
        state, layer_residuals = architecture.forward_with_residuals(weights, state, inputs)
        codes.append(state[0])
        residuals.append(layer_residuals)
    return codes, residuals


def backward(architecture, layers, residuals, grad_codes, inputs):
    """Gradients of the weights of each layer, from gradients of the codes after each layer.

    A gradient of codes may be None, for zero.
    """
    gradients = [None] * len(layers)
    grad_state = None
    for number in reversed(range(len(layers))):
        grad_state = _add_gradient(architecture, grad_state, grad_codes[number], inputs)
        gradients[number], grad_state = architecture.vjp(
            layers[number], residuals[number], grad_state, inputs
        )
    return gradients


def _add_gradient(architecture, grad_state, grad_code, inputs):
    """Gradient of a state: that from the next layer plus that of the code itself."""
    if grad_state is None:
        grad_state = architecture.initial_state(inputs)
    return grad_state if grad_code is None else (grad_state[0] + grad_code, *grad_state[1:])


class Encoder:
    """Network in inference mode: a callable from signals to codes.

    With `safeguard`, ISTA's step replaces that of a layer wherever it gives a lower objective: the
    objective of a signal then never increases from layer to layer.
    """

    def __init__(self, architecture, layers, problem, safeguard=False):
        self.architecture, self.problem = architecture, problem
        self.layers = architecture.fused(layers, problem, every_code=safeguard)
        self.step = ista_step_size(problem) if safeguard else None
        self.gram: Any = Factor.of(problem.gram) if safeguard else None

    @ignore_float_warnings()
    def __call__(self, X):
        """Codes of the signals X after the last layer."""
        inputs = LayerInput(self.problem, X)
        state = self.architecture.initial_state(inputs)
        for weights in self.layers:
            next_state = self.architecture.forward(weights, state, inputs)
            safe = self.step is not None
            state = self._safeguarded(state[0], next_state, inputs) if safe else next_state
        return state[0]

    def _safeguarded(self, code, next_state, inputs):
        """The next state, with ISTA's code where its objective is lower."""
        xp, prior = namespace(code), self.problem.prior
        neg_grad = inputs.corr - self.gram.times(code)
        ista_code = prior.prox(code + self.step * neg_grad, self.step)
        next_value, ista_value = (
            objective(w, inputs, self.gram.times(w)) for w in (next_state[0], ista_code)
        )
        worse = next_value > ista_value
        return (xp.where(worse[:, None], ista_code, next_state[0]), *next_state[1:])


def objective(code, inputs, product=None):
    """Sparse-coding objective of each signal, minus half the squared norm of the signal.

    `product` is that of the codes and the Gram matrix, if it is known.
    """
    xp = namespace(code)
    product = code @ inputs.problem.gram if product is None else product
    smooth = xp.vecdot(code, 0.5 * product - inputs.corr, axis=-1)
    return smooth + inputs.problem.prior.value(code)
