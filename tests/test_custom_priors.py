"""Custom priors: curvatures that are integers or arrays of any shape that fits."""

import numpy as np
import pytest

from skdict_sup import ElasticNet, SupervisedDictionaryClassifier, code_vjp, encode

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
