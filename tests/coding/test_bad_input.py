"""Bad input: the message names the parameter, what was given and what is expected."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from skdict_sup import ElasticNet, code_vjp, encode, lam_max

X = np.array([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]])
D = np.eye(4, 3)
CODE = np.zeros((2, 4))
NAN = np.array([[1.0, 2.0, 3.0], [0.0, np.nan, 1.0]])
INFINITE = np.array([[1.0, 2.0, np.inf], [0.0, 1.0, 1.0]])


def call_encode(**changed):
    arguments = {"X": X, "dictionary": D, "prior": ElasticNet(lam=0.1), **changed}
    return encode(arguments.pop("X"), arguments.pop("dictionary"), **arguments)


def call_lam_max(**changed):
    arguments = {"X": X, "dictionary": D, **changed}
    return lam_max(arguments.pop("X"), arguments.pop("dictionary"), **arguments)


def call_code_vjp(**changed):
    arguments = {"X": X, "dictionary": D, "code": CODE, "cotangent": CODE, **changed}
    positional = [arguments.pop(name) for name in ("X", "dictionary", "code", "cotangent")]
    return code_vjp(*positional, **{"prior": ElasticNet(lam=0.1), **arguments})


@dataclass(frozen=True)
class Bad:
    """A bad value of a parameter, the kind of error, and the words that the message must have."""

    name: str
    value: Any
    error: type
    words: tuple

    def __str__(self):
        return f"{self.name}-{' '.join(self.words)}"


MATRICES = [
    Bad("{}", NAN, ValueError, ("must be finite", "NaN", "in 1 row", "row 1", "missing values")),
    Bad("{}", INFINITE, ValueError, ("must be finite", "infinity", "row 0")),
    Bad("{}", X[0], ValueError, ("2-dimensional", "(3,)", "[None, :]")),
    Bad("{}", X[None], ValueError, ("2-dimensional", "(1, 2, 3)")),
    Bad("{}", np.zeros((0, 3)), ValueError, ("at least one row", "(0, 3)")),
    Bad("{}", np.zeros((2, 0)), ValueError, ("one column", "(2, 0)")),
    Bad("{}", X.astype(object), TypeError, ("real numbers", "object")),
    Bad("{}", X.astype(str), TypeError, ("real numbers", "<U")),
    Bad("{}", X.astype(complex), TypeError, ("real numbers", "complex128")),
    Bad("{}", [[1.0, 2.0], [1.0]], ValueError, ("2-dimensional", "rows")),
    Bad("{}", None, TypeError, ("real numbers", "object")),
]
SPARSE = Bad("{}", scipy.sparse.csr_matrix(X), TypeError, ("dense", "csr_matrix", "toarray()"))
for_all_matrices = [
    (call, Bad(name, bad.value, bad.error, bad.words))
    for call, names in (
        (call_encode, ("X", "dictionary")),
        (call_lam_max, ("X", "dictionary")),
        (call_code_vjp, ("X", "dictionary", "cotangent")),
    )
    for name in names
    for bad in MATRICES
]
for_dense_matrices = [
    (call, Bad(name, SPARSE.value, SPARSE.error, SPARSE.words))
    for call, names in (
        (call_encode, ("dictionary",)),
        (call_lam_max, ("dictionary",)),
        (call_code_vjp, ("dictionary", "cotangent")),
    )
    for name in names
]
OTHERS = [
    (call_encode, Bad("dictionary", np.eye(4), ValueError, ("(4, 4)", "X with 3 features"))),
    (call_lam_max, Bad("dictionary", np.eye(4), ValueError, ("(4, 4)", "X with 3 features"))),
    (call_encode, Bad("prior", "lasso", ValueError, ("elastic_net", "'lasso'"))),
    (call_encode, Bad("prior", 0.1, TypeError, ("elastic_net", "ElasticNet(lam=0.1)", "float"))),
    (call_encode, Bad("prior", ElasticNet, TypeError, ("ElasticNet(lam=0.1)", "class"))),
    (call_encode, Bad("transfer", "relu", ValueError, ("linear", "'relu'"))),
    (call_encode, Bad("transfer", None, ValueError, ("linear", "None"))),
    (call_encode, Bad("solver", "lars", ValueError, ("homotopy", "fista", "'lars'"))),
    (call_encode, Bad("output", "csr", ValueError, ("dense", "sparse", "'csr'"))),
    (call_encode, Bad("verbose", "x", TypeError, ("an integer >= 0", "'x'"))),
    (call_encode, Bad("tol", 0.0, ValueError, ("> 0", "or None", "0.0"))),
    (call_encode, Bad("tol", "small", TypeError, ("a number", "'small'", "str"))),
    (call_encode, Bad("max_iter", 0, ValueError, (">= 1", "or None", "0"))),
    (call_encode, Bad("max_iter", 1.5, TypeError, ("an integer", "1.5", "float"))),
    (call_encode, Bad("max_iter", True, TypeError, ("an integer", "True", "bool"))),
    (call_encode, Bad("n_jobs", 0, ValueError, ("or None", "0"))),
    (call_encode, Bad("n_jobs", 1.5, TypeError, ("an integer", "1.5", "float"))),
    (call_encode, Bad("n_jobs", "all", TypeError, ("an integer", "'all'", "str"))),
    (call_encode, Bad("init", CODE[:1], ValueError, ("(n_samples, n_components)", "(2, 4)"))),
    (call_encode, Bad("init", CODE * np.nan, ValueError, ("must be finite", "NaN"))),
    (
        call_encode,
        Bad("init", scipy.sparse.csr_matrix(CODE[:1]), ValueError, ("(2, 4)", "(1, 4)")),
    ),
    (
        call_encode,
        Bad("init", scipy.sparse.csr_matrix(CODE + np.nan), ValueError, ("must be finite", "NaN")),
    ),
    (call_code_vjp, Bad("code", CODE[:1], ValueError, ("(n_samples, n_components)", "(1, 4)"))),
    (call_code_vjp, Bad("code", CODE * np.nan, ValueError, ("must be finite", "NaN"))),
    (call_code_vjp, Bad("code", scipy.sparse.csr_matrix(X), ValueError, ("(2, 4)", "(2, 3)"))),
    (
        call_code_vjp,
        Bad("code", scipy.sparse.csr_matrix(CODE + np.inf), ValueError, ("must be finite",)),
    ),
    (call_code_vjp, Bad("cotangent", X, ValueError, ("(n_samples, n_components)", "(2, 3)"))),
]


@pytest.mark.parametrize(
    ("call", "bad"),
    [*for_all_matrices, *for_dense_matrices, *OTHERS],
    ids=lambda value: str(getattr(value, "__name__", value)),
)
def test_the_message_names_parameter_given_and_expected(call, bad):
    with pytest.raises(bad.error, match=rf"^{bad.name}\b.* must ") as caught:
        call(**{bad.name: bad.value})
    for word in bad.words:
        assert re.search(re.escape(word), str(caught.value)), word


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"lam": -0.1}, ValueError, ("lam must be", ">= 0", "'auto'", "-0.1")),
        ({"lam": np.nan}, ValueError, ("lam must be", "nan")),
        ({"lam": np.inf}, ValueError, ("lam must be", "inf")),
        ({"lam": "large"}, TypeError, ("lam must be", "'auto'", "'large'", "str")),
        ({"lam": None}, TypeError, ("lam must be", "'auto'", "None")),
        ({"lam": True}, TypeError, ("lam must be", "a number", "True", "bool")),
        ({"lam": np.array([0.1, 0.2])}, ValueError, ("lam must have one entry", "2", "4 atoms")),
        ({"lam2": -1e-9}, ValueError, ("lam2 must be", ">= 0", "-1e-09")),
        ({"lam2": "auto"}, TypeError, ("lam2 must be", "'auto'", "str")),
        ({"positive": 1}, TypeError, ("positive must be", "True or False", "1")),
    ],
)
@pytest.mark.parametrize("call", [call_encode, call_lam_max, call_code_vjp])
def test_bad_hyper_parameters_are_named(call, settings, error, words):
    prior = ElasticNet(**settings)  # a constructor checks nothing, as in scikit-learn
    with pytest.raises(error) as caught:
        call(prior=prior)
    for word in words:
        assert word in str(caught.value), word


def test_arrays_of_two_libraries_are_refused_with_both_named(xp):
    if xp.module == "numpy":
        pytest.skip("NumPy is what the other libraries are mixed with")
    mine = {name: xp.asarray(a) for name, a in (("X", X), ("dictionary", D), ("code", CODE))}
    for name in ("X", "dictionary"):
        arguments = {"X": X, "dictionary": D, name: mine[name]}
        with pytest.raises(
            ValueError, match=r"^dictionary is an array of .*, but X is an array of"
        ) as caught:
            call_encode(**arguments)
        assert xp.module in str(caught.value)
        assert "numpy" in str(caught.value)
        assert "move one of them" in str(caught.value)
        with pytest.raises(ValueError, match=r"^dictionary is an array of"):
            call_lam_max(**arguments)
    with pytest.raises(ValueError, match=r"^init is an array of"):
        call_encode(init=mine["code"])
    with pytest.raises(ValueError, match=r"^cotangent is an array of"):
        call_code_vjp(cotangent=mine["code"])
    with pytest.raises(ValueError, match=r"^code is an array of"):
        call_code_vjp(code=mine["code"])


@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_other_libraries_convert_no_integers_silently(xp, dtype):
    if xp.module == "numpy":
        pytest.skip("integers of NumPy are read as numbers")
    with pytest.raises(TypeError, match=r"^X must hold float32 or float64 values, got dtype .*"):
        call_encode(X=xp.asarray(np.ones((2, 3)), dtype=dtype), dictionary=xp.asarray(D))


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "bool", "float16"])
def test_numbers_of_numpy_are_read_as_float64(dtype):
    numbers = np.array([[1, 0, 1], [0, 1, 1]]).astype(dtype)
    found = call_encode(X=numbers).code
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, call_encode(X=numbers.astype(float)).code)


def test_half_floats_of_torch_are_refused():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(TypeError, match=r"^X must hold float32 or float64 values, got dtype .*16"):
        call_encode(X=torch.ones((2, 3), dtype=torch.float16), dictionary=torch.ones((4, 3)))
