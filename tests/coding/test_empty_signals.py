"""Signals of zero among distributions, such as documents without a known word."""

import numpy as np
import pytest
import scipy.sparse

from skdict_sup import (
    KL,
    ElasticNet,
    Lp,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    code_vjp,
    encode,
)

RNG = np.random.default_rng(0)
FULL = RNG.dirichlet(np.full(9, 0.3), 40)
X = FULL.copy()
EMPTY = np.arange(40) % 20 == 3
X[EMPTY] = 0.0
D = 3 * RNG.standard_normal((5, 9))
Y = np.arange(40) % 2
PRIORS = {
    "kl": (KL(0.1, 0.2), 0.0),
    "kl_positive": (KL(0.1, 0.2, positive=True), 0.2),
    "means": (KL(0.1, np.arange(1, 6.0), positive=True), np.arange(1, 6.0)),
    "elastic_net": (ElasticNet(0.1, 0.1), 0.0),
    "lp": (Lp(0.1), 0.0),
}
FORMS = {"dense": np.asarray, "csr": scipy.sparse.csr_matrix, "array": scipy.sparse.csr_array}
every_prior = pytest.mark.parametrize(("prior", "mean"), PRIORS.values(), ids=PRIORS)
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def told(call, *args, **settings):
    """Result of a call that warns once, of two signals, at its line."""
    with pytest.warns(UserWarning, match="^X has 2 rows of zeros, .*prior") as caught:
        found = call(*args, **settings)
    (one,) = caught
    assert one.filename == __file__
    return found


@every_form
@every_prior
def test_their_codes_are_those_of_the_prior_alone(prior, mean, form):
    found = told(encode, form(X), D, prior=prior, transfer="softmax")
    assert found.converged.all()
    np.testing.assert_allclose(found.code[EMPTY], mean + np.zeros((2, 5)), rtol=1e-6, atol=1e-6)
    others = encode(form(FULL), D, prior=prior, transfer="softmax").code[~EMPTY]
    np.testing.assert_array_equal(found.code[~EMPTY], others)
    coder = told(SparseCoder(D, prior=prior, transfer="softmax").fit, form(X))
    np.testing.assert_array_equal(told(coder.transform, form(X)), found.code)


def test_in_every_library(xp):
    mine = xp.asarray(X), xp.asarray(D)
    prior = KL(0.1, 0.2, positive=True)
    code = told(encode, *mine, prior=prior, transfer="softmax").code
    assert xp.is_mine(code)
    np.testing.assert_allclose(xp.to_numpy(code)[EMPTY], 0.2, rtol=1e-6)


@every_form
def test_fits_and_predictions(form):
    settings = {"prior": KL(), "transfer": "softmax", "random_state": 0, "max_iter": 2}
    model = SupervisedDictionaryClassifier(4, init_max_iter=1, learning_rate=0.1, **settings)
    told(model.fit, form(X), Y)
    predicted = told(model.predict, form(X))
    np.testing.assert_array_equal(predicted[~EMPTY], model.predict(form(FULL))[~EMPTY])
    told(model.partial_fit, form(X), Y)
    told(OnlineDictionaryLearning(4, **settings).fit, form(X))


def test_they_say_nothing_about_the_dictionary():
    prior = KL(0.1, 0.2)
    alone = np.zeros((2, 9))
    code = told(encode, alone, D, prior=prior, transfer="softmax").code
    toward = told(code_vjp, alone, D, code, np.ones((2, 5)), prior=prior, transfer="softmax")
    np.testing.assert_allclose(toward.dictionary, 0, atol=1e-12)


def test_other_rows_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match=r"rows that sum to 1 .* sums to 2"):
        encode(2 * X, D, transfer="softmax")
