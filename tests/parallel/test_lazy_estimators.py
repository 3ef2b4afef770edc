"""Lazy results of fitted estimators: the bits of their methods, from a model without training."""

import pickle
from itertools import pairwise

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lazy import Counted, assert_bits, blocks, dense, of_unknown_sizes, parts
from learners import classifier, coder, digits, heights, regressor, unsupervised
from scipy import sparse
from scipy.sparse import csr_matrix
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skdict_sup import ElasticNet, LISTAEncoder, parallel
from skdict_sup.parallel import _blocks

X, Y = digits(60)
N, M = X.shape
PRIOR = ElasticNet(lam=0.3)
NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
MISSING = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
MODELS = {
    "coder": coder(prior=PRIOR).fit(X),
    "unfitted": coder(prior=PRIOR),
    "auto": coder(),
    "split": coder(prior=PRIOR, split_sign=True),
    "limited": coder(max_nonzeros=2),
    "softmax": coder(prior="kl", transfer="softmax").fit(X / X.sum(axis=1, keepdims=True)),
    "sparse": coder(prior=PRIOR, output="sparse").fit(X),
    "unsupervised": unsupervised().fit(X),
    "classifier": classifier().fit(X, Y),
    "words": classifier(split_sign=True).fit(X, NAMES[Y]),
    "binary": classifier().fit(X, Y > 4),
    "margin": classifier(loss="squared_hinge", multi_class="ovr").fit(X, Y),
    "bilinear": classifier(head="bilinear", n_projected=20).fit(X, Y),
    "regressor": regressor().fit(X, heights(X)[:, 0]),
    "outputs": regressor().fit(X, heights(X)),
    "lista": LISTAEncoder(coder().dictionary, n_layers=2, max_iter=1, random_state=0).fit(X),
    "lista_classes": LISTAEncoder(
        coder().dictionary, n_layers=2, max_iter=1, random_state=0, loss="softmax"
    ).fit(X, Y),
    "pipeline": make_pipeline(Normalizer(), unsupervised()).fit(X),
}
METHODS = "transform", "predict", "predict_proba", "decision_function", "inverse_transform"
CASES = [(n, m) for n, model in MODELS.items() for m in METHODS if hasattr(model, m)]
ROUNDED = "lista", "lista_classes", "bilinear"  # transform by products of matrices
every_case = pytest.mark.parametrize(("name", "method"), CASES)


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def by_blocks(method, array, rows):
    """Results for the blocks, in memory."""
    ends = np.cumsum([0, *rows])
    found = [method(array[a:b]) for a, b in pairwise(ends) if b > a]
    return sparse.vstack(found) if sparse.issparse(found[0]) else np.concatenate(found)


def input_of(name, method):
    """Signals, or codes for reconstructions."""
    if method != "inverse_transform":
        return X / X.sum(axis=1, keepdims=True) if name == "softmax" else X
    width = MODELS[name].get_feature_names_out().size
    return np.maximum(np.random.default_rng(0).standard_normal((N, width)), 0)


@every_case
@settings(max_examples=3)
@given(rows=parts(N), csr=st.booleans(), wide=st.booleans())
def test_results_have_the_bits_of_the_method(name, method, rows, csr, wide):
    model, given_X = MODELS[name], input_of(name, method)
    given_X = given_X.astype(np.float64 if wide else np.float32)
    there = csr_matrix(given_X) if csr else given_X
    expected = whole = getattr(model, method)(there)
    if method != "transform" or name in ROUNDED:  # products round by the number of rows
        expected = by_blocks(getattr(model, method), there, rows)
    found = getattr(parallel, method)(model, blocks(given_X, rows, csr=csr))
    assert found.chunks == (rows, *((n,) for n in expected.shape[1:]))
    assert found.dtype == expected.dtype
    assert type(found._meta) is type(expected)
    computed = found.compute()
    assert_bits(computed, expected)
    if whole.dtype.kind == "f":
        np.testing.assert_allclose(dense(computed), dense(whole), rtol=1e-4, atol=1e-4)


