"""What does not change codes: threads, slices, memory layout, order, units, signs."""

import numpy as np
import pytest
from problems import solvers_for, unit_atoms

from skdict_sup import KL, ElasticNet, Lp, encode, lam_max
from skdict_sup._array import rows_times
from skdict_sup._threads import one_blas_thread

CROSSED = ("encode", "lam_max")

every_solver = pytest.mark.parametrize("solver", solvers_for(ElasticNet()))


@pytest.fixture(name="batch")
def _batch():
    """300 signals over 12 atoms: several slices of the batch, and unique codes."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 8)), unit_atoms(rng, 12, 8)


PRIOR = ElasticNet(lam=0.2, lam2=0.01)


PRIORS = [ElasticNet(0.3), KL(0.02, 0.01), KL(0.02, 0.01, True), Lp(0.1, 1.5), Lp(0.1, 0.9)]


# --- the same answer whatever the memory, the threads and the slices --------------------------


@every_solver
@pytest.mark.parametrize("output", ["dense", "sparse"])
def test_threads_do_not_change_a_bit(batch, solver, output):
    results = [
        encode(*batch, prior=PRIOR, solver=solver, output=output, n_jobs=n_jobs)
        for n_jobs in (1, 2, 5, -1, None)
    ]
    for result in results[1:]:
        assert (result.code != results[0].code).sum() == 0
        np.testing.assert_array_equal(result.duality_gap, results[0].duality_gap)
        np.testing.assert_array_equal(result.n_iter, results[0].n_iter)


def test_coding_in_pieces_gives_the_same_codes(batch):
    X, D = batch
    whole = encode(X, D, prior=PRIOR).code
    for size in (1, 7, 128):
        pieces = [encode(X[i : i + size], D, prior=PRIOR).code for i in range(0, len(X), size)]
        np.testing.assert_allclose(np.vstack(pieces), whole, rtol=1e-10, atol=1e-12)


@pytest.mark.numpy_alone("bit for bit, a promise for NumPy")
# some of the extreme signals cannot be certified; they are there for what is beside them
@pytest.mark.filterwarnings("ignore::skdict_sup._validation.ConvergenceWarning")
@pytest.mark.parametrize("size", [1e-13, 1e13, 1e-30, 1e30])
@pytest.mark.parametrize("prior", PRIORS, ids=str)
def test_float32_signals_of_extreme_sizes_change_nothing_for_others(prior, size):
    rng = np.random.default_rng(0)
    X, D = rng.standard_normal((9, 8)), rng.standard_normal((12, 8))
    X[[2, 5]] *= size
    X, D = X.astype(np.float32), D.astype(np.float32)
    together = encode(X, D, prior=prior)
    for row in range(len(X)):
        alone = encode(X[row : row + 1], D, prior=prior)
        for name, part in alone.arrays().items():
            np.testing.assert_array_equal(part[0], getattr(together, name)[row], err_msg=name)


@pytest.mark.numpy_alone("bit for bit, a promise for NumPy")
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)
@pytest.mark.parametrize(("p", "m"), [(70, 150), (300, 97)])
def test_a_code_depends_on_its_signal_alone(p, m, dtype):
    # large enough for the products of matrices to round their last rows in another way
    rng = np.random.default_rng(1)
    D, X = unit_atoms(rng, p, m).astype(dtype), rng.normal(size=(700, m)).astype(dtype)
    whole = encode(X, D, prior=ElasticNet(lam=1.5), n_jobs=2)
    for first, last in ((0, 1), (3, 10), (100, 149), (0, 481), (219, 700)):
        part = encode(X[first:last], D, prior=ElasticNet(lam=1.5), n_jobs=1)
        np.testing.assert_array_equal(part.code, whole.code[first:last])
        np.testing.assert_array_equal(part.duality_gap, whole.duality_gap[first:last])


@one_blas_thread()
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)
@pytest.mark.parametrize(
    "shape", [(3, 2), (64, 100), (200, 104), (200, 105), (97, 300), (300, 300)]
)
def test_a_row_of_a_product_depends_on_nothing_but_that_row(shape, dtype, order):
    rng = np.random.default_rng(0)
    X, matrix = (rng.normal(size=size).astype(dtype) for size in ((700, shape[0]), shape))
    X = np.asarray(X, order=order)
    whole = rows_times(X, matrix)
    np.testing.assert_allclose(whole, X @ matrix, rtol=1e-4, atol=1e-4)
    for first, last in ((0, 0), (0, 1), (3, 10), (100, 149), (48, 96), (0, 480), (219, 700)):
        np.testing.assert_array_equal(rows_times(X[first:last], matrix), whole[first:last])


def test_more_signals_than_are_held_at_once():
    rng = np.random.default_rng(2)
    X, D = rng.normal(size=(9000, 3)), np.eye(3)
    solution = encode(X, D, prior=ElasticNet(lam=0.5))
    expected = np.sign(X) * np.maximum(np.abs(X) - 0.5, 0)
    np.testing.assert_allclose(solution.code, expected, atol=1e-14)
    assert solution.converged.shape == (9000,)


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@every_solver
@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        _read_only,
        lambda a: np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
        lambda a: a.astype(">f8"),
    ],
    ids=["fortran", "read_only", "strided", "negative_strides", "big_endian"],
)
def test_memory_layout_does_not_matter(batch, solver, layout):
    X, D = batch[0][:60], batch[1]
    expected = encode(X, D, prior=PRIOR, solver=solver)
    found = encode(
        layout(X), layout(D), prior=PRIOR, solver=solver, init=layout(np.zeros((60, 12)))
    )
    np.testing.assert_allclose(found.code, expected.code, atol=1e-5)
    exact = encode(layout(X), layout(D), prior=PRIOR).code
    np.testing.assert_allclose(exact, encode(X, D, prior=PRIOR).code, rtol=1e-10, atol=1e-12)


@every_solver
def test_inputs_are_left_alone(batch, solver):
    X, D = batch
    init = np.ones((len(X), len(D)))
    before = X.copy(), D.copy(), init.copy()
    encode(X, D, prior=PRIOR, solver=solver, init=init)
    for array, copy in zip((X, D, init), before, strict=True):
        np.testing.assert_array_equal(array, copy)


# --- symmetries ------------------------------------------------------------------------------


@every_solver
@pytest.mark.parametrize("c", [2.0**-30, 2.0**30])
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda t: t.__name__)
def test_scaling_signals_and_lam_scales_the_codes(batch, solver, c, dtype):
    # by a power of two, which floats carry along without rounding
    X, D = (a[:60].astype(dtype) for a in batch)
    plain = encode(X, D, prior=PRIOR, solver=solver)
    scaled = encode(c * X, D, prior=ElasticNet(c * PRIOR.lam, PRIOR.lam2), solver=solver)
    np.testing.assert_array_equal(scaled.code, c * plain.code)
    np.testing.assert_array_equal(scaled.duality_gap, plain.duality_gap)


@every_solver
def test_the_order_of_atoms_and_signals_does_not_matter(batch, solver):
    X, D = batch
    rng = np.random.default_rng(3)
    rows, atoms = rng.permutation(len(X)), rng.permutation(len(D))
    plain = encode(X, D, prior=PRIOR, solver=solver, tol=1e-12)
    moved = encode(X[rows], D[atoms], prior=PRIOR, solver=solver, tol=1e-12)
    np.testing.assert_allclose(moved.code, plain.code[np.ix_(rows, atoms)], atol=1e-5)


@every_solver
def test_turning_an_atom_turns_its_entry(batch, solver):
    X, D = batch
    signs = np.where(np.arange(len(D)) % 2, 1.0, -1.0)
    plain = encode(X, D, prior=PRIOR, solver=solver)
    turned = encode(X, signs[:, None] * D, prior=PRIOR, solver=solver)
    np.testing.assert_allclose(turned.code, signs * plain.code, atol=1e-5)


@pytest.mark.parametrize("c", [1.0, 255.0, 1e-3])
def test_automatic_lam_is_free_of_scale(batch, c):
    X, D = batch
    median = np.median(np.abs(X @ D.T).max(axis=1))
    expected = encode(c * X, D, prior=ElasticNet(lam=0.2 * c * median)).code
    found = encode(c * X, D).code
    # with an even number of signals the median is one of the two in the middle
    np.testing.assert_allclose(found / c, expected / c, atol=0.01 * median)
    np.testing.assert_allclose(found / c, encode(X, D).code, atol=1e-10)


@pytest.mark.parametrize("make", [ElasticNet, lambda lam: KL(lam, p=0.1)], ids=["l1", "kl"])
@pytest.mark.parametrize("text", ["0.25*lam_max", " 2.5e-1 * lam_max"])
def test_lam_may_be_a_multiple_of_lam_max(make, text):
    rng = np.random.default_rng(0)
    X, D = rng.normal(size=(9, 6)), unit_atoms(rng, 4, 6)
    # the median over an odd number of signals is that of one of them
    lam = 0.25 * float(np.median(lam_max(X, D)))
    found, expected = encode(X, D, prior=make(text)), encode(X, D, prior=make(lam))
    np.testing.assert_allclose(found.code, expected.code, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("text", ["lam_max", "half*lam_max", "-0.1*lam_max", "nan*lam_max"])
def test_bad_multiples_of_lam_max(text):
    with pytest.raises((TypeError, ValueError), match=r"lam must be .*'0\.1\*lam_max'"):
        encode(np.eye(2), np.eye(2), prior=ElasticNet(text))


def test_automatic_lam_ignores_zero_signals(batch):
    X, D = batch
    with_zeros = np.vstack([X, np.zeros_like(X)])
    np.testing.assert_array_equal(encode(with_zeros, D).code[: len(X)], encode(X, D).code)
    assert not encode(np.zeros((3, 8)), D).code.any()


def test_automatic_lam_leaves_the_prior_as_it_was(batch):
    prior = ElasticNet()
    encode(*batch, prior=prior)
    assert prior.lam == "auto"
    assert lam_max(*batch, prior=prior).shape == (300,)
