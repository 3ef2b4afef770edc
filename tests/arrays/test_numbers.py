"""Numbers of any kind in priors: integers, NumPy's scalars, arrays without dimensions."""

from fractions import Fraction

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skdict_sup import (
    KL,
    ElasticNet,
    Lp,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    code_vjp,
    encode,
    lam_max,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 5))
D = RNG.standard_normal((4, 5))
D /= np.linalg.norm(D, axis=1, keepdims=True)
Y = np.arange(40) % 2

PAIRS = [  # the same prior, in numbers of another kind and in floats
    (ElasticNet(1, 1), ElasticNet(1.0, 1.0)),
    (ElasticNet(0.1, 0), ElasticNet(0.1, 0.0)),
    (ElasticNet(1, 0, True), ElasticNet(1.0, 0.0, True)),
    (ElasticNet(np.int64(1), np.float32(0.5)), ElasticNet(1.0, 0.5)),
    (ElasticNet(np.array(1), np.array(0.5)), ElasticNet(1.0, 0.5)),
    (ElasticNet(0.5, 0.5, np.True_), ElasticNet(0.5, 0.5, True)),
    (ElasticNet(Fraction(1, 2), 1), ElasticNet(0.5, 1.0)),
    (KL(1, 1), KL(1.0, 1.0)),
    (KL(np.int8(1), np.array(2), True), KL(1.0, 2.0, True)),
    (KL(1, [1, 2, 3, 4]), KL(1.0, [1.0, 2.0, 3.0, 4.0])),
    (KL(1, np.array([1, 2, 3, 4])), KL(1.0, np.array([1.0, 2.0, 3.0, 4.0]))),
    (Lp(1, 2), Lp(1.0, 2.0)),
    (Lp(np.array(1), np.float32(1.5)), Lp(1.0, 1.5)),
]
every_pair = pytest.mark.parametrize(("prior", "floats"), PAIRS, ids=str)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_pair
def test_codes_and_gradients_are_those_of_floats(prior, floats, dtype):
    signals, atoms = X.astype(dtype), D.astype(dtype)
    found, expected = (encode(signals, atoms, prior=each).code for each in (prior, floats))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)
    toward = np.ones_like(found)
    found, expected = (
        code_vjp(signals, atoms, found, toward, prior=each) for each in (prior, floats)
    )
    assert found.dictionary.dtype == dtype
    np.testing.assert_array_equal(found.dictionary, expected.dictionary)
    for name in vars(expected.prior):
        np.testing.assert_array_equal(getattr(found.prior, name), getattr(expected.prior, name))
    assert lam_max(signals, atoms, prior).dtype == dtype


@every_pair
def test_supervised_fits_are_those_of_floats(prior, floats):
    settings = {"max_iter": 1, "init_max_iter": 1, "learning_rate": 0.1, "nu": 1, "tol": 0}
    settings |= {"random_state": 0, "solver": "auto", "mu": 0, "dropout": 0}
    for kind in (SupervisedDictionaryClassifier, SupervisedDictionaryRegressor):
        found, expected = (kind(4, prior=each, **settings).fit(X, Y) for each in (prior, floats))
        np.testing.assert_array_equal(found.components_, expected.components_)


@every_pair
def test_parameters_stay_what_they_were_given_as(prior, floats):
    before = prior.get_params()
    coder = SparseCoder(D, prior=prior).fit(X)
    assert all(prior.get_params()[name] is value for name, value in before.items())
    clone(coder)
    assert coder.prior is prior
    assert type(coder.prior_) is type(prior)


def test_a_grid_of_integers_is_searched():
    # no lam2 of zero: then whether atoms of one code are nearly dependent, which is warned of, is
    # a matter of how far learning goes
    model = SupervisedDictionaryClassifier(4, prior=ElasticNet("auto", 1), max_iter=1)
    model.set_params(random_state=0)
    scores = [
        GridSearchCV(model, {"prior__lam": lams, "prior__lam2": lam2s}, cv=2)
        .fit(X, Y)
        .cv_results_["mean_test_score"]
        for lams, lam2s in (([0, 1], np.array([1, 2])), ([0.0, 1.0], [1.0, 2.0]))
    ]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("settings", [{"tol": 1}, {"n_jobs": np.int32(1)}], ids=str)
def test_other_parameters_take_numbers_of_any_kind(settings):
    found = encode(X, D, prior=ElasticNet(1), max_iter=np.int64(50), **settings)
    np.testing.assert_array_equal(found.code, encode(X, D, prior=ElasticNet(1.0)).code)
