"""The guides of the architecture page, followed: a prior, a solver, a kernel, a network and a kind
of signals more.

Each is as short as the guides allow, and is what users or developers would add.
"""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from computed_signals import Computed
from problems import unit_atoms

from skdict_sup import (
    KL,
    ElasticNet,
    LISTAEncoder,
    OnlineDictionaryLearning,
    SupervisedDictionaryClassifier,
    code_vjp,
    encode,
)
from skdict_sup._array import namespace
from skdict_sup._atoms import Atoms
from skdict_sup._records import Data, Rows
from skdict_sup._signals import Dense
from skdict_sup.dictionary.initialise import initial_dictionary
from skdict_sup.dictionary.learner import learn_unlabelled, method_for
from skdict_sup.dictionary.online import OnlineSettings
from skdict_sup.encoders import ARCHITECTURES
from skdict_sup.encoders.unrolled import LISTA
from skdict_sup.execution import solve
from skdict_sup.kernels import _dispatch
from skdict_sup.kernels._dispatch import kernel
from skdict_sup.kernels._registry import REGISTRY
from skdict_sup.problem import Problem
from skdict_sup.reconstruction import as_reconstruction
from skdict_sup.solvers import SOLVERS
from skdict_sup.solvers._iterate import gradient_step, iterate
from skdict_sup.solvers.homotopy import Homotopy


def arrays(n=6, p=9, m=7):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, m)), unit_atoms(rng, p, m)


# --- a prior -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class WeightedL1Gradients:
    weights: object


@dataclass(frozen=True)
class WeightedL1:
    """The l1 norm with a weight for each atom: nothing but the methods of `Prior` and `prox`."""

    weights: np.ndarray
    smooth = False

    def check(self):
        if not (self.weights > 0).all():
            raise ValueError(f"weights must be above zero, got {self.weights!r}.")

    def value(self, code):
        return (self.weights * abs(code)).sum(axis=-1)

    def stationarity(self, code, slope):
        moving = abs(slope - self.weights * np.sign(code))
        return np.where(code != 0, moving, np.maximum(abs(slope) - self.weights, 0))

    def dual_scale(self, code, slope):
        return 1 / np.maximum((abs(slope) / self.weights).max(axis=-1), 1)

    def fenchel_gap(self, code, slope, scale):
        return self.value(code) - scale * (code * slope).sum(axis=-1)

    def lam_max(self, corr):
        return (abs(corr) / self.weights).max(axis=-1)

    def automatic(self, scale):
        return {}

    def support(self, code):
        return code != 0

    def curvature(self, code):
        return 0

    def halves(self, code):
        return np.maximum(code, 0), np.maximum(-code, 0)

    def half_slope(self, code):
        return 1.0 * (code > 0)

    def pull_back(self, code, adjoint):
        return WeightedL1Gradients(-(adjoint * np.sign(code)).sum(axis=0))

    def prox(self, point, step):
        return np.sign(point) * np.maximum(abs(point) - step * self.weights, 0)


def test_a_prior_of_ones_own_is_solved_certified_and_differentiated():
    X, D = arrays()
    weights = np.linspace(0.1, 0.6, len(D))
    found = encode(X, D, prior=WeightedL1(weights))
    assert found.converged.all()
    # atoms in units of their weights have the codes of one weight for all
    expected = encode(X, D / weights[:, None], prior=ElasticNet(1.0)).code / weights
    np.testing.assert_allclose(found.code, expected, atol=1e-7)
    g = np.random.default_rng(1).normal(size=found.code.shape)
    gradient = code_vjp(X, D, found.code, g, prior=WeightedL1(weights)).prior.weights
    for atom, step in ((int(abs(found.code).sum(axis=0).argmax()), 1e-6),):
        move = step * np.eye(len(D))[atom]
        ends = (encode(X, D, prior=WeightedL1(weights + s * move), tol=1e-13) for s in (1, -1))
        above, below = ((end.code * g).sum() for end in ends)
        assert gradient[atom] == pytest.approx((above - below) / (2 * step), rel=1e-4)


# --- a solver ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Point(Rows):
    data: Data
    code: object
    done: object


@dataclass(frozen=True)
class ISTA:
    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        return hasattr(prior, "prox")

    def codes(self, problem, data, tol, init=None):
        xp, step = namespace(data.corr), gradient_step(problem)
        code = xp.zeros_like(data.corr) if init is None else init

        def move(point):
            slope = problem.slope(point.data, point.code)
            code = problem.prior.prox(point.code + step * slope, step)
            moved = xp.max(xp.abs(code - point.code), axis=1)
            return Point(point.data, code, moved <= 0.01 * tol)

        start = Point(data, code, xp.zeros_like(data.offset) > 0)
        end, n_iter = iterate(start, move, lambda point: point.done, self.max_iter or 100_000)
        return end.code, problem.slope(end.data, end.code), n_iter


def test_a_solver_of_ones_own_is_named_like_the_others(xp, monkeypatch):
    monkeypatch.setitem(SOLVERS, "ista", ISTA)
    X, D = arrays()
    prior = ElasticNet(0.3, 0.01)
    found = encode(xp.asarray(X), xp.asarray(D), prior=prior, solver="ista")
    assert xp.is_mine(found.code)
    assert xp.to_numpy(found.converged).all()
    expected = encode(X, D, prior=prior).code
    np.testing.assert_allclose(xp.to_numpy(found.code), expected, atol=1e-4)
    with pytest.raises(ValueError, match="'ista'"):
        encode(X, D, prior=prior, solver="newton")


# --- a kernel ----------------------------------------------------------------------------------


