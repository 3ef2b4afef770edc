"""Sparse signals: the same codes and the same models as of dense ones, in less memory."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse
from learners import (
    EVERY,
    assert_same,
    classifier,
    coder,
    digits,
    learned,
    outputs,
    target_of,
    unsupervised,
)
from problems import solvers_for, unit_atoms

from skdict_sup import KL, ElasticNet, Lp, SparseCoder, code_vjp, encode, lam_max
from skdict_sup._array import to_numpy

KINDS = (
    scipy.sparse.csr_matrix,
    scipy.sparse.csr_array,
    scipy.sparse.csc_matrix,
    scipy.sparse.coo_array,
)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
every_prior = pytest.mark.parametrize(
    "prior", [ElasticNet(0.2), KL(0.1, 0.05), KL("auto"), Lp(0.2)], ids=repr
)


def draw(seed=0, n=300, p=12, m=20, share=0.3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, m)) * (rng.random((n, m)) < share)
    X[5] = 0.0  # a row that stores nothing
    return X, unit_atoms(rng, p, m)


@every_kind
@every_prior
def test_codes_are_those_of_dense_signals(kind, prior):
    X, D = draw()
    dense, sparse = encode(X, D, prior=prior), encode(kind(X), D, prior=prior)
    assert isinstance(sparse.code, np.ndarray)
    # what is "auto" comes from products that round in another way
    atol = 1e-7 if prior.lam == "auto" else 0.0
    np.testing.assert_allclose(sparse.code, dense.code, rtol=0, atol=atol)
    np.testing.assert_allclose(sparse.objective, dense.objective, rtol=0, atol=atol)
    both = encode(kind(X), D, prior=prior, output="sparse", n_jobs=2).code
    np.testing.assert_array_equal(both.toarray(), sparse.code)


@pytest.mark.parametrize("solver", solvers_for(ElasticNet()))
def test_every_solver_takes_them(solver):
    X, D = draw()
    dense, sparse = (
        encode(a, D, prior=ElasticNet(0.2), solver=solver) for a in (X, scipy.sparse.csr_matrix(X))
    )
    np.testing.assert_array_equal(sparse.code, dense.code)


def test_dtypes_are_those_of_dense_signals():
    X, D = draw()
    for dtype, expected in (("float32", "float32"), ("float64", "float64"), ("int16", "float64")):
        found = encode(scipy.sparse.csr_matrix(X.astype(dtype)), D, prior=ElasticNet(0.2)).code
        assert found.dtype == expected
        dense = encode(X.astype(dtype), D, prior=ElasticNet(0.2)).code
        np.testing.assert_array_equal(found, dense)


def test_repeated_and_unsorted_entries_are_summed():
    X = scipy.sparse.csr_matrix(
        (np.array([1.0, 2.0, 0.5]), np.array([2, 0, 2]), np.array([0, 3])), shape=(1, 3)
    )
    assert not X.has_canonical_format
    code = encode(X, np.eye(3), prior=ElasticNet(0.1)).code
    np.testing.assert_allclose(code, [[1.9, 0.0, 1.4]])
    assert X.nnz == 3  # the matrix of the user is left alone


@every_kind
@every_prior
def test_gradients_are_those_of_dense_signals(kind, prior):
    X, D = draw(n=40)
    if prior.lam == "auto":
        prior = KL(0.3, 0.1)
    code = encode(X, D, prior=prior).code
    cotangent = np.random.default_rng(1).normal(size=code.shape)
    dense, sparse = (code_vjp(a, D, code, cotangent, prior=prior) for a in (X, kind(X)))
    np.testing.assert_array_equal(sparse.dictionary, dense.dictionary)
    np.testing.assert_array_equal(sparse.X, dense.X)
    np.testing.assert_array_equal(sparse.prior.lam, dense.prior.lam)


@every_kind
def test_lam_max_is_that_of_dense_signals(kind):
    X, D = draw()
    np.testing.assert_allclose(lam_max(kind(X), D), lam_max(X, D), rtol=1e-12)


# --- estimators ------------------------------------------------------------------------------


def sparse_digits():
    X = np.where(digits()[0] < 0.3, 0.0, digits()[0])
    return X, scipy.sparse.csr_matrix(X)


@pytest.mark.parametrize("prior", ["elastic_net", "kl", Lp()], ids=str)
@pytest.mark.parametrize("make", EVERY)
def test_estimators_learn_the_same(make, prior):
    dense, sparse = sparse_digits()
    y = target_of(make)
    expected, found = make(prior=prior).fit(dense, y), make(prior=prior).fit(sparse, y)
    assert_same(learned(found), learned(expected), rtol=1e-6, atol=1e-9)
    assert_same(outputs(found, sparse), outputs(expected, dense), rtol=1e-6, atol=1e-8)
    assert_same(outputs(found, sparse), outputs(found, dense), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", [m for m in EVERY if m is not coder])
@pytest.mark.parametrize("init", ["data", "svd", "kmeans"])
def test_every_first_dictionary_and_partial_fit(make, init):
    dense, sparse = sparse_digits()
    y = target_of(make)
    parts = [slice(0, 64), slice(64, 160)]
    models = [make(init=init) for _ in range(2)]
    for rows in parts:
        for model, X in zip(models, (dense, sparse), strict=True):
            model.partial_fit(X[rows], *(() if make is unsupervised else (y[rows],)))
    assert_same(learned(models[1]), learned(models[0]), rtol=1e-6, atol=1e-9)


def test_validation_and_weights_of_a_classifier():
    dense, sparse = sparse_digits()
    y, weight = target_of(classifier), np.random.default_rng(0).integers(1, 3, 160)
    options = {"early_stopping": True, "class_weight": "balanced"}
    expected, found = (
        classifier(**options).fit(X, y, sample_weight=weight) for X in (dense, sparse)
    )
    np.testing.assert_allclose(found.components_, expected.components_, rtol=1e-6, atol=1e-9)
    assert found.score(sparse, y) == expected.score(dense, y)


@pytest.mark.parametrize("device", [None, "array_api_strict:device1"])
@pytest.mark.parametrize("formulation", [{"multi_class": "ovr"}, {"head": "bilinear"}], ids=str)
def test_formulations_predict_the_same(formulation, device):
    dense, sparse = (X[:60] for X in sparse_digits())
    y = target_of(classifier)[:60] % 3
    expected = classifier(**formulation).fit(dense, y).predict_proba(dense)
    found = classifier(**formulation, device=device).fit(sparse, y).predict_proba(sparse)
    np.testing.assert_allclose(to_numpy(found), expected, rtol=1e-6, atol=1e-9)


# --- memory, and what is refused -------------------------------------------------------------


def test_signals_never_exist_densely_as_a_whole():
    X = scipy.sparse.random(20_000, 1000, density=1e-3, format="csr", random_state=0)
    D = unit_atoms(np.random.default_rng(0), 8, 1000)
    prior = ElasticNet(float(np.quantile(lam_max(X[:500].toarray(), D), 0.9)))
    model = SparseCoder(D, prior=prior, output="sparse", n_jobs=1).fit(X[:100])
    model.transform(X[:100])  # compile first
    tracemalloc.start()
    encode(X, D, prior=prior, output="sparse", n_jobs=1)
    model.transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.3 * X.shape[0] * X.shape[1] * 8


BAD = scipy.sparse.csr_matrix(np.array([[1.0, np.nan, 0.0], [0.0, 1.0, 2.0]]))


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (BAD, ValueError, "X must be finite"),
        (scipy.sparse.csr_matrix((0, 3)), ValueError, "X must .*at least one row.*0, 3"),
        (BAD.astype(complex), TypeError, "X must hold real numbers.*complex"),
        (scipy.sparse.csr_matrix(np.eye(2)), ValueError, "dictionary must .*X with 2 features"),
        (scipy.sparse.coo_array(np.ones(3)), ValueError, "X must have two dimension"),
    ],
)
@pytest.mark.parametrize("call", [encode, lam_max])
def test_bad_sparse_signals_are_named(call, X, error, words):
    with pytest.raises(error, match=rf"^{words}"):
        call(X, np.eye(4, 3), prior=ElasticNet(0.1))


def test_sparse_signals_go_with_numpy_alone():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(
        ValueError, match=r"^dictionary is an array of .*torch.*X is an array of .*numpy"
    ):
        encode(scipy.sparse.eye(3, format="csr"), torch.eye(3, dtype=torch.float64))
