"""Custom priors: curvatures of any type and shape, and methods that are missing."""

import numpy as np
import pytest

from skdict_sup import (
    ElasticNet,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    code_vjp,
    encode,
    encode_with_vjp,
)

RNG = np.random.default_rng(0)
X, D = RNG.standard_normal((12, 5)), RNG.standard_normal((3, 5))
SHAPES = {
    "integer": lambda code, value: int(value),
    "numpy": lambda code, value: np.float32(value),
    "boxed": lambda code, value: np.array(int(value)),
    "row": lambda code, value: np.full(code.shape[-1], value),
    "integers": lambda code, value: np.full(code.shape, int(value)),
    "like": lambda code, value: np.full_like(code, value),
}


class Own(ElasticNet):
    """An elastic net that says its curvature in another shape."""

    def __init__(self, lam=0.1, lam2=0.0, positive=False, shape="like"):
        super().__init__(lam, lam2, positive)
        self.shape = shape

    def curvature(self, code):
        assert code.ndim == 2, "a code, and no residual, is asked about"
        return SHAPES[self.shape](code, self.lam2)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("lam2", [0, 1])
@pytest.mark.parametrize("lam", [0, 0.3])
@pytest.mark.parametrize("shape", SHAPES)
def test_curvatures_of_any_shape(shape, lam, lam2, dtype):
    signals, atoms = X.astype(dtype), D.astype(dtype)
    own, known = Own(lam, lam2, shape=shape), ElasticNet(lam, lam2)
    found, expected = (encode(signals, atoms, prior=prior) for prior in (own, known))
    assert found.converged.all()
    close = {"rtol": 0, "atol": 1e-6 if dtype == np.float64 else 2e-3}
    np.testing.assert_allclose(found.code, expected.code, **close)
    found, expected = (
        code_vjp(signals, atoms, expected.code, np.ones_like(expected.code), prior=prior)
        for prior in (own, known)
    )
    assert found.dictionary.dtype == dtype
    close = {"rtol": 1e-3, "atol": 1e-9 if dtype == np.float64 else 1e-3}
    np.testing.assert_allclose(found.dictionary, expected.dictionary, **close)


def test_a_fit_with_integers():
    model = SupervisedDictionaryClassifier(
        3, prior=Own(1, 1, shape="integer"), max_iter=1, init_max_iter=1, learning_rate=0.1
    )
    assert np.isfinite(model.fit(X, np.arange(12) % 2).components_).all()


def test_a_curvature_that_is_zero_for_some_atoms():
    class Partly(ElasticNet):
        def curvature(self, code):
            return np.array([1, 0, 0])

    code = np.ones((12, 3))
    found = code_vjp(X, D, code, code, prior=Partly(0.1)).X
    expected = code @ np.linalg.solve(D @ D.T + np.diag([1, 0, 0]), D)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_other_words_in_a_prior_are_left_alone():
    own = Own("0.1*lam_max", 1, shape="integer")
    assert encode(X, D, prior=own).converged.all()


class Huber:
    """Quadratic up to delta and linear beyond: not smooth by declaration, curved near zero."""

    smooth = False

    def __init__(self, weight=1.0, delta=0.1):
        self.weight, self.delta = weight, delta

    def check(self):
        pass

    def value(self, w):
        size, delta = np.abs(w), self.delta
        each = np.where(size < delta, size**2 / (2 * delta), size - delta / 2)
        return self.weight * each.sum(axis=-1)

    def stationarity(self, w, slope):
        return np.abs(slope - self.weight * np.clip(w / self.delta, -1, 1))

    def dual_scale(self, w, slope):
        top = np.abs(slope).max(axis=-1)
        return np.minimum(1, self.weight / np.where(top > 0, top, 1))

    def fenchel_gap(self, w, slope, scale):
        y = scale[:, None] * slope
        conjugate = (self.delta * y**2 / (2 * self.weight)).sum(axis=-1)
        return self.value(w) + conjugate - (w * y).sum(axis=-1)

    def curvature(self, w):
        return np.where(np.abs(w) < self.delta, self.weight / self.delta, 0.0)

    def prox(self, point, step):
        near = np.abs(point) <= self.delta + step * self.weight
        shrunk = point / (1 + step * self.weight / self.delta)
        return np.where(near, shrunk, point - step * self.weight * np.sign(point))


# one step does not converge, as meant: the bound far from the optimum is the subject
@pytest.mark.filterwarnings("ignore::skdict_sup._validation.ConvergenceWarning")
def test_a_curvature_near_the_code_bounds_nothing_far_from_it():
    signal, atoms = np.array([[10.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 100.0]])
    found = encode(signal, atoms, prior=Huber(), max_iter=1, init=np.zeros((1, 2)))
    optimum = 0.5 + 9 - 0.05  # at w = (9, 0)
    assert found.duality_gap[0] >= (found.objective[0] - optimum) / found.objective[0]
    assert encode(signal, atoms, prior=Huber()).objective[0] == pytest.approx(optimum)


class Weighted:
    """The l1 norm with a weight for each atom, under the name that priors of ours have for one."""

    smooth = False

    def __init__(self, lam):
        self.lam = np.asarray(lam, float)

    def check(self):
        pass

    def value(self, w):
        return (self.lam * np.abs(w)).sum(axis=-1)

    def stationarity(self, w, slope):
        lost = np.maximum(np.abs(slope) - self.lam, 0)
        return np.where(w != 0, np.abs(slope - self.lam * np.sign(w)), lost)

    def dual_scale(self, w, slope):
        return 1 / np.maximum((np.abs(slope) / self.lam).max(axis=-1), 1)

    def fenchel_gap(self, w, slope, scale):
        return self.value(w) - scale * (w * slope).sum(axis=-1)

    def curvature(self, w):
        return 0.0

    def prox(self, point, step):
        return np.sign(point) * np.maximum(np.abs(point) - step * self.lam, 0)


def test_a_weight_for_each_atom():
    weights = np.array([0.1, 0.2, 0.4])
    found = encode(X, D, prior=Weighted(weights))
    assert found.converged.all()
    # w_j = v_j / lam_j turns it into the l1 norm over other atoms
    plain = encode(X, D / weights[:, None], prior=ElasticNet(1.0))
    np.testing.assert_allclose(found.code, plain.code / weights, atol=1e-4)


class Nothing:
    """What coding a signal needs of a prior, but for one method."""

    smooth = False
    check = value = stationarity = dual_scale = fenchel_gap = curvature = print


@pytest.mark.parametrize("name", ["value", "curvature", "dual_scale"])
def test_what_a_prior_lacks_to_be_coded_is_named(name):
    prior = type("Lacking", (Nothing,), {name: None})()
    with pytest.raises(TypeError, match=rf"prior must define {name} to be coded, got .*Lacking"):
        encode(X, D, prior=prior)


def test_a_prior_says_whether_it_is_smooth():
    prior = type("Vague", (Nothing,), {"smooth": None})()
    with pytest.raises(TypeError, match="prior must have an attribute smooth"):
        encode(X, D, prior=prior)


def test_what_a_prior_lacks_to_be_differentiated_is_named():
    code = np.zeros((len(X), len(D)))
    for call in (
        lambda: code_vjp(X, D, code, code, prior=Huber()),
        lambda: encode_with_vjp(X, D, prior=Huber()),
        lambda: SupervisedDictionaryRegressor(3, prior=Huber(), max_iter=1).fit(X, X),
    ):
        with pytest.raises(TypeError, match="prior must define support, pull_back to be"):
            call()
