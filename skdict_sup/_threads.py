"""Thread pools, slices of a batch, and the limit of one thread for BLAS."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from numbers import Integral
from typing import Any

from threadpoolctl import ThreadpoolController

from ._array import ignore_float_warnings

_pools = {}


class _Guard:
    """Limit of one thread for BLAS: its current users, and the limits to restore after the last.

    An interrupt at any line can be undone: a holder is registered before the limits change, the
    previous limits are saved before that, and `leave` may be called twice.
    """

    def __init__(self):
        self.lock, self.holders, self.before = threading.Lock(), set(), ()

    def enter(self, holder):
        with self.lock:
            self.holders.add(holder)
            if not self.before:
                self.before = [(library, library.num_threads) for library in _blas()]
                for library, _ in self.before:
                    library.set_num_threads(1)

    def leave(self, holder):
        with self.lock:
            self.holders.discard(holder)
            if not self.holders:
                self.restore()

    def restore(self):
        for library, n_threads in self.before:
            library.set_num_threads(n_threads)
        self.before = ()


_guard = _Guard()


def _after_fork():
    """Reset the state in a forked child, which has no threads of the pools or of other holders."""
    _pools.clear()
    _guard.restore()
    _guard.__init__()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@cache
def _controller():
    return ThreadpoolController()


def _blas():
    return [library for library in _controller().lib_controllers if library.user_api == "blas"]


@cache
def _n_cores():
    from joblib import cpu_count  # scikit-learn brings it, and most calls need no number of cores

    return cpu_count()  # only cores that the process may use; this reads files


def effective_n_jobs(n_jobs: Any) -> int:
    """Number of threads for a value of `n_jobs`.

    None means the limit that threadpoolctl reports for BLAS, so that one setting (an environment
    variable, `threadpool_limits`, the limit of a joblib worker) controls both.
    """
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral | None):
        kind = type(n_jobs).__name__
        raise TypeError(f"n_jobs must be an integer or None, got {n_jobs!r} of type {kind}.")
    if n_jobs == 0:
        raise ValueError("n_jobs must be positive, negative (-1 for all cores) or None, got 0.")
    available = _n_cores()
    if n_jobs is None:
        with _guard.lock:
            saved = [n_threads for _, n_threads in _guard.before]
            limits = saved or [library.num_threads for library in _blas()]
        return max(1, min(available, *(int(limit) for limit in limits if limit), available))
    if n_jobs < 0:
        return max(1, available + 1 + int(n_jobs))
    return int(n_jobs)


@contextmanager
def one_blas_thread():
    """Limit BLAS to one thread and silence NumPy's float warnings; context manager or decorator.

    Many small products run faster on the threads of `map_threads` than on those of BLAS;
    scikit-learn does the same in its own loops. Callers in several threads share one limit, and
    the last caller restores the previous one. See `ignore_float_warnings` for the warnings.
    """
    holder = object()
    try:
        _guard.enter(holder)
        with ignore_float_warnings():
            yield
    finally:
        try:
            _guard.leave(holder)
        except BaseException:  # an interrupt on the way out
            _guard.leave(holder)
            raise


def slices(n_rows, size, first=0):
    """Consecutive slices of at most `size` rows that cover `n_rows` rows from `first`."""
    stop = first + n_rows
    return [slice(start, min(start + size, stop)) for start in range(first, stop, size)]


def map_threads(function, items, n_jobs):
    """Apply `function` to all items on `n_jobs` threads; results are in the order of the items.

    Threads inherit the context variables of the caller, including NumPy's error handling. The
    caller's own thread takes the last of few items: waking another one takes longer.
    """
    if n_jobs == 1 or len(items) <= 1:
        return [function(item) for item in items]
    pool = _pools.get(n_jobs)
    if pool is None:
        pool = _pools.setdefault(n_jobs, ThreadPoolExecutor(n_jobs, "skdict_sup"))
    first, last = (items[:-1], items[-1:]) if len(items) <= n_jobs else (items, [])
    waiting = [pool.submit(copy_context().run, function, item) for item in first]
    try:
        own, error = [], None
        try:
            own = [function(item) for item in last]
        except Exception as caught:  # an error of an earlier item comes first
            error = caught
        results = [future.result() for future in waiting]
        if error is not None:
            raise error
        return results + own
    except BaseException:
        for future in waiting:
            future.cancel()
        raise
