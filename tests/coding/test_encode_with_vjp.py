"""`encode_with_vjp`: the codes of `encode` and the gradients of `code_vjp`, from one set-up."""

import numpy as np
import pytest
import scipy.sparse
from problems import unit_atoms

from skdict_sup import KL, ElasticNet, Lp, code_vjp, encode, encode_with_vjp
from skdict_sup._atoms import Atoms

PRIORS = ElasticNet(0.2, 0.05), ElasticNet(0.1, 0.0, positive=True), KL(0.1, 0.05), Lp(0.1, 1.5)
every_prior = pytest.mark.parametrize("prior", PRIORS, ids=str)


def arrays(n=7, p=9, m=6):
    rng = np.random.default_rng(0)
    X, D = rng.dirichlet(np.ones(m), n), unit_atoms(rng, p, m)
    return X, D, rng.normal(size=(n, p))


def numbers(gradients):
    return [gradients.dictionary, gradients.X, *vars(gradients.prior).values()]


@every_prior
@pytest.mark.parametrize("transfer", ["linear", "softmax"])
def test_both_directions_are_those_of_the_functions(prior, transfer):
    X, D, cotangent = arrays()
    terms = {"prior": prior, "transfer": transfer}
    solution, vjp = encode_with_vjp(X, D, **terms)
    expected = encode(X, D, **terms)
    for name, part in expected.arrays().items():
        np.testing.assert_array_equal(getattr(solution, name), part)
    for factor in (1.0, -2.0):  # a function may be called again
        found = vjp(factor * cotangent)
        gradients = code_vjp(X, D, solution.code, factor * cotangent, **terms)
        for mine, other in zip(numbers(found), numbers(gradients), strict=True):
            np.testing.assert_array_equal(mine, other)


@every_prior
def test_every_library_gets_its_own_arrays(xp, prior):
    X, D, cotangent = arrays()
    expected = numbers(encode_with_vjp(X, D, prior=prior)[1](cotangent))
    solution, vjp = encode_with_vjp(xp.asarray(X), xp.asarray(D), prior=prior)
    assert all(xp.is_mine(part) for part in solution.arrays().values())
    found = numbers(vjp(xp.asarray(cotangent)))
    assert xp.name.startswith("numpy") or all(xp.is_mine(part) for part in found)
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(xp.to_numpy(mine), other, rtol=1e-6, atol=1e-8)


def test_codes_that_are_changed_afterwards_change_no_gradient():
    X, D, _ = arrays()
    prior = ElasticNet(0.2, 0.05)
    solution, vjp = encode_with_vjp(X, D, prior=prior)
    expected = code_vjp(X, D, solution.code, solution.code - 1.0, prior=prior)
    cotangent = solution.code
    cotangent -= 1.0
    np.testing.assert_array_equal(vjp(cotangent).dictionary, expected.dictionary)


def test_signals_may_be_sparse_and_their_gradient_is_dense():
    X, D, cotangent = arrays()
    prior = ElasticNet(0.2, 0.05)
    _, vjp = encode_with_vjp(scipy.sparse.csr_matrix(X), D, prior=prior)
    expected = encode_with_vjp(X, D, prior=prior)[1](cotangent)
    np.testing.assert_allclose(vjp(cotangent).X, expected.X, rtol=1e-12, atol=1e-14)


def test_the_gram_matrix_is_computed_once(monkeypatch):
    computed = []
    gram = Atoms._make_gram

    def counted(atoms, n_jobs):
        computed.append(atoms)
        return gram(atoms, n_jobs)

    monkeypatch.setattr(Atoms, "_make_gram", counted)
    X, D, cotangent = arrays()
    _, vjp = encode_with_vjp(X, D, prior=ElasticNet(0.2))
    vjp(cotangent)
    vjp(cotangent)
    assert len(computed) == 1


@pytest.mark.parametrize(
    ("cotangent", "message"),
    [
        (np.ones((7, 8)), r"cotangent .*\(7, 8\)"),
        (np.full((7, 9), np.nan), "cotangent must be finite"),
        (np.ones((7, 9), dtype=object), "cotangent"),
    ],
    ids=["shape", "nan", "objects"],
)
def test_gradients_that_do_not_fit_are_refused(cotangent, message):
    X, D, _ = arrays()
    _, vjp = encode_with_vjp(X, D, prior=ElasticNet(0.2))
    with pytest.raises((ValueError, TypeError), match=message):
        vjp(cotangent)


def test_what_encode_refuses_is_refused():
    X, D, _ = arrays()
    with pytest.raises(ValueError, match="X must be finite"):
        encode_with_vjp(np.full_like(X, np.nan), D)
    with pytest.raises(ValueError, match="solver must be"):
        encode_with_vjp(X, D, solver="none")
    with pytest.raises(ValueError, match="tol must be"):
        encode_with_vjp(X, D, tol=0.0)
