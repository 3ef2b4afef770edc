"""Optimal heads of the squared loss by linear systems: optimality, and the head of any loss."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from skdict_sup._array import to_numpy
from skdict_sup.coding import make_solver
from skdict_sup.losses import Square
from skdict_sup.priors import ElasticNet
from skdict_sup.reconstruction import as_reconstruction
from skdict_sup.supervised.head_fit import HeadProblem
from skdict_sup.supervised.head_squares import LeastSquares, is_least_squares
from skdict_sup.supervised.heads import BilinearHead, BlockHead, LinearHead
from skdict_sup.supervised.step import HeadInput, SupervisedSettings, zero_head

LINEAR = as_reconstruction("linear")


class OwnSquare(Square):
    """The same for the general method."""


def problem_and_inputs(rng, n=30, *, skip=True, nu=0.1, nu_linear=0.3, ridge=0.2, xp=np):
    """Loss of a head of two outputs on four features and three signals, and its inputs."""
    prior, asarray = ElasticNet(0.1), xp.asarray
    settings = SupervisedSettings(
        Square(),
        reconstruction=LINEAR,
        prior=prior,
        solver=make_solver("auto", LINEAR, prior),
        head=LinearHead(skip=skip),
        nu=nu,
        nu_linear=nu_linear,
        n_jobs=1,
    )
    head = zero_head(asarray(np.zeros((4, 3))), 2, settings, 3)
    inputs = HeadInput(
        asarray(rng.normal(size=(n, 4))),
        asarray(rng.normal(size=(n, 2)) + 3),
        asarray(rng.uniform(0.5, 2.0, n)),
        asarray(rng.normal(size=(n, 3))) if skip else None,
    )
    return HeadProblem(head, settings, ridge), inputs


def in_general(problem):
    """The same problem, whose loss is not known to be the squared one."""
    settings = replace(problem.settings, loss=OwnSquare())
    return HeadProblem(problem.like, settings, problem.ridge)


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 40),
    skip=st.booleans(),
    nu=st.sampled_from([0.0, 1e-8, 0.1]),
    scale=st.sampled_from([1e-4, 1.0, 1e4]),
)
def test_the_gradient_is_zero_and_no_other_head_is_better(seed, n, skip, nu, scale):
    rng = np.random.default_rng(seed)
    problem, inputs = problem_and_inputs(rng, n, skip=skip, nu=nu, nu_linear=None, ridge=0.0)
    features = scale * inputs.features
    features[:, 1] = features[:, 0]  # no unique minimum without a ridge
    inputs = replace(inputs, features=features)
    vector = LeastSquares(problem, inputs).minimiser()
    loss, gradient, _ = problem.loss_and_gradients(vector, inputs)
    at_zero = problem.loss_and_gradients(0 * vector, inputs)
    assert np.abs(gradient).max() <= 1e-9 * np.abs(at_zero[1]).max()
    assert (
        loss
        <= in_general(problem).loss_and_gradients(
            in_general(problem).minimize_loss(0 * vector, inputs), inputs
        )[0]
        + 1e-12 * at_zero[0]
    )


@pytest.mark.parametrize("skip", [False, True])
def test_the_head_is_that_of_any_loss(skip, xp):
    problem, inputs = problem_and_inputs(np.random.default_rng(0), skip=skip, xp=xp)
    assert is_least_squares(problem, inputs)
    general = in_general(problem)
    assert not is_least_squares(general, inputs)
    start = problem.flatten(problem.like)
    expected = general.newton_refine(general.minimize_loss(start, inputs), inputs)
    found = problem.minimize_loss(start, inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(problem.newton_refine(found, inputs), found)
    assert xp.is_mine(problem.unflatten(found)["coef"])


def test_systems_with_the_hessian_are_solved():
    rng = np.random.default_rng(0)
    problem, inputs = problem_and_inputs(rng)
    rhs = rng.normal(size=problem.flatten(problem.like).shape)
    q = problem.solve_hessian(0 * rhs, inputs, rhs)
    ends = [problem.loss_and_gradients(s * q, inputs)[1] for s in (1, -1)]
    np.testing.assert_allclose((ends[0] - ends[1]) / 2, rhs, rtol=1e-9, atol=1e-10)


def test_other_heads_and_signals_are_left_to_the_general_method():
    problem, inputs = problem_and_inputs(np.random.default_rng(0))
    for head in (BilinearHead(), BlockHead()):
        assert not is_least_squares(
            HeadProblem(problem.like, replace(problem.settings, head=head)), inputs
        )
    sparse = scipy.sparse.csr_array(to_numpy(inputs.signals))
    assert not is_least_squares(problem, replace(inputs, signals=sparse))
    wide = np.ones((len(inputs.features), 1000))
    assert not is_least_squares(problem, replace(inputs, features=wide))
