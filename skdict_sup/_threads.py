"""Slices of the batch, and the pool of threads that works on them."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from numbers import Integral

from threadpoolctl import ThreadpoolController

_pools = {}


class _Guard:
    """How many callers hold BLAS at one thread, and what to restore when the last one leaves."""

    def __init__(self):
        self.lock, self.holders, self.limits = threading.Lock(), 0, None


_guard = _Guard()


def _after_fork():
    """A forked child has neither the pools' threads nor the other holders."""
    _pools.clear()
    if _guard.holders:
        _guard.limits.restore_original_limits()
    _guard.__init__()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@cache
def _controller():
    return ThreadpoolController()


def effective_n_jobs(n_jobs):
    """Number of threads that `n_jobs` stands for.

    None follows the limit that threadpoolctl reports for BLAS, so that one setting
    (an environment variable, `threadpool_limits`, a joblib worker's share) rules both.
    """
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral | None):
        kind = type(n_jobs).__name__
        raise TypeError(f"n_jobs must be an integer or None, got {n_jobs!r} of type {kind}.")
    if n_jobs == 0:
        raise ValueError("n_jobs must be above zero, negative (-1 for all cores) or None, got 0.")
    available = os.cpu_count() or 1
    if n_jobs is None:
        with _guard.lock:
            if _guard.holders:
                limits = [_guard.limits.get_original_num_threads()["blas"]]
            else:
                controllers = _controller().lib_controllers
                limits = [lib.num_threads for lib in controllers if lib.user_api == "blas"]
        return max(1, min([available, *filter(None, limits)]))
    if n_jobs < 0:
        return max(1, available + 1 + n_jobs)
    return n_jobs


@contextmanager
def one_blas_thread():
    """Hold BLAS at one thread: many small products run on our threads, and BLAS's only wait.

    scikit-learn does the same in its own loops. Callers in several threads share one limit, which
    the last of them lifts.
    """
    with _guard.lock:
        if _guard.holders == 0:
            _guard.limits = _controller().limit(limits=1, user_api="blas")
        _guard.holders += 1
    try:
        yield
    finally:
        with _guard.lock:
            _guard.holders -= 1
            if _guard.holders == 0:
                _guard.limits.restore_original_limits()


def slices(n_rows, size, first=0):
    """Consecutive slices of at most `size` rows that cover `n_rows` from row `first` on."""
    stop = first + n_rows
    return [slice(start, min(start + size, stop)) for start in range(first, stop, size)]


def map_threads(function, items, n_jobs):
    """Apply `function` to every item, on `n_jobs` threads, results in the items' order."""
    if n_jobs == 1 or len(items) <= 1:
        return [function(item) for item in items]
    pool = _pools.get(n_jobs)
    if pool is None:
        pool = _pools.setdefault(n_jobs, ThreadPoolExecutor(n_jobs, "skdict_sup"))
    return list(pool.map(function, items))
