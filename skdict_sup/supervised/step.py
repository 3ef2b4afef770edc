r"""Task-driven dictionary learning: steps along the gradient through the codes.

.. math:: \min_{D, W, b} \; (1 - \mu) \frac{1}{\sum_i c_i} \sum_i c_i \,\ell(y_i, W w(x_i, D) + b)
          + \frac{\mu}{s} \frac{1}{n} \sum_i P(x_i, D) + \frac{\nu}{2} \|W\|^2, \quad \|d_j\| \le 1

with P the sparse-coding objective and s the mean squared norm of the signals. Inside, the head
acts on codes divided by `code_scale`, their typical size, so that one step size serves signals of
any scale; `coef` and `nu` below belong to these scaled codes.

References
----------
J. Mairal, "Backpropagation rules for sparse coding", "Main result" and "Practical Implementation";
J. Mairal, F. Bach, J. Ponce, "Task-driven dictionary learning", 2012, equation 10.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .._array import astype_like, namespace, set_rows
from .._linalg import project_ball
from ..optim import Adam
from .coding_layer import encoded, gradients, reconstruction_term
from .heads import LinearHead

_OPTIMIZER = Adam()
_UNIT_ROWS = ("dictionary", "projection")  # parameters whose rows live in the unit ball


@dataclass(frozen=True)
class HeadSettings:
    """What a head is: its kind, its loss, the ridge, and the scales of what it sees."""

    loss: Any
    head: Any = field(default_factory=LinearHead)
    nu: float = 0.0
    code_scale: float = 1.0
    signal_scale: float = 1.0  # of entries, for heads that see signals


@dataclass(frozen=True, kw_only=True)
class SupervisedSettings(HeadSettings):
    """What stays the same over the steps; nu and the scales as in the module's text."""

    reconstruction: Any
    prior: Any
    solver: Any
    energy_scale: float = 1.0  # of squared norms, for the reconstruction term
    n_blocks: int = 1  # dictionaries side by side
    positive_dictionary: bool = False
    split_sign: bool = False
    dropout: float = 0.0
    adaptive: bool = True  # Adam's steps, or plain ones along the gradient
    n_jobs: int | None = None


@dataclass(frozen=True, eq=False)
class HeadInput:
    """What a head sees of samples: features of codes, and signals if it looks at them."""

    features: Any
    target: Any
    weight: Any
    signals: Any = None


@dataclass(frozen=True, eq=False)
class SupervisedState:
    """Everything that learning needs to go on; both map names of parameters to arrays."""

    parameters: dict
    moments: dict

    @property
    def dictionary(self):
        """Atoms of all dictionaries."""
        return self.parameters["dictionary"]

    def having(self, **parameters):
        """Return the state with other values of some parameters."""
        return replace(self, parameters=self.parameters | parameters)


def start(parameters):
    """State before the first step, from a mapping of names to arrays."""
    moments = {
        name: _OPTIMIZER.start(array, by_row=name in _UNIT_ROWS)
        for name, array in parameters.items()
    }
    return SupervisedState(dict(parameters), moments)


def zero_head(dictionary, n_outputs, settings, n_features):
    """Parameters of a head of zeros for a dictionary."""
    n_codes = dictionary.shape[0] * (2 if settings.split_sign else 1)
    return settings.head.start(dictionary, n_outputs, n_codes, n_features)


def features_of(code, prior, split_sign):
    """What the head sees of codes: themselves, or their two halves side by side."""
    return namespace(code).concat(prior.halves(code), axis=1) if split_sign else code


def scaled_features(code, settings):
    """What the head sees of codes, divided by their typical size."""
    return features_of(code, settings.prior, settings.split_sign) / settings.code_scale


def head_input(code, batch, settings):
    """What the head sees of a batch with its codes."""
    features = scaled_features(code, settings)
    features = features if batch.mask is None else features * batch.mask
    signals = batch.X / settings.signal_scale if settings.head.sees_signals else None
    return HeadInput(features, batch.target, batch.weight, signals)


def toward_code(code, toward_features, settings):
    """Gradient in the codes, for one in what the head sees of them."""
    if not settings.split_sign:
        return toward_features
    p, slope = code.shape[1], settings.prior.half_slope(code)
    return toward_features[:, :p] * slope + toward_features[:, p:] * (slope - 1.0)


