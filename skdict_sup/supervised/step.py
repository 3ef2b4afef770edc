r"""Task-driven dictionary learning: optimizer steps along gradients through the codes.

.. math:: \min_{D, W, b} \; (1 - \mu) \frac{1}{\sum_i c_i} \sum_i c_i \,\ell(y_i, W w(x_i, D) + b)
          + \frac{\mu}{s} \frac{1}{n} \sum_i P(x_i, D) + \frac{\nu}{2} \|W\|^2, \quad \|d_j\| \le 1

with P the sparse-coding objective and s the mean squared norm of the signals. The head acts on
codes divided by `code_scale`, their root mean square, so that learning rates do not depend on the
scale of the signals; `coef` and `nu` below are those for scaled codes.

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
from .coding_layer import encode, reconstruction_cost, vjp
from .heads import LinearHead

_OPTIMIZER = Adam()
_UNIT_BALL_ROWS = ("dictionary", "projection")  # parameters with rows in the unit ball


@dataclass(frozen=True)
class HeadSettings:
    """Settings of a head: its kind, loss and ridge, and the scales of its inputs."""

    loss: Any
    head: Any = field(default_factory=LinearHead)
    nu: float = 0.0
    code_scale: float = 1.0
    signal_scale: float = 1.0  # root mean square entry, for heads that use the signals
    nu_linear: float | None = None  # ridge on the linear path; None is nu

    def ridges(self):
        """Ridge on each array of the head that has one, by name."""
        return {"coef": self.nu, "linear": self.nu if self.nu_linear is None else self.nu_linear}

    def with_ridges_times(self, factor):
        """The settings with all ridges multiplied."""
        nu_linear = None if self.nu_linear is None else factor * self.nu_linear
        return replace(self, nu=factor * self.nu, nu_linear=nu_linear)

    def without_ridge(self):
        """The settings without any ridge."""
        return replace(self, nu=0.0, nu_linear=None)


@dataclass(frozen=True, kw_only=True)
class SupervisedSettings(HeadSettings):
    """Settings that stay constant over the steps; nu and scales as in the module docstring."""

    reconstruction: Any
    prior: Any
    solver: Any
    mean_sq_norm: float = 1.0  # mean squared norm of the signals, for the reconstruction term
    n_blocks: int = 1  # number of dictionaries
    positive_dictionary: bool = False
    split_sign: bool = False
    dropout: float = 0.0
    tol: float | None = None  # for codes and adjoints in a step; None for exact ones
    adaptive: bool = True  # whether steps are those of Adam, or plain gradient steps
    n_jobs: int | None = None
    linear_path_alone: bool = False  # whether the ridge on `coef` was chosen to leave codes no say
    preparation: Any = None  # what is done to signals before they are coded


@dataclass(frozen=True, eq=False)
class HeadInput:
    """Inputs of a head: scaled features, targets, weights, and signals if the head uses them."""

    features: Any
    target: Any
    weight: Any
    signals: Any = None


@dataclass(frozen=True, eq=False)
class SupervisedState:
    """State of supervised learning: parameters and moments of the optimizer, by name."""

    parameters: dict
    moments: dict

    @property
    def dictionary(self):
        """Atoms of all dictionaries."""
        return self.parameters["dictionary"]

    def with_parameters(self, **parameters):
        """Return the state with other values of some parameters."""
        return replace(self, parameters=self.parameters | parameters)


def initial_state(parameters):
    """State before the first step, from a mapping of parameter names to arrays."""
    moments = {
        name: _OPTIMIZER.initial_moments(array, by_row=name in _UNIT_BALL_ROWS)
        for name, array in parameters.items()
    }
    return SupervisedState(dict(parameters), moments)


def zero_head(dictionary, n_outputs, settings, n_features):
    """Parameters of a zero head for the codes of a dictionary."""
    n_codes = dictionary.shape[0] * (2 if settings.split_sign else 1)
    return settings.head.zero_parameters(dictionary, n_outputs, n_codes, n_features)


def split_atoms(dictionary, settings):
    """Arrays by name: atoms in the space of the signals, and their entries of the offset."""
    preparation = settings.preparation
    if preparation is None or not preparation.n_added:
        return {"dictionary": dictionary}
    return {"dictionary": dictionary[:, :-1], "offsets": dictionary[:, -1]}


def code_features(code, prior, split_sign):
    """Features of codes: the codes, or with `split_sign` their two halves side by side."""
    return namespace(code).concat(prior.halves(code), axis=1) if split_sign else code


def scaled_features(code, settings):
    """Features of codes divided by the scale of the codes."""
    return code_features(code, settings.prior, settings.split_sign) / settings.code_scale


def make_head_input(code, batch, settings):
    """Input of the head for a batch and its codes, with dropout if the batch has a mask."""
    features = scaled_features(code, settings)
    features = features if batch.mask is None else features * batch.mask
    signals = batch.X / settings.signal_scale if settings.head.uses_signals else None
    return HeadInput(features, batch.target, batch.weight, signals)


def code_gradient(code, grad_features, settings):
    """Gradient with respect to the codes, from that of their features."""
    if not settings.split_sign:
        return grad_features
    p, derivative = code.shape[1], settings.prior.half_slope(code)
    return grad_features[:, :p] * derivative + grad_features[:, p:] * (derivative - 1.0)


def loss_and_gradients(state, batch, settings, mu=0.0):
    """Loss of a batch, gradients of the parameters by name, codes, and amplification."""
    parts = gradient_parts(state.parameters, batch, settings, mu)
    loss, gradients = joined_gradients(parts, state.parameters, settings, mu)
    return loss, gradients, parts.code, parts.amplification


@dataclass(frozen=True, eq=False)
class GradientParts:
    """Mean losses of a batch, or of a part of it, with their gradients, and without the ridge."""

    loss: Any
    gradients: dict
    weight: Any  # sum of the weights of the samples
    code: Any
    amplification: Any
    cost: Any = 0.0  # mean cost of the reconstruction term
    cost_gradient: Any = None
    n_signals: int = 0  # signals of the reconstruction term


def gradient_parts(parameters, batch, settings, mu=0.0, atoms=None):
    """`GradientParts` of a batch, or of a part of one; `atoms` as for `encode`."""
    coded = encode(parameters, batch.X, settings, atoms, settings.tol)
    inputs = make_head_input(coded.code, batch, settings)
    loss, gradients, grad_features = _loss_and_gradients(parameters, inputs, settings)
    grad_features = grad_features if batch.mask is None else grad_features * batch.mask
    grad_code = code_gradient(coded.code, grad_features / settings.code_scale, settings)
    code_gradients, amplification = vjp(coded, grad_code, parameters, batch.X, settings)
    weight = namespace(coded.code).sum(batch.weight)
    parts = GradientParts(loss, gradients | code_gradients, weight, coded.code, amplification)
    if not mu:
        return parts
    signals = batch.reconstruction_signals
    terms = parameters, signals, settings, atoms, settings.tol
    reconstructed = coded if signals is None else encode(*terms)
    cost, cost_gradient = reconstruction_cost(reconstructed, settings.mean_sq_norm)
    n_signals = reconstructed.code.shape[0]
    return replace(parts, cost=cost, cost_gradient=cost_gradient, n_signals=n_signals)


def cost_parts(parameters, signals, settings, atoms=None):
    """`GradientParts` of signals without labels: those of the reconstruction term alone."""
    coded = encode(parameters, signals, settings, atoms, settings.tol)
    cost, cost_gradient = reconstruction_cost(coded, settings.mean_sq_norm)
    zeros = {name: 0.0 * array for name, array in parameters.items()}
    more = {"cost": cost, "cost_gradient": cost_gradient, "n_signals": coded.code.shape[0]}
    return GradientParts(0.0, zeros, 0.0, coded.code, 0.0, **more)


def merged_parts(parts):
    """`GradientParts` of several parts of a batch as one, without codes; added in their order."""
    shares = _shares([float(part.weight) for part in parts])
    cost_shares = _shares([part.n_signals for part in parts])
    has_cost = parts[0].cost_gradient is not None
    return GradientParts(
        _weighted_sum(shares, [part.loss for part in parts]),
        {
            name: _weighted_sum(shares, [part.gradients[name] for part in parts])
            for name in parts[0].gradients
        },
        sum(float(part.weight) for part in parts),
        None,
        max(float(part.amplification) for part in parts),
        _weighted_sum(cost_shares, [part.cost for part in parts]) if has_cost else 0.0,
        _weighted_sum(cost_shares, [part.cost_gradient for part in parts]) if has_cost else None,
        sum(part.n_signals for part in parts),
    )


def _shares(weights):
    """Shares of weights in their sum; zeros without any weight."""
    total = sum(weights) or 1.0
    return [weight / total for weight in weights]


def joined_gradients(parts, parameters, settings, mu=0.0):
    """Loss and gradients by name of a batch, from the `GradientParts` of all of it."""
    loss, gradients = parts.loss, dict(parts.gradients)
    if mu:
        loss = (1 - mu) * loss + mu * parts.cost
        gradients = {name: (1 - mu) * gradient for name, gradient in gradients.items()}
        gradients["dictionary"] = gradients["dictionary"] + mu * parts.cost_gradient
    return _add_ridge(loss, gradients, parameters, settings.ridges()), gradients


def _weighted_sum(shares, values):
    """Sum of arrays times their shares, in their order."""
    total = shares[0] * values[0]
    for share, value in zip(shares[1:], values[1:], strict=True):
        total = total + share * value
    return total


def head_loss_and_gradients(parameters, inputs, settings):
    """Loss with ridge, and its gradients with respect to the head and to the scaled features."""
    loss, gradients, grad_features = _loss_and_gradients(parameters, inputs, settings)
    return _add_ridge(loss, gradients, parameters, settings.ridges()), gradients, grad_features


def _loss_and_gradients(parameters, inputs, settings):
    """Weighted mean loss, and its gradients with respect to the head and to the features."""
    xp = namespace(inputs.features)
    scores = settings.head.scores(parameters, inputs.features, inputs.signals)
    weight = inputs.weight / xp.sum(inputs.weight)
    loss = xp.sum(weight * settings.loss.value(scores, inputs.target))
    grad_scores = settings.loss.gradient(scores, inputs.target) * weight[:, None]
    return loss, *settings.head.vjp(parameters, inputs.features, inputs.signals, grad_scores)


def _add_ridge(loss, gradients, parameters, ridges):
    """Loss with the ridges on `coef` and `linear`, whose gradients are updated in place."""
    for name, nu in ridges.items():
        if nu and name in parameters:
            array = parameters[name]
            loss = loss + 0.5 * nu * namespace(array).sum(array * array)
            gradients[name] = gradients[name] + nu * array
    return loss


def sample_losses(state, batch, settings):
    """Unweighted loss of each sample of a batch, without the ridge."""
    code = encode(state.parameters, batch.X, settings).code
    inputs = make_head_input(code, batch, settings)
    scores = settings.head.scores(state.parameters, inputs.features, inputs.signals)
    return settings.loss.value(scores, batch.target)


def replace_atoms(state, rows, atoms, settings):
    """State with new atoms at some rows, whose head coefficients and moments are zero."""
    xp = namespace(atoms)
    n_atoms, n_blocks = state.dictionary.shape[0], settings.n_blocks
    is_kept = np.ones(n_atoms)
    is_kept[rows] = 0.0
    moments = dict(state.moments)
    old_moments = moments["dictionary"]
    is_kept_row = astype_like(is_kept, atoms)[:, None]
    moments["dictionary"] = replace(
        old_moments, mean=old_moments.mean * is_kept_row, squares=old_moments.squares * is_kept_row
    )
    dictionary = set_rows(state.dictionary, atoms, rows)
    if n_blocks == 1:
        columns = np.tile(is_kept, 2) if settings.split_sign else is_kept
        factor = astype_like(columns, atoms)[None, :]
    else:
        blocks = is_kept.reshape(n_blocks, -1)
        factor = astype_like(np.tile(blocks, (1, 2)) if settings.split_sign else blocks, atoms)
    coef = state.parameters["coef"]
    factor = factor[..., None] if coef.ndim == 3 else factor
    replaced = state.with_parameters(
        dictionary=dictionary, coef=coef * xp.astype(factor, coef.dtype)
    )
    return replace(replaced, moments=moments)


def step(state, batch, settings, learning_rates, mu=0.0):
    """State after one optimizer step on a mini-batch, with its loss, codes and amplification.

    `learning_rates` are those of the dictionary and of the head.
    """
    loss, gradients, code, amplification = loss_and_gradients(state, batch, settings, mu)
    return apply_gradients(state, gradients, settings, learning_rates), loss, code, amplification


def apply_gradients(state, gradients, settings, learning_rates):
    """State after an optimizer step along gradients of some parameters."""
    parameters, moments = dict(state.parameters), dict(state.moments)
    for name, gradient in gradients.items():
        # a Python float, because a float64 scalar of NumPy would promote float32 arrays
        is_in_ball = name in _UNIT_BALL_ROWS
        is_positive = settings.positive_dictionary and name == "dictionary"
        rate, old = float(learning_rates[0 if is_in_ball else 1]), parameters[name]
        if settings.adaptive and is_in_ball:
            arguments = moments[name], old, gradient, rate, is_positive
            moments[name], parameters[name] = _OPTIMIZER.ball_step(*arguments)
            continue
        if settings.adaptive:
            moments[name], gradient = _OPTIMIZER.direction(moments[name], gradient)
        else:
            moments[name] = replace(moments[name], n_steps=moments[name].n_steps + 1)
        stepped = old - rate * gradient
        parameters[name] = project_ball(stepped, is_positive) if is_in_ball else stepped
    return SupervisedState(parameters, moments)


def code_scale_of(code):
    """Root mean square of code entries above a hundredth of the largest; 1 if there are none."""
    xp = namespace(code)
    magnitude = xp.abs(code)
    large = xp.astype((magnitude > 0.01 * xp.max(magnitude)), code.dtype)
    n_large = float(xp.sum(large))
    return float(xp.sqrt(xp.sum(large * code * code) / n_large)) if n_large else 1.0
