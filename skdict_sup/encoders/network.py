"""A network of layers: codes forward, gradients backward, and the safeguard."""

from .._array import ignore_float_warnings, namespace
from ._protocol import Seen, step_of


def forward(architecture, layers, seen):
    """Codes after each layer, and what the gradients need of each."""
    state, codes, kept = architecture.begin(seen), [], []
    for weights in layers:
        state, tape = architecture.layer(weights, state, seen)
        codes.append(state[0])
        kept.append(tape)
    return codes, kept


def backward(architecture, layers, kept, toward, seen):
    """Gradients of the weights of each layer, for one of the code after each layer (or None)."""
    gradients = [None] * len(layers)
    back = None
    for number in reversed(range(len(layers))):
        back = _joined(architecture, back, toward[number], seen)
        gradients[number], back = architecture.back(layers[number], kept[number], back, seen)
    return gradients


def _joined(architecture, back, toward, seen):
    """Gradient of a state: what comes from the layers above, and that of the code itself."""
    if back is None:
        back = architecture.begin(seen)
    return back if toward is None else (back[0] + toward, *back[1:])


class Encoder:
    """Codes of signals by a network, where no gradient follows.

    `safeguard` takes ISTA's step wherever a layer is worse: the objective of no signal then rises
    from layer to layer.
    """

    def __init__(self, architecture, layers, problem, safeguard=False):
        self.architecture, self.problem = architecture, problem
        self.layers = architecture.prepared(layers, problem)
        self.step = step_of(problem) if safeguard else None

    @ignore_float_warnings()
    def __call__(self, X):
        """Codes after the last layer."""
        seen = Seen(self.problem, X)
        state = self.architecture.begin(seen)
        for weights in self.layers:
            following = self.architecture.advance(weights, state, seen)
            state = following if self.step is None else self._safe(state[0], following, seen)
        return state[0]

    def _safe(self, code, following, seen):
        """The state that follows a code, with ISTA's where that is lower."""
        xp, prior = namespace(code), self.problem.prior
        slope = seen.corr - code @ self.problem.gram
        proximal = prior.prox(code + self.step * slope, self.step)
        worse = objective(following[0], seen) > objective(proximal, seen)
        return (xp.where(worse[:, None], proximal, following[0]), *following[1:])


def objective(code, seen):
    """Sparse-coding objective of each signal, without half its squared norm."""
    xp = namespace(code)
    smooth = xp.vecdot(code, 0.5 * (code @ seen.problem.gram) - seen.corr, axis=-1)
    return smooth + seen.problem.prior.value(code)