@every_case
def test_methods_pass_dask_arrays_on(name, method):
    model, given_X = MODELS[name], input_of(name, method)
    if name == "pipeline":
        pytest.skip("its steps are not of this package")
    rows = (20, 0, 40)
    lazy = getattr(model, method)(of_unknown_sizes(given_X, rows))
    model = coder().fit(given_X[:20]) if name == "auto" and method == "transform" else model
    assert_bits(lazy.compute(), by_blocks(getattr(model, method), given_X, rows))


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("auto", "limited")])
def test_building_computes_nothing(name):
    signals = Counted(input_of(name, "transform"), (20, 40))
    lazy = parallel.transform(MODELS[name], signals.array)
    assert not signals.seen
    lazy[25:].compute()
    assert signals.seen == [1]


def test_missing_entries_are_marked_by_nan():
    model = coder(prior=PRIOR, allow_nan=True)
    lazy = parallel.transform(model, blocks(MISSING, (20, 0, 40)))
    assert_bits(lazy.compute(), model.transform(MISSING))


def test_results_are_arrays_whatever_set_output_says():
    model = unsupervised().set_output(transform="pandas").fit(X)
    lazy = parallel.transform(model, blocks(X, (20, 40)))
    assert_bits(lazy.compute(), model.transform(X).to_numpy())


@pytest.mark.parametrize("make", [unsupervised, classifier, regressor])
def test_the_model_in_the_graph_has_no_state_of_training(make):
    model = make(init=digits(60)[0][:6] + 0.1, n_components=6).fit(X, Y)
    sent = _blocks.Fitted("one", _blocks.without_training(model), "transform")
    size, arrays = len(pickle.dumps(sent)), sum(array.nbytes for array in sent.arrays)
    assert size < arrays + 4000
    assert arrays <= model.components_.nbytes + 2000
    assert dask.sizeof.sizeof(sent) >= model.components_.nbytes
    assert model._training is not None  # the estimator keeps its own
    assert model.init is not None


@pytest.mark.parametrize("call", ["encode", "certificate", "transform"])
def test_the_model_is_one_node_of_the_graph(call):
    lazy = blocks(X, (1,) * N)
    if call == "transform":
        found = parallel.transform(MODELS["unsupervised"], lazy)
    else:
        found = parallel.encode(lazy, coder().dictionary, certificate=call == "certificate")
        found = found if call == "encode" else found.code
    graph = dict(found.dask)
    models = [k for k in graph if "encode-" in str(k) or "transform-" in str(k)]
    assert len(models) == 1
    assert len(pickle.dumps(graph[models[0]])) < 30_000
    block = next(v for k, v in graph.items() if isinstance(k, tuple) and k[0] == found.name)
    assert len(pickle.dumps(block)) < 3000


def test_log_probabilities_are_lazy():
    model = MODELS["classifier"]
    lazy = model.predict_log_proba(blocks(X, (20, 40)))
    assert isinstance(lazy, da.Array)
    np.testing.assert_allclose(lazy.compute(), model.predict_log_proba(X))


@pytest.mark.parametrize("fit", ["fit", "partial_fit", "fit_transform"])
@pytest.mark.parametrize("name", ["unsupervised", "classifier", "regressor", "unfitted"])
def test_fits_refuse_dask_arrays_before_they_compute(name, fit):
    if not hasattr(MODELS[name], fit):
        pytest.skip("it has no such fit")
    signals = Counted(X, (20, 40))
    with pytest.raises(TypeError, match=r"got a lazy .*parallel\.fit"):
        getattr(MODELS[name], fit)(signals.array, Y)
    assert not signals.seen


def test_a_number_of_layers_is_refused_with_dask_arrays():
    with pytest.raises(TypeError, match=r"transform takes a dask array and no other.*got \[1\]"):
        MODELS["lista"].transform(blocks(X, (60,)), 1)


def test_widths_are_compared_at_once():
    lazy = blocks(X[:, :9], (60,))
    with pytest.raises(ValueError, match="dictionary must have one column per feature"):
        parallel.transform(MODELS["unfitted"], lazy)
    for name, message in (("classifier", "X has 9 features"), ("coder", "X has 9 features")):
        with pytest.raises(ValueError, match=message):
            parallel.transform(MODELS[name], lazy)


def test_methods_that_do_not_exist_are_named_at_once():
    lazy = blocks(X, (60,))
    with pytest.raises(AttributeError, match="predict"):
        parallel.predict(MODELS["unsupervised"], lazy)
    with pytest.raises(AttributeError, match="no attribute 'predict_proba'"):
        parallel.predict_proba(MODELS["margin"], lazy)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        parallel.predict(classifier(), lazy)
