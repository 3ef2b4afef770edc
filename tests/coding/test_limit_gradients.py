"""Gradients through codes at a bound on the residual, or at a number of nonzeros."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import examples, unit_atoms

from skdict_sup import ElasticNet, code_vjp, encode, encode_with_vjp

CROSSED = ("encode",)
SETTINGS = [
    ElasticNet(),
    ElasticNet(positive=True),
    ElasticNet(lam2=0.1),
    ElasticNet(np.linspace(0.2, 1.0, 20)),
    ElasticNet(np.r_[0.0, np.linspace(0.2, 1.0, 19)]),
]
STEP = 1e-4  # of finite differences
every_prior = pytest.mark.parametrize("prior", SETTINGS, ids=range(len(SETTINGS)))


def generic(seed, p=20, m=15, n=12):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, m)), unit_atoms(rng, p, m), rng


def derivative(ends):
    """Central difference of the fourth order, of values at 2, 1, -1 and -2 steps."""
    return (8 * (ends[1] - ends[2]) - (ends[0] - ends[3])) / (12 * STEP)


@pytest.mark.parametrize("kind", ["residual", "count"])
@every_prior
@examples(5)
@given(seed=st.integers(0, 2**32 - 1))
def test_gradients_are_those_of_finite_differences(prior, kind, seed):
    X, D, rng = generic(seed, 20, 15, 2)
    if prior.positive:
        X = np.abs(rng.normal(size=(2, 20))) @ D
    cotangent, size = rng.normal(size=(2, 20)), np.linalg.norm(X, axis=1)
    limits = {"max_nonzeros": 4} if kind == "count" else {"max_residual": 0.5 * size}

    def codes(**changed):
        given_ = {"X": X, "dictionary": D, **limits} | changed
        return encode(given_.pop("X"), given_.pop("dictionary"), prior=prior, **given_).code

    code = codes()
    found = code_vjp(X, D, code, cotangent, prior=prior, **limits)
    names = {"X": (X, found.X), "dictionary": (D, found.dictionary)}
    if kind == "residual":
        names["max_residual"] = (limits["max_residual"], found.max_residual)
    for name, (value, gradient) in names.items():
        direction = rng.normal(size=value.shape)
        direction = direction / np.linalg.norm(direction)
        ends = [codes(**{name: value + s * STEP * direction}) for s in (2, 1, -1, -2)]
        if any(((end != 0) != (code != 0)).any() for end in ends):
            continue  # a kink
        expected = (derivative(ends) * cotangent).sum()
        assert abs((gradient * direction).sum() - expected) <= 1e-6 * (1 + abs(expected)), name


@pytest.mark.parametrize("kind", ["residual", "count"])
def test_gradients_with_weights_of_entries(kind):
    X, D, rng = generic(11, 20, 15, 3)
    weight = rng.uniform(0.3, 2, X.shape) * (rng.random(X.shape) < 0.8)
    limits = {"max_nonzeros": 4} if kind == "count" else {"max_residual": np.full(3, 1.5)}
    arguments = {"prior": ElasticNet(lam2=0.05), "entry_weight": weight, **limits}
    solution, vjp = encode_with_vjp(X, D, **arguments)
    cotangent = rng.normal(size=solution.code.shape)
    found = vjp(cotangent)
    values = {
        "X": (X, found.X),
        "D": (D, found.dictionary),
        "weight": (weight, found.entry_weight),
    }
    for name, (value, gradient) in values.items():
        direction = rng.normal(size=value.shape) * (1 if name == "D" else weight > 0)

        def loss(step, name=name, value=value, direction=direction):
            moved = {"X": X, "D": D, "weight": weight} | {name: value + step * direction}
            changed = arguments | {"entry_weight": moved["weight"]}
            return (encode(moved["X"], moved["D"], **changed).code * cotangent).sum()

        expected = derivative([loss(s * STEP) for s in (2, 1, -1, -2)])
        np.testing.assert_allclose((gradient * direction).sum(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("limits", [{"max_residual": 2.0}, {"max_nonzeros": 4}], ids=str)
@pytest.mark.parametrize("least", [0.0, 1e-4])
def test_gradients_for_weights_of_atoms(limits, least):
    """A weight of zero has that of a penalty that grows with the magnitude of the entry."""
    X, D, rng = generic(15, 12, 10, 6)
    weights = np.r_[least, rng.uniform(0.5, 1, 11)]
    if "max_nonzeros" in limits and least:
        limits = {"max_nonzeros": 5}
    cotangent = rng.normal(size=(6, 12))

    def loss(weights, k=None):
        given_ = limits if k is None else {"max_nonzeros": k}
        found = encode(X, D, prior=ElasticNet(weights, 0.05), **given_)
        return (found.code * cotangent).sum(axis=1), found.code

    code = loss(weights)[1]
    # an atom counts as soon as it has a penalty
    k = None if "max_residual" in limits or least else 5
    for i in range(6):
        arguments = X[i : i + 1], D, code[i : i + 1], cotangent[i : i + 1]
        found = code_vjp(*arguments, prior=ElasticNet(weights, 0.05), **limits).prior.lam
        for j in range(12):
            if j == 0 and not least:
                step = np.eye(12)[0] * 1e-6
                ends = [loss(weights + s * step, k) for s in (1, 2)]
                expected = (ends[1][0][i] - ends[0][0][i]) / 1e-6
            else:
                step = np.eye(12)[j] * 1e-5
                ends = [loss(weights + s * step) for s in (1, -1)]
                expected = (ends[0][0][i] - ends[1][0][i]) / 2e-5
            if all(((end[1][i] != 0) == (code[i] != 0)).all() for end in ends):
                assert abs(found[j] - expected) <= 1e-4 * (1 + abs(expected)), (i, j)
