r"""Task-driven dictionary learning: steps along the gradient through the codes.

.. math:: \min_{D, W, b} \; \frac{1}{\sum_i c_i} \sum_i c_i \,\ell(y_i, W w(x_i, D) + b)
          + \frac{\nu}{2} \|W\|^2, \quad \|d_j\| \le 1

Inside, the head acts on codes divided by `code_scale`, their typical size, so that one step size
serves signals of any scale; `coef` and `nu` below belong to these scaled codes.

References
----------
J. Mairal, "Backpropagation rules for sparse coding", "Main result" and "Practical Implementation".
"""

from dataclasses import dataclass, replace
from typing import Any

from .._array import device_of, namespace, take_rows
from ..implicit import vjp
from ..problem import Problem
from ..solvers import solve
from . import adam


@dataclass(frozen=True)
class SupervisedSettings:
    """What stays the same over the steps; nu and code_scale as in the module's text."""

    reconstruction: Any
    prior: Any
    solver: Any
    loss: Any
    nu: float
    code_scale: float
    positive_dictionary: bool
    split_sign: bool
    n_jobs: int | None


@dataclass(frozen=True, eq=False)
class SupervisedState:
    """Everything that learning needs to go on."""

    dictionary: Any
    coef: Any
    intercept: Any
    moments: tuple


def start(dictionary, coef, intercept):
    """State before the first step; coef is (n_outputs, n_components), intercept (n_outputs, 1)."""
    moments = (
        adam.start(dictionary, by_row=True),
        adam.start(coef, by_row=False),
        adam.start(intercept, by_row=False),
    )
    return SupervisedState(dictionary, coef, intercept, moments)


def zero_head(dictionary, n_outputs, split_sign):
    """Head of zeros for a dictionary."""
    xp = namespace(dictionary)
    like = {"dtype": dictionary.dtype, "device": device_of(dictionary)}
    n_features = dictionary.shape[0] * (2 if split_sign else 1)
    return xp.zeros((n_outputs, n_features), **like), xp.zeros((n_outputs, 1), **like)


def features_of(code, prior, split_sign):
    """What the head sees of codes: themselves, or their two halves side by side."""
    return namespace(code).concat(prior.halves(code), axis=1) if split_sign else code


def _toward_code(code, toward_features, settings):
    """Gradient in the codes, for one in what the head sees of them."""
    if not settings.split_sign:
        return toward_features
    p, slope = code.shape[1], settings.prior.half_slope(code)
    return toward_features[:, :p] * slope + toward_features[:, p:] * (slope - 1.0)


def loss_and_gradients(state, X, target, weight, settings):
    """Weighted mean loss of a batch, gradients for dictionary, coef and intercept, and codes."""
    problem, code = encoded(X, state.dictionary, settings)
    features = features_of(code, settings.prior, settings.split_sign)
    loss, gradient, toward_head = _head_loss(state, features, target, weight, settings)
    cotangent = _toward_code(code, (gradient @ state.coef) / settings.code_scale, settings)
    toward_dictionary = vjp(problem, X, code, cotangent, settings.n_jobs).dictionary
    return loss, (toward_dictionary, *toward_head), code


def encoded(X, dictionary, settings):
    """The sparse-coding problem of a dictionary, and the codes of signals for it."""
    problem = Problem(settings.reconstruction, settings.prior, dictionary)
    return problem, solve(problem, X, settings.solver, n_jobs=settings.n_jobs).code


def _head_loss(state, features, target, weight, settings):
    """Weighted mean loss, its gradient in the scores, and those for coef and intercept."""
    xp = namespace(features)
    features = features / settings.code_scale
    scores = features @ state.coef.T + state.intercept[:, 0][None, :]
    share = weight / xp.sum(weight)
    loss = xp.sum(share * settings.loss.value(scores, target))
    loss = loss + 0.5 * settings.nu * xp.sum(state.coef * state.coef)
    gradient = settings.loss.gradient(scores, target) * share[:, None]
    toward_coef = gradient.T @ features + settings.nu * state.coef
    return loss, gradient, (toward_coef, xp.sum(gradient, axis=0)[:, None])


def step(state, X, target, weight, settings, rates):
    """One step on a mini-batch: (state, loss, codes). rates: for the dictionary, for the head."""
    loss, gradients, code = loss_and_gradients(state, X, target, weight, settings)
    moments, steps = zip(*map(adam.direction, state.moments, gradients), strict=True)
    dictionary_rate, head_rate = map(float, rates)  # a NumPy scalar would widen float32 arrays
    moved = state.dictionary - dictionary_rate * steps[0]
    state = SupervisedState(
        dictionary=adam.project(moved, settings.positive_dictionary),
        coef=state.coef - head_rate * steps[1],
        intercept=state.intercept - head_rate * steps[2],
        moments=moments,
    )
    return state, loss, code


def fit_head(state, features, target, weight, settings, batches, head_rate):
    """State with its head trained on features of codes, at a rate that falls to zero."""
    moments = list(state.moments[1:])
    for done, rows in enumerate(batches):
        part = take_rows(features, rows)
        _, _, toward = _head_loss(
            state, part, take_rows(target, rows), take_rows(weight, rows), settings
        )
        rate = head_rate * (1 - done / len(batches))
        moments[0], coef_step = adam.direction(moments[0], toward[0])
        moments[1], intercept_step = adam.direction(moments[1], toward[1])
        state = replace(
            state,
            coef=state.coef - rate * coef_step,
            intercept=state.intercept - rate * intercept_step,
        )
    return state


def code_scale_of(code):
    """Root mean square of the entries of codes above a hundredth of the largest; one without."""
    xp = namespace(code)
    size = xp.abs(code)
    large = xp.astype((size > 0.01 * xp.max(size)), code.dtype)
    n_large = float(xp.sum(large))
    return float(xp.sqrt(xp.sum(large * code * code) / n_large)) if n_large else 1.0
