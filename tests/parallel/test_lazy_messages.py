"""What lazy calls refuse and warn about: at once for parameters, with the block for signals."""

import ast
import re
import sys
import warnings
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
from lazy import Counted, blocks, of_unknown_sizes
from learners import digits, unsupervised
from problems import unit_atoms

from skdict_sup import ElasticNet, SparseCoder, parallel
from skdict_sup._validation import ConvergenceWarning

X = digits(60)[0]
N, M = X.shape
D = unit_atoms(np.random.default_rng(0), 6, M)
PRIOR = ElasticNet(lam=0.3)
LAZY = blocks(X, (20, 10, 30))
BAD = X.copy()
BAD[[22, 25], 3] = np.nan
FRAME = pytest.importorskip("pandas").DataFrame(X)
REFUSED = {
    "vector": (LAZY[0], {}, ValueError, r"X must be 2-dimensional.*got shape \(64,\)"),
    "list": (X.tolist(), {}, TypeError, "X must be a dask array or .*got list; dask.array.from_"),
    "frame": (FRAME, {}, TypeError, "X must be a dask array or .*got DataFrame; .*from_array"),
    "complex": (LAZY.astype(complex), {}, TypeError, "X must hold real numbers, got dtype compl"),
    "objects": (LAZY.astype(object), {}, TypeError, "X must hold real numbers, got dtype object"),
    "columns": (LAZY[:, LAZY[0] > 0], {}, ValueError, r"known number of columns; call X\.comp"),
    "width": (LAZY[:, :9], {}, ValueError, r"dictionary must have one column per feature"),
    "tol": (LAZY, {"tol": -1}, ValueError, "tol must be a number > 0 or None, got -1"),
    "solver": (LAZY, {"solver": "fast"}, ValueError, "solver must be one of .*got 'fast'"),
    "output": (LAZY, {"output": "csc"}, ValueError, "output must be .*got 'csc'"),
    "init": (LAZY, {"init": X}, TypeError, "parallel.encode has no parameter init"),
    "n_jobs": (LAZY, {"n_jobs": 2}, TypeError, "parallel.encode has no parameter n_jobs"),
    "unknown": (LAZY, {"lam": 2}, TypeError, "unexpected keyword argument 'lam'"),
    "mask_rows": (
        LAZY,
        {"mask": X[:9] > 0},
        ValueError,
        "mask must have one row .* 9 rows for 60",
    ),
    "mask_columns": (
        LAZY,
        {"mask": X[:, :9] > 0},
        ValueError,
        "mask must have .* 9 columns for 64",
    ),
    "bounds": (LAZY, {"max_residual": [1.0]}, ValueError, "max_residual must .*got 1 rows for 60"),
    "transfer": (LAZY, {"mask": X > 0, "transfer": "softmax"}, ValueError, "transfer"),
    "unknown_mask": (
        of_unknown_sizes(X, (20, 40)),
        {"mask": blocks(X > 0, (20, 20, 20))},
        ValueError,
        r"mask must have the row blocks of X.*X\.compute_chunk_sizes\(\)",
    ),
}


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.mark.parametrize("case", REFUSED)
def test_parameters_are_refused_at_once(case):
    signals, options, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message):
        parallel.encode(signals, D, **{"prior": PRIOR} | options)


@pytest.mark.parametrize(
    ("rows", "place"),
    [((20, 10, 30), "block 1, which begins at row 20: X"), ((30, 30), "block 0, which begins at")],
)
def test_errors_name_the_block_and_its_first_row(rows, place):
    lazy = blocks(BAD, rows)
    with pytest.raises(ValueError, match=rf"^in {place}.*2 rows, first in row {22 % rows[0]}"):
        parallel.encode(lazy, D, prior=PRIOR).compute()
    with pytest.raises(ValueError, match=f"^in {place.rstrip(': X')}.*NaN"):
        parallel.transform(unsupervised().fit(X), lazy).compute()


def test_errors_name_the_block_alone_where_sizes_are_unknown():
    lazy = parallel.encode(of_unknown_sizes(BAD, (20, 40)), D, prior=PRIOR, certificate=True)
    with pytest.raises(ValueError, match=r"^in block 1: X must be finite"):
        lazy.objective.compute()


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_a_call_warns_once(scheduler):
    for _ in range(2):
        lazy = parallel.encode(blocks(X, (1,) * N), D, max_residual=1e-3, certificate=True)
        fields = [lazy.code, lazy.objective]
        with pytest.warns(UserWarning, match="max_residual is below") as found:
            dask.compute(*fields, scheduler=scheduler)
        assert len(found) == 1
        dask.compute(*fields, scheduler=scheduler)


def test_codes_that_have_not_converged_warn_with_their_block():
    options = {"prior": PRIOR, "solver": "coordinate_descent", "max_iter": 1}
    with pytest.warns(ConvergenceWarning) as found:
        parallel.encode(LAZY, D, **options).compute()
    (warning,) = found
    said = (
        r"codes have not converged .* of block \d, which begins at row \d+; others may be concer"
    )
    assert re.search(said, str(warning.message))


def test_building_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel.encode(blocks(np.zeros_like(X), (N,)), D, transfer="softmax", prior=PRIOR)
        parallel.encode(LAZY, D, max_residual=1e-3)


def test_unfitted_coders_warn_of_zero_codes_as_fitted_ones():
    coder = SparseCoder(D, prior=ElasticNet(lam="auto"))
    signals = Counted(X, (20, 40))
    parallel.transform(coder, signals.array)
    assert sorted(signals.seen) == [0, 1]  # the sample
    assert not hasattr(coder, "components_")


def test_a_missing_dask_is_named_with_the_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(
        ImportError, match=r'needs dask: install it by pip install "skdict-sup\[pa'
    ):
        parallel.encode(X, D, prior=PRIOR)


FILES = sorted(Path(parallel.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_dask_is_imported_at_its_first_use(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = [getattr(node, "module", None) or node.names[0].name for node in imports]
    assert not {"dask", "distributed"}.intersection(name.split(".")[0] for name in modules)


def test_zeros_of_distributions_are_warned_about_where_they_are_computed():
    counts = np.zeros((6, M))
    counts[:3] = 1 / M
    lazy = parallel.encode(da.from_array(counts, chunks=(3, M)), D, prior="kl", transfer="softmax")
    lazy[:3].compute()
    with pytest.warns(UserWarning, match="zero"):
        lazy.compute()
