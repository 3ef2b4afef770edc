"""Gradients through codes of signals with missing entries, and with weights of entries."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from problems import examples, unit_atoms

from skdict_sup import KL, ElasticNet, Lp, code_vjp, encode, encode_with_vjp

CROSSED = ("encode",)


def generic(seed, p=20, m=15, n=12):
    rng = np.random.default_rng(seed)
    X, D = rng.normal(size=(n, m)), unit_atoms(rng, p, m)
    mask = rng.random((n, m)) < 0.7
    mask[1], mask[2] = True, mask[3]
    return X, D, mask


def quiet(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


@pytest.mark.parametrize("kind", ["mask", "weight"])
@pytest.mark.parametrize(
    "prior",
    [ElasticNet(0.2, 0.1), ElasticNet(0.1, 0.1, True), KL(0.1, 0.05), Lp(0.1, 1.7)],
    ids=repr,
)
@examples(6)
@given(seed=st.integers(0, 2**32 - 1))
def test_gradients_are_those_of_finite_differences(prior, kind, seed):
    rng = np.random.default_rng(seed)
    X, D = rng.normal(size=(3, 6)), unit_atoms(rng, 5, 6)
    weight = np.where(rng.random((3, 6)) < 0.75, rng.uniform(0.3, 2, (3, 6)), 0.0)
    given_ = {"mask": weight > 0} if kind == "mask" else {"entry_weight": weight}
    cotangent = rng.normal(size=(3, 5))

    def loss(X=X, D=D, entry_weight=None):
        weights = given_ if entry_weight is None else {"entry_weight": entry_weight}
        found = quiet(encode, X, D, prior=prior, tol=1e-13, **weights)
        if entry_weight is None and isinstance(prior, ElasticNet):
            u = (weight > 0 if kind == "mask" else weight) * (X - found.code @ D) @ D.T
            size = u if prior.positive else np.abs(u)
            off, on = (prior.lam - size)[found.code == 0], np.abs(found.code[found.code != 0])
            assume(off.min(initial=1) > 1e-3 and on.min(initial=1) > 1e-3)
        return (found.code * cotangent).sum()

    loss()
    code = quiet(encode, X, D, prior=prior, tol=1e-13, **given_).code
    found = quiet(code_vjp, X, D, code, cotangent, prior=prior, **given_)
    base = {"X": X, "D": D, "entry_weight": (weight > 0) * 1.0 if kind == "mask" else weight}
    gradients = {"X": found.X, "D": found.dictionary, "entry_weight": found.entry_weight}
    for name, gradient in gradients.items():
        direction = rng.normal(size=gradient.shape)
        if name == "entry_weight":
            direction = np.where(weight > 0, direction, 0)
        direction = direction / max(np.linalg.norm(direction), 1e-3)
        step = 2e-5  # less than the distance to kinks
        ends = [loss(**{name: base[name] + s * step * direction}) for s in (2, 1, -1, -2)]
        expected = (8 * (ends[1] - ends[2]) - (ends[0] - ends[3])) / (12 * step)
        assert abs((gradient * direction).sum() - expected) <= 1e-6 * (1 + abs(expected)), name
    assert not found.X[weight == 0].any()
    assert not found.entry_weight[weight == 0].any()


def test_the_pulling_function_is_that_of_code_vjp():
    X, D, mask = generic(10)
    prior = ElasticNet(0.2, 0.1)
    solution, vjp = encode_with_vjp(np.where(mask, X, np.nan), D, prior=prior, mask=mask)
    found = vjp(np.sin(solution.code))
    expected = code_vjp(X, D, solution.code, np.sin(solution.code), prior=prior, mask=mask)
    for name in ("dictionary", "X", "entry_weight"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    whole = code_vjp(X, D, solution.code, np.sin(solution.code), prior=prior)
    assert whole.entry_weight is None
