"""Arrays that are refused at the door, or warned about, since something in them would be lost."""

import numpy as np
import pytest

from skdict_sup import (
    ElasticNet,
    LISTAEncoder,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    code_vjp,
    encode,
    lam_max,
)

RNG = np.random.default_rng(0)
X, D, Y = RNG.standard_normal((8, 5)), RNG.standard_normal((3, 5)), np.arange(8) % 2
CODE = RNG.standard_normal((8, 3))
PRIOR = ElasticNet(0.1)
QUICK = {"max_iter": 1, "init_max_iter": 1, "learning_rate": 0.1}


class Lazy:
    """What all arrays of dask have; to compute it is an error."""

    shape, dtype, ndim = (8, 5), np.dtype(float), 2

    def __dask_graph__(self):
        return {}

    def __array__(self, *args, **kwargs):
        raise AssertionError("computed")

    def __len__(self):
        return 8


def masked(array):
    return np.ma.masked_array(array, mask=np.arange(array.size).reshape(array.shape) == 1)


KINDS = {
    "masked": (masked, r"without a mask, got a masked array with 1 masked entries.*\.filled\("),
    "lazy": (lambda _: Lazy(), r"in memory, got a lazy .*Lazy; use \w+\.map_blocks"),
}
FUNCTIONS = {
    "encode-X": lambda bad: encode(bad(X), D),
    "encode-dictionary": lambda bad: encode(X, bad(D)),
    "encode-init": lambda bad: encode(X, D, init=bad(CODE)),
    "lam_max-X": lambda bad: lam_max(bad(X), D),
    "code_vjp-X": lambda bad: code_vjp(bad(X), D, CODE, CODE),
    "code_vjp-code": lambda bad: code_vjp(X, D, bad(CODE), CODE),
    "code_vjp-cotangent": lambda bad: code_vjp(X, D, CODE, bad(CODE)),
    "coder-dictionary": lambda bad: SparseCoder(bad(D)).fit(X),
}
ESTIMATORS = {
    "coder": SparseCoder(D),
    "online": OnlineDictionaryLearning(3, max_iter=1),
    "lista": LISTAEncoder(D, n_layers=2, max_iter=1, loss="softmax"),
    "classifier": SupervisedDictionaryClassifier(3, **QUICK),
    "regressor": SupervisedDictionaryRegressor(3, **QUICK),
}
every_kind = pytest.mark.parametrize(("bad", "message"), KINDS.values(), ids=KINDS)


@every_kind
@pytest.mark.parametrize("call", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions_refuse(call, bad, message):
    with pytest.raises(TypeError, match=rf"^\w+ must be an array {message}"):
        call(bad)


@every_kind
@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_refuse(name, bad, message):
    model = ESTIMATORS[name]
    with pytest.raises(TypeError, match=f"^X must be an array {message}"):
        model.fit(bad(X), Y)
    model.fit(X, Y)
    for method in ("transform", "predict", "decision_function", "partial_fit"):
        if hasattr(model, method):
            with pytest.raises(TypeError, match=f"^X must be an array {message}"):
                getattr(model, method)(bad(X), *([Y] if method == "partial_fit" else []))


@every_kind
@pytest.mark.parametrize("name", ["classifier", "regressor", "lista"])
def test_targets_and_weights_are_refused(name, bad, message):
    model = ESTIMATORS[name]
    with pytest.raises(TypeError, match=f"^y must be an array {message}"):
        model.fit(X, bad(Y))
    if name != "lista":
        with pytest.raises(TypeError, match=f"^sample_weight must be an array {message}"):
            model.fit(X, Y, sample_weight=bad(np.ones(8)))


def test_arrays_of_dask_are_refused_before_anything_is_computed():
    dask = pytest.importorskip("dask.array", reason="dask is not installed")

    def never(block):
        raise AssertionError("computed")

    lazy = dask.from_array(X, chunks=4).map_blocks(never, dtype=float, meta=X[:0])
    coder = SparseCoder(D).fit(X)
    for call in (lambda: encode(lazy, D), lambda: coder.fit(lazy)):
        with pytest.raises(TypeError, match=r"map_blocks.*parallel"):
            call()
    assert coder.transform(lazy).shape == (8, 3)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "gpu"])
def test_devices_that_are_no_library_are_told_of_those_that_are(name):
    with pytest.raises(ValueError, match=r"^device must be .* 'torch:cuda' or 'cupy', got"):
        SparseCoder(D, device=name).fit(X)


# --- tensors with gradients -------------------------------------------------------------------


@pytest.mark.parametrize("names", [("X",), ("dictionary",), ("X", "dictionary")], ids=str)
def test_lost_gradients_are_told_of_once(names):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    given = {"X": torch.asarray(X), "dictionary": torch.asarray(D)}
    given |= {name: torch.nn.Parameter(given[name]) for name in names}
    with pytest.warns(UserWarning, match=rf"^{' and '.join(names)} .*code_vjp") as caught:
        code = encode(*given.values(), prior=PRIOR).code
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert not code.requires_grad
    np.testing.assert_array_equal(code.numpy(), encode(X, D, prior=PRIOR).code)


def test_no_gradients_are_missed_where_none_are_recorded():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    atoms = torch.nn.Parameter(torch.asarray(D))
    with torch.no_grad():
        encode(torch.asarray(X), atoms, prior=PRIOR)
    encode(torch.asarray(X), atoms.detach(), prior=PRIOR)
    code_vjp(torch.asarray(X), atoms, torch.asarray(CODE), torch.asarray(CODE), prior=PRIOR)
