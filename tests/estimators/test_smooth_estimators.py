"""Estimators with smooth priors and with the softmax transfer."""

import numpy as np
import pytest
import scipy.sparse
from learners import (
    AS_GIVEN,
    EVERY,
    LEARNERS,
    assert_same,
    classifier,
    coder,
    digits,
    heights,
    learned,
    once,
    outputs,
    regressor,
    target_of,
    unsupervised,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skdict_sup import KL, ElasticNet, Lp, OnlineDictionaryLearning, encode

CROSSED = ("OnlineDictionaryLearning", "encode")

PRIORS = {
    "kl": "kl",
    "kl_positive": KL(positive=True),
    "kl_means": KL(lam=0.05, p=np.geomspace(1e-3, 1e-1, 6)),
    "lp": Lp(),
    "ridge": Lp(lam=0.1, exponent=2.0),
}
every_prior = pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
every_estimator = pytest.mark.parametrize("make", EVERY)
every_learner = pytest.mark.parametrize("make", LEARNERS)
SOFTMAX = {"prior": KL(lam=0.02, p=0.01), "transfer": "softmax"}


def distributions():
    X, _ = digits()
    return X / X.sum(axis=1, keepdims=True)


@every_estimator
@every_prior
def test_codes_are_those_of_the_learned_dictionary(make, prior):
    X, y = digits()[0], target_of(make)
    model = make(prior=prior).fit(X, y)
    assert not isinstance(model.prior_.lam, str)
    expected = encode(X, model.components_, prior=model.prior_).code
    np.testing.assert_array_equal(model.transform(X), expected)
    back = model.inverse_transform(expected)
    np.testing.assert_allclose(back, expected @ model.components_, atol=1e-12)
    if make is not coder:
        assert np.linalg.norm(model.components_, axis=1).max() <= 1 + 1e-12


@pytest.mark.numpy_alone("of SciPy matrices")
@every_estimator
def test_codes_of_distributions(make):
    X, y = distributions()[:80], target_of(make)
    y = None if y is None else y[:80]
    for prior in (SOFTMAX["prior"], Lp(0.05), ElasticNet(0.02, 0.01)):
        model = make(prior=prior, transfer="softmax", **once(make)).fit(X, y)
        code = model.transform(X)
        expected = encode(X, model.components_, prior=model.prior_, transfer="softmax").code
        np.testing.assert_array_equal(code, expected)
        back = model.inverse_transform(code)
        assert (back >= 0).all()
        np.testing.assert_allclose(back.sum(axis=1), 1.0, rtol=1e-12)
        sparse = model.inverse_transform(scipy.sparse.csr_matrix(code))
        np.testing.assert_allclose(sparse, back, rtol=1e-9)


@every_learner
def test_learning_lowers_the_objective(make):
    X, y = distributions(), target_of(make)
    if make is unsupervised:
        curve = unsupervised(max_iter=6, tol=0.0, **SOFTMAX).fit(X).objective_curve_
        assert len(curve) == 6
    else:
        curve = make(max_iter=6, prior="kl").fit(digits()[0], y).loss_curve_
    assert curve[-1] < curve[0]


def test_predictions_are_better_than_chance():
    X, y = digits()
    for settings in ({"prior": "kl"}, {"prior": Lp()}):
        assert classifier(n_components=16, max_iter=5, **settings).fit(X, y).score(X, y) > 0.8
        model = regressor(n_components=16, max_iter=5, **settings).fit(X, heights(X))
        assert model.score(X, heights(X)) > 0.5
    model = classifier(n_components=16, max_iter=5, **SOFTMAX).fit(distributions(), y)
    assert model.score(distributions(), y) > 0.6
    np.testing.assert_allclose(model.predict_proba(distributions()).sum(axis=1), 1.0)


# --- the stream, threads, copies, containers --------------------------------------------------


@pytest.mark.parametrize(
    "settings", [SOFTMAX, {"prior": KL(0.05, 0.01)}, {"prior": Lp(0.1)}], ids=str
)
@pytest.mark.parametrize("cuts", [[32], [1, 2, 67, 130], [64, 128]])
def test_the_stream_alone_decides(settings, cuts):
    X = distributions() if "transfer" in settings else digits()[0]
    init = np.abs(np.random.default_rng(0).normal(size=(6, 64)))
    settings = {**settings, "init": init, "batch_size": 32}
    whole = unsupervised(max_iter=1, shuffle=False, **settings).fit(X)
    pieces = unsupervised(**settings)
    for part in np.split(X, cuts):
        pieces.partial_fit(part)
    np.testing.assert_allclose(pieces.components_, whole.components_, rtol=1e-9, atol=1e-12)
    assert pieces.n_seen_ == whole.n_seen_ == len(X)


def test_a_first_mini_batch_that_is_open_is_published():
    X = distributions()[:10]
    model = unsupervised(batch_size=64, **SOFTMAX).partial_fit(X)
    assert np.linalg.norm(model.components_, axis=1).max() <= 1 + 1e-12
    before = model.components_
    model.partial_fit(distributions()[10:100])
    assert np.abs(model.components_ - before).max() > 0


@every_estimator
@pytest.mark.parametrize("settings", [{"prior": "kl"}, SOFTMAX], ids=["kl", "softmax"])
def test_threads_and_sparse_signals_change_nothing(make, settings):
    X, y, settings = distributions(), target_of(make), once(make) | settings
    one, two = (make(n_jobs=n_jobs, **settings).fit(X, y) for n_jobs in (1, 2))
    assert_same(learned(two), learned(one))
    assert_same(outputs(two, X), outputs(one, X))
    sparse = scipy.sparse.csr_matrix(X)
    found = make(**settings).fit(sparse, y)
    assert_same(outputs(found, sparse), outputs(one, X), rtol=1e-6, atol=1e-8)


@every_estimator
def test_float32_in_float32_out(make):
    X, y = distributions().astype(np.float32)[:80], target_of(make)
    y = None if y is None else y[:80]
    for settings in ({"prior": "kl"}, {"prior": Lp()}, SOFTMAX):
        model = make(**once(make), **settings).fit(X, y)
        assert model.components_.dtype == model.transform(X).dtype == np.float32
        assert model.inverse_transform(model.transform(X)).dtype == np.float32


@every_learner
@pytest.mark.parametrize("settings", [{"prior": KL(0.05, 0.01)}, SOFTMAX], ids=["kl", "softmax"])
def test_every_library_learns_the_same(make, settings, xp):
    # in the order that NumPy data of this size are brought into; codes are exact to 1e-9 alone
    X, rows = np.unique(distributions()[:40], axis=0, return_index=True)
    y = None if make is unsupervised else target_of(make)[rows]
    few: dict = {"n_components": 4, "max_iter": 1, "batch_size": 20}
    if make is not unsupervised:
        few |= AS_GIVEN | {"nu": 1e-3}  # choices code the signals again and again
    expected = make(**few, **settings).fit(X, y)
    found = make(**few, **settings).fit(xp.asarray(X), y)
    assert xp.is_mine(found.components_)
    np.testing.assert_allclose(
        xp.to_numpy(found.components_), expected.components_, rtol=1e-3, atol=5e-4
    )


# --- parameters ------------------------------------------------------------------------------


def test_a_grid_search_reaches_the_hyper_parameters():
    X, y = digits(120, n_classes=3)
    model = make_pipeline(
        OnlineDictionaryLearning(8, prior=KL(lam=0.01, p=0.01), max_iter=1, random_state=0),
        LogisticRegression(max_iter=500),
    )
    name = "onlinedictionarylearning__prior__"
    grid = {name + "lam": [0.01, 0.1], name + "p": [1e-3, 1e-1]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.8
    best = search.best_estimator_[0]
    assert best.prior_.lam == search.best_params_[name + "lam"]
    assert best.prior_.p == search.best_params_[name + "p"]


def test_automatic_hyper_parameters_are_resolved_once():
    X = digits()[0]
    model = unsupervised(prior=KL()).fit(X)
    before = model.prior_.get_params()
    model.partial_fit(7 * X)
    assert model.prior_.get_params() == before
    assert model.prior.get_params() == KL().get_params()


@every_estimator
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"prior": KL(lam=0.0)}, r"lam must be .*> 0"),
        ({"prior": KL(p=-1.0)}, r"p must be .*> 0"),
        ({"prior": KL(p=np.ones(5))}, r"p must have one entry per atom: got 5 .* 6 atoms"),
        ({"prior": Lp(exponent=3.0)}, r"exponent must be .*<= 2"),
        ({"prior": "kl", "solver": "homotopy"}, r"solver must be"),
        ({"transfer": "softmax"}, r"X must have rows that sum to 1"),
    ],
)
def test_what_does_not_fit_is_named(make, settings, words):
    with pytest.raises(ValueError, match=words):
        make(**settings).fit(digits()[0], target_of(make))


