"""split_sign: the two halves of signed codes, in transformers and before the linear model."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from problems import unit_atoms
from sklearn.datasets import load_digits

from skdict_sup import (
    KL,
    ElasticNet,
    Lp,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    encode,
)

SIGNED = [ElasticNet(0.1), KL(0.1, 0.05), KL(0.1, np.full(9, 0.05)), Lp(0.1)]
every_prior = pytest.mark.parametrize("prior", SIGNED, ids=str)


def draw(n=12, p=9, m=6):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, m)), unit_atoms(rng, p, m)


@every_prior
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-3, 1.0, 1e6]))
def test_halves_are_nonnegative_and_their_difference_is_the_code(prior, seed, scale):
    code = scale * np.random.default_rng(seed).normal(size=(3, 9))
    plus, minus = prior.halves(code)
    assert (plus >= 0).all()
    assert (minus >= 0).all()
    np.testing.assert_allclose(plus - minus, code, rtol=1e-12, atol=1e-15)
    step = 1e-6 * np.abs(code)
    quotient = (prior.halves(code + step)[0] - prior.halves(code - step)[0]) / (2 * step)
    np.testing.assert_allclose(prior.half_slope(code), quotient, rtol=1e-5, atol=1e-6)


def test_halves_of_a_kl_code_are_the_code_over_both_signs_of_the_atoms():
    X, D = draw()
    prior = KL(lam=0.1, p=0.05)
    plus, minus = prior.halves(encode(X, D, prior=prior).code)
    both = encode(X, np.vstack([D, -D]), prior=KL(lam=0.1, p=0.05, positive=True)).code
    np.testing.assert_allclose(np.hstack([plus, minus]), both, rtol=1e-6, atol=1e-9)


@every_prior
@pytest.mark.parametrize("output", ["dense", "sparse"])
def test_transformers_put_the_halves_side_by_side(prior, output):
    X, D = draw()
    coder = SparseCoder(D, prior=prior, split_sign=True, output=output).fit(X)
    found = coder.transform(X)
    assert scipy.sparse.issparse(found) == (output == "sparse")
    dense = found.toarray() if output == "sparse" else found
    code = encode(X, D, prior=prior).code
    np.testing.assert_allclose(dense, np.hstack(prior.halves(code)), atol=1e-12)
    assert len(coder.get_feature_names_out()) == dense.shape[1] == 18
    np.testing.assert_allclose(coder.inverse_transform(found), code @ D, atol=1e-12)


def test_nonnegative_codes_have_no_halves():
    X, D = draw()
    with pytest.raises(ValueError, match="split_sign=True requires signed codes"):
        SparseCoder(D, prior=KL(0.1, 0.1, positive=True), split_sign=True).fit(X)


@pytest.mark.parametrize("prior", [ElasticNet(0.1), KL(0.03, 0.01)], ids=str)
def test_supervised_learning_sees_the_halves(prior):
    X, y = load_digits(n_class=3, return_X_y=True)
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    model = SupervisedDictionaryClassifier(
        8, prior=prior, split_sign=True, max_iter=4, random_state=0
    ).fit(X, y)
    assert model.coef_.shape == (3, 16)
    assert model.transform(X).shape == (len(X), 16)
    scores = model.transform(X) @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(model.decision_function(X), scores, rtol=1e-10)
    assert model.score(X, y) > 0.97
    assert np.isfinite(model.loss_curve_).all()
    with pytest.raises(ValueError, match="split_sign must be True to continue learning"):
        model.set_params(split_sign=False, warm_start=True).fit(X, y)


def test_unsupervised_learning_does_not():
    X, _ = draw(60)
    plain = OnlineDictionaryLearning(5, prior=ElasticNet(0.2), max_iter=2, random_state=0).fit(X)
    split = OnlineDictionaryLearning(
        5, prior=ElasticNet(0.2), max_iter=2, random_state=0, split_sign=True
    ).fit(X)
    np.testing.assert_array_equal(plain.components_, split.components_)
    assert split.transform(X).shape == (60, 10)
