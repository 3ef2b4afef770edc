"""Two layers of codes: the upper's gradient for its signals is the lower's cotangent."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from problems import unit_atoms
from sklearn.base import clone

from skdict_sup import KL, ElasticNet, Lp, code_vjp, encode

CROSSED = ("encode", "code_vjp")

STEP = 1e-4
STACKS = {
    "kl-kl": (KL(0.1, 0.05), KL(0.05, 0.02)),
    "positive-kl": (KL(0.1, 0.05, positive=True), KL(0.05, 0.02)),
    "kl-positive": (KL(0.1, 0.05), KL(0.05, 0.02, positive=True)),
    "kl-lp": (KL(0.1, 0.05), Lp(0.2, 1.5)),
    "lp-elastic_net": (Lp(0.2, 1.5), ElasticNet(0.05, 0.3)),
    "elastic_net-kl": (ElasticNet(0.05, 0.3), KL(0.05, 0.02)),
}


@dataclass(frozen=True)
class Stack:
    """code(code(X, lower), upper), and a linear function of it."""

    X: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    priors: Any
    cotangent: np.ndarray

    @property
    def codes(self):
        below = encode(self.X, self.lower, prior=self.priors[0], tol=1e-12).code
        return below, encode(below, self.upper, prior=self.priors[1], tol=1e-12).code

    def gradients(self):
        """Gradients of the lower and the upper layer."""
        below, above = self.codes
        upper = code_vjp(below, self.upper, above, self.cotangent, prior=self.priors[1])
        lower = code_vjp(self.X, self.lower, below, upper.X, prior=self.priors[0])
        return lower, upper

    def difference(self, change):
        loss = {
            k: float((self.cotangent * change(k * STEP).codes[1]).sum()) for k in (-2, -1, 1, 2)
        }
        return (8 * (loss[1] - loss[-1]) - (loss[2] - loss[-2])) / (12 * STEP)


def stack_of(priors, seed=0):
    rng = np.random.default_rng(seed)
    X, cotangent = 3 * rng.normal(size=(3, 5)), rng.normal(size=(3, 3))
    return Stack(X, unit_atoms(rng, 4, 5), unit_atoms(rng, 3, 4), priors, cotangent)


@pytest.mark.parametrize("priors", STACKS.values(), ids=STACKS)
def test_gradients_through_two_layers_are_derivatives(priors):
    stack = stack_of(priors)
    lower, upper = stack.gradients()
    for name, found in {
        "X": lower.X,
        "lower": lower.dictionary,
        "upper": upper.dictionary,
    }.items():
        value = getattr(stack, name)
        for place in np.ndindex(value.shape):
            move = np.zeros_like(value)
            move[place] = 1.0
            expected = stack.difference(
                lambda step, n=name, v=value, m=move: replace(stack, **{n: v + step * m})
            )
            assert found[place] == pytest.approx(expected, rel=2e-6, abs=2e-6), (name, place)


@pytest.mark.parametrize("layer", [0, 1])
def test_gradients_of_the_hyper_parameters_of_both_layers(layer):
    stack = stack_of((KL(0.1, 0.05), KL(0.05, 0.02)), seed=1)
    found = stack.gradients()[layer].prior
    for name in ("lam", "p"):
        value = getattr(stack.priors[layer], name)

        def moved(step, name=name, value=value):
            priors = [clone(prior) for prior in stack.priors]
            priors[layer].set_params(**{name: value * (1 + step)})
            return replace(stack, priors=tuple(priors))

        expected = stack.difference(moved) / value
        assert getattr(found, name) == pytest.approx(expected, rel=1e-6, abs=1e-6), name


def test_both_layers_in_every_library(xp):
    stack = stack_of((KL(0.1, 0.05), KL(0.05, 0.02)))
    names = ("X", "lower", "upper", "cotangent")
    mine = replace(stack, **{name: xp.asarray(getattr(stack, name)) for name in names})
    for found, expected in zip(mine.gradients(), stack.gradients(), strict=True):
        assert xp.is_mine(found.X)
        np.testing.assert_allclose(xp.to_numpy(found.X), expected.X, atol=1e-8)
        np.testing.assert_allclose(xp.to_numpy(found.dictionary), expected.dictionary, atol=1e-8)
