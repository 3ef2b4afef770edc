"""The squared loss at fixed codes: its value and its derivatives."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from problems import unit_atoms
from smooth_gradients import quotient

from skdict_sup import ElasticNet
from skdict_sup._atoms import Atoms
from skdict_sup._records import Observations
from skdict_sup.problem import Problem
from skdict_sup.reconstruction.linear import Linear


def draw(seed, n=4, p=3, m=5):
    rng = np.random.default_rng(seed)
    X, D = rng.normal(size=(n, m)), 2 * unit_atoms(rng, p, m)
    return X, D, rng.normal(size=(n, p)), rng.normal(size=n), rng


def loss(X, D, code, weight):
    return float(weight @ (0.5 * ((X - code @ D) ** 2).sum(axis=1)))


@given(st.integers(0, 2**32 - 1))
def test_gradients_of_losses_are_derivatives_at_fixed_codes(seed):
    X, D, code, weight, rng = draw(seed)
    found = Linear().loss_vjp(Observations(X), code, weight, Atoms(D))
    assert [part.shape for part in found] == [D.shape, X.shape]
    for grad, value, at in (
        (found[0], D, lambda moved: loss(X, moved, code, weight)),
        (found[1], X, lambda moved: loss(moved, D, code, weight)),
    ):
        direction = rng.normal(size=value.shape)
        expected = quotient(lambda k, a=at, v=value, d=direction: a(v + k * d))
        np.testing.assert_allclose((grad * direction).sum(), expected, rtol=1e-8, atol=1e-8)


def test_the_problem_gives_these_gradients():
    X, D, code, weight, _ = draw(0)
    problem = Problem(Linear(), ElasticNet(0.1), Atoms(D))
    expected = Linear().loss_vjp(Observations(X), code, weight, problem.atoms)
    for found, other in zip(problem.objective_vjp(X, code, weight), expected, strict=True):
        np.testing.assert_array_equal(found, other)


def test_every_library_has_the_same_gradients(xp):
    X, D, code, weight, _ = draw(1)
    expected = Linear().loss_vjp(Observations(X), code, weight, Atoms(D))
    signals = Observations(xp.asarray(X))
    there = [xp.asarray(a) for a in (code, weight)]
    found = Linear().loss_vjp(signals, *there, Atoms(xp.asarray(D)))
    for mine, other in zip(found, expected, strict=True):
        assert xp.is_mine(mine)
        np.testing.assert_allclose(xp.to_numpy(mine), other, rtol=1e-13, atol=1e-14)


def test_weights_of_entries_are_those_of_the_loss():
    X, D, code, weight, rng = draw(2)
    entry_weight = rng.uniform(0, 2, X.shape)
    found = Linear().loss_vjp(Observations(X, entry_weight), code, weight, Atoms(D))

    def weighted_loss(X, D):
        return float(weight @ (0.5 * entry_weight * (X - code @ D) ** 2).sum(axis=1))

    for grad, value, at in (
        (found[0], D, lambda moved: weighted_loss(X, moved)),
        (found[1], X, lambda moved: weighted_loss(moved, D)),
    ):
        direction = rng.normal(size=value.shape)
        expected = quotient(lambda k, a=at, v=value, d=direction: a(v + k * d))
        np.testing.assert_allclose((grad * direction).sum(), expected, rtol=1e-8, atol=1e-8)