def loss_and_gradients(state, batch, settings, mu=0.0):
    """Loss of a batch, gradients of the parameters by name, codes, and the amplification."""
    parameters = state.parameters
    coded = encoded(parameters, batch.X, settings)
    seen = head_input(coded.code, batch, settings)
    loss, found, toward = _head_loss(parameters, seen, settings)
    toward = toward if batch.mask is None else toward * batch.mask
    toward = toward_code(coded.code, toward / settings.code_scale, settings)
    through, amplification = gradients(coded, toward, parameters, batch.X, settings)
    found = found | through
    if mu:
        others = coded if batch.others is None else encoded(parameters, batch.others, settings)
        objective, pull = reconstruction_term(others, settings.energy_scale)
        loss = (1 - mu) * loss + mu * objective
        found = {name: (1 - mu) * gradient for name, gradient in found.items()}
        found["dictionary"] = found["dictionary"] + mu * pull
    return _with_ridge(loss, found, parameters, settings.nu), found, coded.code, amplification


def head_loss(parameters, seen, settings):
    """Loss with the ridge, gradients of the head's parameters, and of the scaled features."""
    loss, gradients, toward = _head_loss(parameters, seen, settings)
    return _with_ridge(loss, gradients, parameters, settings.nu), gradients, toward


def _head_loss(parameters, seen, settings):
    """Weighted mean loss, gradients of the head's parameters, and of the features."""
    xp = namespace(seen.features)
    scores = settings.head.scores(parameters, seen.features, seen.signals)
    weight = seen.weight / xp.sum(seen.weight)
    loss = xp.sum(weight * settings.loss.value(scores, seen.target))
    toward = settings.loss.gradient(scores, seen.target) * weight[:, None]
    return loss, *settings.head.pull_back(parameters, seen.features, seen.signals, toward)


def _with_ridge(loss, found, parameters, nu):
    """Loss with the ridge on what the head multiplies; its gradient is added in place."""
    for name in ("coef", "linear"):
        if nu and name in parameters:
            array = parameters[name]
            loss = loss + 0.5 * nu * namespace(array).sum(array * array)
            found[name] = found[name] + nu * array
    return loss


def losses(state, batch, settings):
    """Loss of each sample of a batch, without weights and ridge."""
    code = encoded(state.parameters, batch.X, settings).code
    seen = head_input(code, batch, settings)
    scores = settings.head.scores(state.parameters, seen.features, seen.signals)
    return settings.loss.value(scores, batch.target)


def with_atoms(state, places, atoms, settings):
    """State with new atoms, which the head does not look at and the moments know nothing of."""
    xp = namespace(atoms)
    n_atoms, n_blocks = state.dictionary.shape[0], settings.n_blocks
    kept = np.ones(n_atoms)
    kept[places] = 0.0
    moments = dict(state.moments)
    old = moments["dictionary"]
    gone = astype_like(kept, atoms)[:, None]
    moments["dictionary"] = replace(old, mean=old.mean * gone, squares=old.squares * gone)
    dictionary = set_rows(state.dictionary, atoms, places)
    if n_blocks == 1:
        columns = np.tile(kept, 2) if settings.split_sign else kept
        factor = astype_like(columns, atoms)[None, :]
    else:
        blocks = kept.reshape(n_blocks, -1)
        factor = astype_like(np.tile(blocks, (1, 2)) if settings.split_sign else blocks, atoms)
    coef = state.parameters["coef"]
    factor = factor[..., None] if coef.ndim == 3 else factor
    changed = state.having(dictionary=dictionary, coef=coef * xp.astype(factor, coef.dtype))
    return replace(changed, moments=moments)


def step(state, batch, settings, rates, mu=0.0):
    """One step on a mini-batch: (state, loss, codes, amplification).

    `rates` are those of the dictionary and of the head.
    """
    loss, found, code, amplification = loss_and_gradients(state, batch, settings, mu)
    return _moved(state, found, settings, rates), loss, code, amplification


def _moved(state, found, settings, rates):
    """State after a step against gradients of some parameters."""
    parameters, moments = dict(state.parameters), dict(state.moments)
    for name, gradient in found.items():
        rate = float(rates[0 if name in _UNIT_ROWS else 1])  # NumPy's would widen float32 arrays
        if settings.adaptive:
            moments[name], gradient = _OPTIMIZER.direction(moments[name], gradient)
        else:
            moments[name] = replace(moments[name], n_steps=moments[name].n_steps + 1)
        moved = parameters[name] - rate * gradient
        if name in _UNIT_ROWS:
            moved = project_ball(moved, settings.positive_dictionary and name == "dictionary")
        parameters[name] = moved
    return SupervisedState(parameters, moments)


def code_scale_of(code):
    """Root mean square of the entries of codes above a hundredth of the largest; one without."""
    xp = namespace(code)
    size = xp.abs(code)
    large = xp.astype((size > 0.01 * xp.max(size)), code.dtype)
    n_large = float(xp.sum(large))
    return float(xp.sqrt(xp.sum(large * code * code) / n_large)) if n_large else 1.0
