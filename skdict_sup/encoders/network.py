"""A network of layers: codes forward, gradients backward, and the safeguard."""

from .._array import namespace
from .unrolled import step_of


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


def code_of(architecture, layers, seen, safeguard=False):
    """Code after the last layer; `safeguard` takes ISTA's step wherever a layer is worse.

    With it the objective of no signal rises from layer to layer.
    """
    state = architecture.begin(seen)
    step = step_of(seen.problem) if safeguard else None
    for weights in layers:
        following, _ = architecture.layer(weights, state, seen)
        state = _safe(state, following, step, seen) if safeguard else following
    return state[0]


def _safe(state, following, step, seen):
    """The state that follows, with ISTA's code where that is lower."""
    xp, problem, code = namespace(state[0]), seen.problem, state[0]
    slope = seen.corr - code @ problem.gram
    proximal = problem.prior.prox(code + step * slope, step)
    worse = objective(following[0], seen) > objective(proximal, seen)
    return (xp.where(worse[:, None], proximal, following[0]), *following[1:])


def objective(code, seen):
    """Sparse-coding objective of each signal, without half its squared norm."""
    xp = namespace(code)
    smooth = xp.vecdot(code, 0.5 * (code @ seen.problem.gram) - seen.corr, axis=-1)
    return smooth + seen.problem.prior.value(code)
