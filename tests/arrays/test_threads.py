"""Threads: several at once, within a limit, and after a fork."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
from problems import unit_atoms
from threadpoolctl import threadpool_info, threadpool_limits

import skdict_sup
from skdict_sup import ElasticNet, code_vjp, encode
from skdict_sup._threads import (
    _controller,
    effective_n_jobs,
    map_threads,
    one_blas_thread,
    slices,
)
from skdict_sup.supervised.heads import LinearHead

PRIOR = ElasticNet(lam=0.1, lam2=0.01)


@pytest.fixture(name="batch")
def _batch():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 8)), unit_atoms(rng, 12, 8)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_several_threads_may_call_at_once(batch, n_jobs):
    X, D = batch

    def work(seed):
        rows = np.random.default_rng(seed).permutation(len(X))
        code = encode(X[rows], D, prior=PRIOR, n_jobs=n_jobs).code
        return rows, code, code_vjp(X[rows], D, code, code, prior=PRIOR).dictionary

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(12)))
    code = encode(X, D, prior=PRIOR, n_jobs=1).code
    gradient = code_vjp(X, D, code, code, prior=PRIOR).dictionary
    for rows, found, found_gradient in results:
        np.testing.assert_allclose(found, code[rows], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(found_gradient, gradient, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_works_under_joblib(batch, backend):
    X, D = batch
    call = joblib.delayed(encode)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = joblib.Parallel()(call(X[i::4], D, prior=PRIOR) for i in range(4))
    code = encode(X, D, prior=PRIOR).code
    for i, solution in enumerate(found):
        np.testing.assert_allclose(solution.code, code[i::4], rtol=1e-10, atol=1e-12)


FORK = """
import os, sys, warnings
import numpy as np
from skdict_sup import ElasticNet, encode

rng = np.random.default_rng(0)
X, D, prior = rng.normal(size=(200, 8)), rng.normal(size=(12, 8)), ElasticNet(lam=0.5)
before = encode(X, D, prior=prior, n_jobs=2).code
with warnings.catch_warnings():
    # Python 3.12 warns of any fork once threads have run: that it works here is the point
    warnings.simplefilter("ignore", DeprecationWarning)
    child = os.fork()
if child == 0:
    status = 1
    try:
        status = 0 if (encode(X, D, prior=prior, n_jobs=2).code == before).all() else 2
    finally:
        os._exit(status)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
same = (encode(X, D, prior=prior, n_jobs=2).code == before).all()
sys.exit(status if status else not same)
"""


FORK_WITHIN = """
import os, sys, warnings
from threadpoolctl import threadpool_info
from skdict_sup._threads import _guard, one_blas_thread

def blas():
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]

import numpy as np
from skdict_sup import ElasticNet, encode

def codes():  # loads BLAS
    return encode(np.eye(3), np.eye(3), prior=ElasticNet(lam=0.5), n_jobs=2).code

codes()
before, child = blas(), None
with one_blas_thread():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
good = not _guard.holders and blas() == before and (codes() == 0.5 * np.eye(3)).all()
if child == 0:
    os._exit(0 if good else 2)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(status if status else not good)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("script", [FORK, FORK_WITHIN], ids=["after use", "within a computation"])
def test_works_in_a_child_that_was_forked(script):
    root = str(Path(skdict_sup.__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,  # a child that waits for threads it does not have would wait for ever
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("limit", [1, 2])
def test_without_n_jobs_the_limit_of_threadpoolctl_holds(limit):
    with threadpool_limits(limit, user_api="blas"):
        granted = [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]
        assert effective_n_jobs(None) == min([joblib.cpu_count(), *granted])
        assert effective_n_jobs(None) <= limit
        assert effective_n_jobs(3) == 3


def test_negative_n_jobs_count_from_all_cores():
    assert effective_n_jobs(-1) == joblib.cpu_count()
    assert effective_n_jobs(-2) == max(1, joblib.cpu_count() - 1)
    assert effective_n_jobs(-1000) == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no choice of cores here")
def test_only_the_cores_that_a_process_may_use_are_counted():
    script = (
        "import os\n"
        "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "from skdict_sup._threads import effective_n_jobs\n"
        "print(effective_n_jobs(-1), effective_n_jobs(None))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(skdict_sup.__file__).parents[1],
    )
    assert done.stdout == "1 1\n"


@pytest.mark.parametrize(("n_rows", "size"), [(0, 3), (1, 3), (3, 3), (10, 3)])
def test_slices_cover_every_row_once(n_rows, size):
    parts = slices(n_rows, size)
    rows = np.arange(n_rows)
    assert [len(rows[part]) <= size for part in parts] == [True] * len(parts)
    np.testing.assert_array_equal(np.concatenate([rows[:0], *(rows[p] for p in parts)]), rows)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_results_come_in_the_order_of_the_items_and_errors_come_out(n_jobs):
    assert map_threads(lambda i: i * i, range(50), n_jobs) == [i * i for i in range(50)]

    def fail(i):
        raise ValueError(f"item {i}")

    with pytest.raises(ValueError, match="item 0"):
        map_threads(fail, range(3), n_jobs)


def _blas_threads():
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


def test_after_an_error_no_other_item_begins():
    begun = []

    def work(item):
        begun.append(item)
        if item == 0:
            raise RuntimeError("of item 0")
        time.sleep(0.01)  # so that the error is seen before all have run

    with pytest.raises(RuntimeError, match="of item 0"):
        map_threads(work, range(100), 2)
    assert len(begun) < 100


def test_the_error_of_the_earliest_item_comes_out():
    def work(item):
        if item != 1:
            raise RuntimeError(f"of item {item}")

    for n_jobs in (1, 2, 3, 8):
        with pytest.raises(RuntimeError, match="of item 0"):
            map_threads(work, [0, 1, 2], n_jobs)


def test_blas_is_held_at_one_thread_by_all_holders_and_given_back_by_the_last():
    _controller.cache_clear()  # other tests may have loaded another BLAS since
    with threadpool_limits(2, "blas"):
        wanted = effective_n_jobs(None)
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        assert set(_blas_threads()) == {1}
        assert effective_n_jobs(None) == wanted  # the user's limit, not the one held here
        first.__exit__(None, None, None)
        assert set(_blas_threads()) == {1}
        second.__exit__(None, None, None)
        assert set(_blas_threads()) == {2}


def test_blas_is_given_back_after_an_error():
    before = _blas_threads()
    with pytest.raises(RuntimeError, match="inside"), one_blas_thread():
        raise RuntimeError("inside")
    assert _blas_threads() == before


def test_threads_see_the_error_handling_of_the_caller():
    with np.errstate(over="raise"):
        seen = map_threads(lambda _: np.geterr()["over"], range(8), 2)
    assert seen == ["raise"] * 8


def test_flags_of_the_processor_are_not_shown_to_users():
    # products of OpenBLAS set the flag of invalid operations for some finite float32 numbers; here
    # infinity times zero does
    features, coef = np.full((3, 5), np.inf, np.float32), np.zeros((1, 5), np.float32)
    parameters = {"coef": coef, "intercept": np.zeros((1, 1), np.float32)}
    with np.errstate(all="raise"):
        with one_blas_thread():
            assert np.isnan(features @ coef.T).all()
        assert np.isnan(LinearHead().scores(parameters, features, None)).all()
        assert np.geterr()["invalid"] == "raise"
