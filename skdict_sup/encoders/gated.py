"""Networks with a cell: adaptive ISTA, and the sparse LSTM of SC2Net."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from .._array import namespace, to_numpy
from ._protocol import Architecture
from .shrink import double_tanh, double_tanh_back, sigmoid, soft, soft_back
from .unrolled import LISTA, unrolled_ista

_OFFSETS = (0.0, 0.5, 1.0, 1.5, 2.0)  # of the double tanh to begin with, in units of its argument
_LEVELS = (0.1, 0.3, 1.0, 2.0, 3.0)  # arguments, beyond the offset, of the largest points
_POINTS = 100_000  # that choose among them
_GATES = ("write", "keep")


@dataclass(frozen=True)
class AdaptiveISTA(Architecture):
    """ISTA with a cell: c+ = f c + i (x W_x' + w W_w'), w+ = soft(c+, theta).

    The vectors i and f are learned beside the rest.

    It begins as ISTA: i = 1, f = 0.

    References
    ----------
    J. Zhou et al., "SC2Net: sparse LSTMs for sparse coding", 2018, equations 9 to 11.
    """

    shared: tuple = ("signal",)

    def start(self, seen, n_layers):
        """Weights of ISTA, and a cell without memory."""
        ista, xp = unrolled_ista(seen.problem), namespace(seen.corr)
        threshold = ista["threshold"]
        ones = {"write": xp.ones_like(threshold), "keep": xp.zeros_like(threshold)}
        return [ista | ones] * n_layers

    def begin(self, seen):
        """The zero code, and an empty cell."""
        return (*super().begin(seen), *super().begin(seen))

    def layer(self, weights, state, seen):
        """The next code and cell."""
        code, cell = state
        fresh = seen.times(weights["signal"]) + code @ weights["code"].T
        filled = weights["keep"] * cell + weights["write"] * fresh
        following = soft(filled, weights["threshold"], seen.problem.prior.positive)
        return (following, filled), (code, cell, fresh, following)

    def back(self, weights, kept, toward, seen):
        """Gradients of the weights, of the code and of the cell before."""
        xp = namespace(toward[0])
        code, cell, fresh, following = kept
        filled, thresholds = soft_back(following, toward[0])
        filled = filled + toward[1]
        inner = filled * weights["write"]
        gradients = {
            "signal": inner.T @ seen.X,
            "code": inner.T @ code,
            "threshold": xp.sum(thresholds, axis=0),
            "write": xp.sum(filled * fresh, axis=0),
            "keep": xp.sum(filled * cell, axis=0),
        }
        return gradients, (inner @ weights["code"], filled * weights["keep"])

    def scales(self, layers, seen):
        """What is zero to begin with is of the size of its counterpart."""
        return [found | {"keep": found["write"]} for found in super().scales(layers, seen)]


@dataclass(frozen=True)
class SLSTM(Architecture):
    r"""The sparse LSTM: gates that depend on signal and code, and a shrinkage by two tanh.

    .. math:: i = \sigma(W_i [w, x]), \; f = \sigma(W_f [w, x]), \;
              c^+ = f c + i W [w, x], \; w^+ = d (\tanh(c^+ + u) + \tanh(c^+ - u))

    It begins with the matrices of ISTA, gates half open, and the shrinkage of this form that is
    nearest to ISTA's threshold on the points that ISTA's layers apply it to.

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

    def start(self, seen, n_layers):
        """Matrices of ISTA, gates half open."""
        ista, xp = unrolled_ista(seen.problem), namespace(seen.corr)
        unit, offset, height = _nearest_shrinkage(ista, n_layers, seen)
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

    def begin(self, seen):
        """The zero code, and an empty cell."""
        return (*super().begin(seen), *super().begin(seen))

    def layer(self, weights, state, seen):
        """The next code and cell."""
        code, cell = state

        def mixed(name=""):
            return seen.times(weights[f"{name}signal"]) + code @ weights[f"{name}code"].T

        write, keep, fresh = sigmoid(mixed("write_")), sigmoid(mixed("keep_")), mixed()
        filled = keep * cell + write * fresh
        following, parts = double_tanh(
            filled, weights["offset"], weights["height"], seen.problem.prior.positive
        )
        return (following, filled), (code, cell, write, keep, fresh, following, parts)

    def back(self, weights, kept, toward, seen):
        """Gradients of the weights, of the code and of the cell before."""
        xp = namespace(toward[0])
        code, cell, write, keep, fresh, following, parts = kept
        filled, offset, height = double_tanh_back(
            following, parts, weights["height"], seen.problem.prior.positive, toward[0]
        )
        filled = filled + toward[1]
        inner = {
            "": filled * write,
            "write_": filled * fresh * write * (1 - write),
            "keep_": filled * cell * keep * (1 - keep),
        }
        gradients = {"offset": xp.sum(offset, axis=0), "height": xp.sum(height, axis=0)}
        back = 0
        for name, part in inner.items():
            gradients[f"{name}signal"] = part.T @ seen.X
            gradients[f"{name}code"] = part.T @ code
            back = back + part @ weights[f"{name}code"]
        return gradients, (back, filled * keep)

    def scales(self, layers, seen):
        """Gates, zero to begin with, are of the size of the matrices beside them."""
        found = super().scales(layers, seen)
        gates = [f"{gate}_{name}" for gate in _GATES for name in ("signal", "code")]
        return [sizes | {name: sizes[name.split("_")[1]] for name in gates} for sizes in found]


def _nearest_shrinkage(ista, n_layers, seen):
    """Unit of the points, offset and height of the double tanh that is nearest to a threshold."""
    network, points = LISTA(), []
    few = seen.few(max(1, _POINTS // (n_layers * ista["threshold"].shape[0])))
    state, positive = network.begin(few), seen.problem.prior.positive
    for _ in range(n_layers):
        points.append(few.times(ista["signal"]) + state[0] @ ista["code"].T)
        state, _ = network.layer(ista, state, few)
    point = np.stack([to_numpy(part) for part in points])
    wanted = soft(point, to_numpy(ista["threshold"]), positive)
    largest, found = float(np.abs(point).max()) or 1.0, []
    for offset, level in product(_OFFSETS, _LEVELS):
        unit = largest / (offset + level)
        shape, _ = double_tanh(point / unit, offset, 1.0, positive)
        height = float((shape * wanted).sum() / ((shape * shape).sum() or 1.0))
        error = float(((height * shape - wanted) ** 2).sum())
        found.append((error, unit, offset, height))
    return min(found)[1:]
