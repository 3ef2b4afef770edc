"""Division of a batch into slices for threads, with progress reports."""

import time
from dataclasses import dataclass

from .._array import ROWS, is_numpy, on_host
from .._threads import effective_n_jobs, map_threads, slices

_MIN_ENTRIES = 2**16  # minimum entries in a slice, to amortise its fixed cost for small signals
_LEAST_ROWS = 2 * ROWS  # the same where batches are divided for the sake of threads
_MIN_ROWS = 10 * ROWS  # enough for fast matrix products, few enough for the caches
_REPORT_ROWS = 8 * _MIN_ROWS  # minimum number of signals between two progress reports
_REPORT_SECONDS = 2.0
_MAX_ENTRIES = 2**22  # entries of one array in host memory, with several codes for each signal
_MAX_DEVICE_ROWS = 2**16
_MAX_DEVICE_ENTRIES = 2**28  # entries of one array


def default_tol(dtype_eps):
    """Default tolerance: 1e-9 in float64, 1e-5 in float32."""
    return 1e-9 if dtype_eps < 1e-10 else 1e-5


@dataclass(frozen=True)
class Plan:
    """Number of rows of a slice and between progress reports, and number of threads."""

    n_rows: int
    slice_rows: int
    report_rows: int
    n_jobs: int

    def map(self, work, verbose):
        """Apply `work` to each slice, in order; print progress if `verbose` is above 0."""
        if not verbose:
            return map_threads(work, slices(self.n_rows, self.slice_rows), self.n_jobs)
        results, progress = [], _Progress(self.n_rows)
        for part in slices(self.n_rows, self.report_rows):
            pieces = slices(part.stop - part.start, self.slice_rows, part.start)
            results += map_threads(work, pieces, self.n_jobs)
            progress.report(part.stop)
        return results


def plan(problem, X, n_jobs, n_codes=1):
    """Choose slices and threads for the signals X, each of which has a number of codes.

    Codes do not depend on the choice.
    """
    dictionary, n_rows = problem.dictionary, X.shape[0]
    n_jobs = effective_n_jobs(n_jobs)
    widest = max(X.shape[1], dictionary.shape[0])
    if not on_host(dictionary):
        most = _MAX_DEVICE_ENTRIES // (widest * n_codes)
        rows = max(_MIN_ROWS, min(_MAX_DEVICE_ROWS, most))
        return Plan(n_rows, rows, rows, 1)
    rows = max(_MIN_ROWS, ROWS * (_MIN_ENTRIES // (ROWS * widest)))
    if n_codes > 1:
        rows = max(ROWS, min(rows, ROWS * (_MAX_ENTRIES // (ROWS * n_codes * widest))))
    n_jobs, report = n_jobs if is_numpy(dictionary) else 1, max(_REPORT_ROWS, 4 * rows)
    n_threads = max(1, min(n_jobs, n_rows // _LEAST_ROWS))
    n_slices = n_threads * max(1, -(-n_rows // (n_threads * rows)))  # as many for each thread
    rows = max(ROWS, min(rows, ROWS * -(-n_rows // (n_slices * ROWS))))
    return Plan(n_rows, rows, report, n_jobs)


class _Progress:
    """Progress reports: at most one line every two seconds, and one at the end."""

    def __init__(self, n_rows):
        self.n_rows = n_rows
        self.start = self.last = time.perf_counter()

    def report(self, n_done):
        now = time.perf_counter()
        if now - self.last <= _REPORT_SECONDS and n_done < self.n_rows:
            return
        seconds, self.last = now - self.start, now
        throughput = n_done / max(seconds, 1e-9)
        line = (
            f"encode: {n_done}/{self.n_rows} signals, {seconds:.1f} s, {throughput:.0f} signals/s"
        )
        n_left = self.n_rows - n_done
        print(line + (f", {n_left / throughput:.0f} s left" if n_left else ""), flush=True)