def test_exponents_below_one_code_but_do_not_learn_with_labels():
    X, y = digits(60)
    model = unsupervised(prior=Lp(0.1, 0.5), max_iter=1).fit(X)
    assert 0 < (model.transform(X) != 0).mean() < 1
    with pytest.raises(ValueError, match="exponent must be above 1"):
        classifier(prior=Lp(0.1, 0.5)).fit(X, y)


@every_estimator
def test_signals_to_transform_are_distributions_too(make):
    model = make(**SOFTMAX).fit(distributions(), target_of(make))
    with pytest.raises(ValueError, match=r"^X must have rows that sum to 1"):
        model.transform(digits()[0])


def words(n=60, m=30):
    """Sparse counts of words, one document without any, and ratings."""
    rng = np.random.default_rng(3)
    ratings = rng.normal(size=n)
    probs = np.exp(-0.1 * np.arange(m) + 0.5 * ratings[:, None] * rng.normal(size=m))
    counts = np.stack([rng.multinomial(80, row / row.sum()) for row in probs])
    return scipy.sparse.csr_matrix(counts), ratings


@pytest.mark.numpy_alone("of SciPy matrices")
def test_counts_are_normalised_by_a_step_of_a_pipeline():
    counts, ratings = words()
    model = regressor(transfer="softmax", max_iter=2)
    with pytest.raises(ValueError, match=r"sum to 1.*normalize\(X, norm='l1'\).*Normalizer"):
        model.fit(counts, ratings)
    fitted = make_pipeline(Normalizer(norm="l1"), model).fit(counts, ratings)
    assert fitted.score(counts, ratings) > 0.3
    assert isinstance(fitted[-1].prior_, KL)
    assert fitted[-1].prior_.p == 0.1
    assert fitted[-1].linear_coef_.shape == (1, counts.shape[1])
    empty = counts.multiply(np.arange(60)[:, None] > 0).tocsr()
    with pytest.warns(UserWarning, match="1 row of zeros"):
        code = fitted.transform(empty)
    np.testing.assert_array_equal(code[1:], fitted.transform(counts)[1:])
    np.testing.assert_allclose(code[0], 0.0, atol=1e-6)


def test_the_default_prior_and_head_follow_the_transfer():
    X, y = digits()[0], target_of(regressor)
    linear = regressor(max_iter=1).fit(X, y)
    assert isinstance(linear.prior_, ElasticNet)
    assert not hasattr(linear, "linear_coef_")
    with pytest.raises(ValueError, match="fit_linear must be False"):
        linear.set_params(warm_start=True, fit_linear=True).fit(X, y)
