"""Networks with a memory cell: adaptive ISTA, and the sparse LSTM of SC2Net."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from .._array import namespace, to_numpy
from ._protocol import Architecture
from .factor import Factor, Factors
from .shrink import double_tanh, double_tanh_vjp, sigmoid, soft_threshold, soft_threshold_vjp
from .unrolled import LISTA, unrolled_ista

# candidates for the initial double tanh, in units of its argument
_OFFSETS = (0.0, 0.5, 1.0, 1.5, 2.0)
_LEVELS = (0.1, 0.3, 1.0, 2.0, 3.0)  # largest pre-activation, minus the offset
_N_FITTED = 100_000  # pre-activations on which the best candidate is selected
_GATES = ("write", "keep")


@dataclass(frozen=True)
class AdaptiveISTA(Architecture):
    """ISTA with a cell: c+ = f c + i (x W_x' + w W_w'), w+ = soft(c+, theta).

    The vectors i and f are learned too. The untrained network is ISTA: i = 1, f = 0.

    References
    ----------
    J. Zhou et al., "SC2Net: sparse LSTMs for sparse coding", 2018, equations 9 to 11.
    """

    shared: tuple = ("signal",)

    def initial_layers(self, inputs, n_layers):
        """Untrained layers: weights of ISTA, and a cell without memory."""
        ista, xp = unrolled_ista(inputs.problem), namespace(inputs.corr)
        threshold = ista["threshold"]
        ones = {"write": xp.ones_like(threshold), "keep": xp.zeros_like(threshold)}
        return [ista | ones] * n_layers

    def initial_state(self, inputs):
        """State before the first layer: zero code and zero cell."""
        return (*super().initial_state(inputs), *super().initial_state(inputs))

    def forward_with_residuals(self, weights, state, inputs):
        """The next code and cell, and the residuals."""
        code, cell = state
        candidate = inputs.project(weights["signal"]) + code @ weights["code"].T
        next_cell = weights["keep"] * cell + weights["write"] * candidate
        next_code = soft_threshold(next_cell, weights["threshold"], inputs.problem.prior.positive)
        return (next_code, next_cell), (code, cell, candidate, next_code)

    def vjp(self, weights, residuals, grad_state, inputs):
        """Gradients with respect to the weights, and to the previous code and cell."""
        xp = namespace(grad_state[0])
        code, cell, candidate, next_code = residuals
        grad_cell, grad_threshold = soft_threshold_vjp(next_code, grad_state[0])
        grad_cell = grad_cell + grad_state[1]
        grad_pre_activation = grad_cell * weights["write"]
        gradients = {
            "signal": grad_pre_activation.T @ inputs.X,
            "code": grad_pre_activation.T @ code,
            "threshold": xp.sum(grad_threshold, axis=0),
            "write": xp.sum(grad_cell * candidate, axis=0),
            "keep": xp.sum(grad_cell * cell, axis=0),
        }
        return gradients, (grad_pre_activation @ weights["code"], grad_cell * weights["keep"])

    def fused(self, layers, problem, every_code):
        """Layers with factors."""
        factors = Factors()
        names = {"signal": "signal", "matrix": "code"}
        return [w | {name: factors(w[own]) for name, own in names.items()} for w in layers]

    def forward(self, weights, state, inputs):
        """The next code and cell, from factors."""
        code, cell = state
        threshold, positive = weights["threshold"], inputs.problem.prior.positive
        fixed, zeros = inputs.project(weights["signal"]), 0 * threshold
        candidate = weights["matrix"].layer(fixed, code, zeros)
        next_cell = weights["keep"] * cell + weights["write"] * candidate
        return soft_threshold(next_cell, threshold, positive), next_cell

    def scales(self, layers, inputs):
        """Scales of the weights; `keep`, which starts at zero, has that of `write`."""
        return [scales | {"keep": scales["write"]} for scales in super().scales(layers, inputs)]


@dataclass(frozen=True)
class SLSTM(Architecture):
    r"""The sparse LSTM: gates that depend on signal and code, and a shrinkage by two tanh.

    .. math:: i = \sigma(W_i [w, x]), \; f = \sigma(W_f [w, x]), \;
              c^+ = f c + i W [w, x], \; w^+ = d (\tanh(c^+ + u) + \tanh(c^+ - u))

    The untrained network has the matrices of ISTA, half-open gates, and the double tanh that best
    fits the soft threshold of ISTA on the pre-activations of ISTA's layers.

    References
    ----------
    J. Zhou et al., "SC2Net: sparse LSTMs for sparse coding", 2018, equations 12 to 17.
    """

    shared: tuple = (
        "signal",
        "code",
        "offset",
        "height",
        "write_signal",
        "write_code",
        "keep_signal",
        "keep_code",
    )
    nonnegative: tuple = ("offset",)
    recurrent: bool = True

    def initial_layers(self, inputs, n_layers):
        """Untrained layers: matrices of ISTA, half-open gates, a fitted double tanh."""
        ista, xp = unrolled_ista(inputs.problem), namespace(inputs.corr)
        unit, offset, height = _fit_shrinkage(ista, n_layers, inputs)
        ones = xp.ones_like(ista["threshold"])
        layer = {
            "signal": ista["signal"] / unit,
            "code": ista["code"] / unit,
            "offset": offset * ones,
            "height": height * ones,
        }
        for gate in _GATES:
            layer |= {f"{gate}_{name}": xp.zeros_like(ista[name]) for name in ("signal", "code")}
        return [layer] * n_layers

    def initial_state(self, inputs):
        """State before the first layer: zero code and zero cell."""
        return (*super().initial_state(inputs), *super().initial_state(inputs))

    def forward_with_residuals(self, weights, state, inputs):
        """The next code and cell, and the residuals."""
        code, cell = state

        def pre_activation(name=""):
            """Linear map of signal and code, of a gate or of the candidate cell."""
            return inputs.project(weights[f"{name}signal"]) + code @ weights[f"{name}code"].T

        write, keep = sigmoid(pre_activation("write_")), sigmoid(pre_activation("keep_"))
        candidate = pre_activation()
        next_cell = keep * cell + write * candidate
        next_code, tanhs = double_tanh(
            next_cell, weights["offset"], weights["height"], inputs.problem.prior.positive
        )
        return (next_code, next_cell), (code, cell, write, keep, candidate, next_code, tanhs)

    def vjp(self, weights, residuals, grad_state, inputs):
        """Gradients with respect to the weights, and to the previous code and cell."""
        xp = namespace(grad_state[0])
        code, cell, write, keep, candidate, next_code, tanhs = residuals
        grad_cell, grad_offset, grad_height = double_tanh_vjp(
            next_code, tanhs, weights["height"], inputs.problem.prior.positive, grad_state[0]
        )
        grad_cell = grad_cell + grad_state[1]
        grad_pre_activation = {
            "": grad_cell * write,
            "write_": grad_cell * candidate * write * (1 - write),
            "keep_": grad_cell * cell * keep * (1 - keep),
        }
        gradients = {"offset": xp.sum(grad_offset, axis=0), "height": xp.sum(grad_height, axis=0)}
        grad_code = 0
        for name, grad in grad_pre_activation.items():
            gradients[f"{name}signal"] = grad.T @ inputs.X
            gradients[f"{name}code"] = grad.T @ code
            grad_code = grad_code + grad @ weights[f"{name}code"]
        return gradients, (grad_code, grad_cell * keep)

    def fused(self, layers, problem, every_code):
        """Layers with one factor of both gates, halved for their tanh, and the candidate."""
        found = {}  # layers that share arrays share their factors
        for weights in layers:
            key = id(weights["code"]), id(weights["signal"])
            if key not in found:
                xp = namespace(weights["code"])
                stacks = (
                    [*(0.5 * weights[f"{gate}_{name}"] for gate in _GATES), weights[name]]
                    for name in ("signal", "code")
                )
                signal, matrix = (Factor.of(xp.concat(stack, axis=0)) for stack in stacks)
                found[key] = {"signal": signal, "matrix": matrix}
        return [weights | found[id(weights["code"]), id(weights["signal"])] for weights in layers]

    def forward(self, weights, state, inputs):
        """The next code and cell, from one product for both gates and the candidate."""
        (code, cell), xp = state, namespace(state[0])
        p, fixed = code.shape[1], inputs.project(weights["signal"])
        point = weights["matrix"].layer(fixed, code, xp.zeros_like(fixed[0, :]))
        gates = 0.5 * (1 + xp.tanh(point[:, : 2 * p]))
        next_cell = gates[:, p:] * cell + gates[:, :p] * point[:, 2 * p :]
        shrinkage = weights["offset"], weights["height"], inputs.problem.prior.positive
        return double_tanh(next_cell, *shrinkage)[0], next_cell

    def scales(self, layers, inputs):
        """Scales of the weights; gates, which start at zero, have those of the matrices."""
        scales = super().scales(layers, inputs)
        gates = [f"{gate}_{name}" for gate in _GATES for name in ("signal", "code")]
        return [sizes | {name: sizes[name.split("_")[1]] for name in gates} for sizes in scales]


def _fit_shrinkage(ista, n_layers, inputs):
    """Unit, offset and height of the double tanh that best fits the soft threshold of ISTA."""
    network, parts = LISTA(), []
    sample = inputs.first(max(1, _N_FITTED // (n_layers * ista["threshold"].shape[0])))
    state, positive = network.initial_state(sample), inputs.problem.prior.positive
    for _ in range(n_layers):
        parts.append(sample.project(ista["signal"]) + state[0] @ ista["code"].T)
        state, _ = network.forward_with_residuals(ista, state, sample)
    pre_activation = np.stack([to_numpy(part) for part in parts])
    expected = soft_threshold(pre_activation, to_numpy(ista["threshold"]), positive)
    largest, fits = float(np.abs(pre_activation).max()) or 1.0, []
    for offset, level in product(_OFFSETS, _LEVELS):
        unit = largest / (offset + level)
        shape, _ = double_tanh(pre_activation / unit, offset, 1.0, positive)
        height = float((shape * expected).sum() / ((shape * shape).sum() or 1.0))
        error = float(((height * shape - expected) ** 2).sum())
        fits.append((error, unit, offset, height))
    return min(fits)[1:]