def row_sums(X, factor):
    """Sums of the rows times a factor: (n_samples,)."""
    return factor * namespace(X).sum(X, axis=1)


def test_a_kernel_dispatches_to_the_first_version_that_takes_the_arrays(xp, monkeypatch):
    compiled = SimpleNamespace(
        kernel="row_sums", usable=lambda *arrays: arrays[0].shape[0] > 2, module="", wrap=None
    )
    calls = kernel(row_sums)
    assert calls.versions == tuple(v for v in REGISTRY if v.kernel == "row_sums") == ()
    X = xp.asarray(arrays()[0])
    np.testing.assert_allclose(xp.to_numpy(calls(X, 2.0)), 2 * arrays()[0].sum(axis=1))
    calls.versions = (compiled,)
    monkeypatch.setattr(_dispatch, "_load", lambda version: lambda *args: version.kernel)
    assert calls(X, 1.0) == "row_sums"
    np.testing.assert_allclose(xp.to_numpy(calls(X[:2, :], 1.0)), arrays()[0][:2].sum(axis=1))


# --- an architecture ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Shrinking(LISTA):
    """LISTA whose first weights shrink twice as much."""

    def initial_layers(self, inputs, n_layers):
        layers = super().initial_layers(inputs, n_layers)
        return [w | {"threshold": 2 * w["threshold"]} for w in layers]


def test_a_network_of_ones_own_learns_like_the_others(monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "shrinking", Shrinking())
    X, D = arrays(n=80)
    settings = {"prior": ElasticNet(0.3), "n_layers": 2, "random_state": 0, "max_iter": 20}
    model = LISTAEncoder(D, architecture="shrinking", **settings).fit(X)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.transform(X).shape == (80, len(D))


# --- a kind of signals -------------------------------------------------------------------------


def waves(n=30_000, m=7):
    """Computed signals, and the list of the sizes of batches that were asked for."""
    sizes = []

    def make(numbers):
        sizes.append(len(numbers))
        return np.cos(numbers[:, None] * np.arange(1, m + 1.0)) ** 2

    return Computed(make, np.arange(n), m), sizes


def test_a_kind_of_signals_of_ones_own_is_coded_in_batches():
    signals, sizes = waves()
    X, D = signals.dense(), arrays()[1]
    sizes.clear()
    problem = Problem(as_reconstruction("linear"), ElasticNet(0.3), Atoms(D))
    found, expected = (solve(problem, given, Homotopy()) for given in (signals, X))
    np.testing.assert_array_equal(found.code, expected.code)
    np.testing.assert_array_equal(found.duality_gap, expected.duality_gap)
    assert sum(sizes) == len(X)  # each is made once
    assert max(sizes) < len(X) / 3
    g = np.random.default_rng(0).normal(size=found.code.shape)
    back, same = (
        code_vjp(given, D, found.code, g, prior=ElasticNet(0.3)) for given in (signals, X)
    )
    np.testing.assert_array_equal(back.dictionary, same.dictionary)


def test_a_kind_of_signals_of_ones_own_is_learned_from():
    signals, sizes = waves()
    X = signals.dense()
    sizes.clear()
    settings = OnlineSettings(as_reconstruction("linear"), ElasticNet(0.3), Homotopy())
    learned = []
    for given in (signals, Dense(X)):
        rng = np.random.default_rng(0)
        first = initial_dictionary(signals, 4, "data", rng)
        method = method_for(settings.reconstruction)
        ((state, _),) = learn_unlabelled(given, method.initial_state(first), settings, 1, rng)
        learned.append(method.current_dictionary(state, settings))
    np.testing.assert_array_equal(*learned)
    assert max(sizes) <= 2000  # first atoms come from so many, mini-batches are smaller


def test_estimators_take_a_kind_of_signals_of_ones_own():
    signals, _ = waves(n=200)
    X, y = signals.dense(), np.arange(200) % 2
    settings = {"max_iter": 1, "random_state": 0}
    for make in (OnlineDictionaryLearning, SupervisedDictionaryClassifier):
        models = [make(4, **settings).fit(given, y) for given in (signals, X)]
        np.testing.assert_array_equal(*(model.components_ for model in models))
        np.testing.assert_array_equal(models[0].transform(signals), models[1].transform(X))
    with pytest.raises(ValueError, match="X has 5 features"):
        models[0].predict(waves(m=5)[0])


def test_a_kind_of_signals_of_ones_own_may_be_distributions():
    signals, _ = waves(n=50)

    def normalised(numbers):
        X = signals.make(numbers)
        X[numbers == 3] = 0
        return X / np.maximum(X.sum(axis=1, keepdims=True), 1e-300)

    own = replace(signals, make=normalised)
    D = arrays()[1]
    for prior in (ElasticNet(0.05), KL("auto")):
        with pytest.warns(UserWarning, match="1 row"):
            found = encode(own, D, prior=prior, transfer="softmax")
        with pytest.warns(UserWarning, match="1 row"):
            expected = encode(own.dense(), D, prior=prior, transfer="softmax")
        np.testing.assert_allclose(found.code, expected.code, rtol=1e-9, atol=1e-12)

    def one_missing(numbers):
        return np.where(numbers == 3, np.nan, 1 / 7)[:, None] + np.zeros(7)

    bad = replace(own, make=one_missing)
    with pytest.raises(ValueError, match=r"X must be finite.* 1 row, first in row 3"):
        encode(bad, D, transfer="softmax")
    with pytest.raises(ValueError, match=r"X must be finite.* 1 row, first in row 3"):
        encode(bad, D)
