"""Compilation of all kernels ahead of their first use, in several processes."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import numpy as np

from .._threads import effective_n_jobs
from .._validation import check_option
from ._registry import REGISTRY
from ._samples import sample_calls

# kernels that call the same functions, which one process then compiles once
_ON_PATHS = (
    *("elastic_net_codes", "weighted_elastic_net_codes", "elastic_net_path"),
    *("elastic_net_until", "matching_pursuit_codes"),
)
DTYPES = "float32", "float64"


def warm_up(
    dtypes: Any = DTYPES, *, n_jobs: int | None = None, verbose: int = 0
) -> dict[str, float]:
    """Compile all kernels for arrays in host memory, and keep them on disk.

    Each is otherwise compiled at its first call, which takes seconds, and read from disk in later
    processes. Call this once where a package is installed: in the image of a container, on a
    cluster before its workers start, or in a notebook. ``python -m skdict_sup warm-up`` does the
    same. Compiled functions lie in the folder of the environment variable ``NUMBA_CACHE_DIR``, or
    beside the source files if these can be written to; they are for this kind of processor.

    Parameters
    ----------
    dtypes : {"float32", "float64"} or sequence of them, default=("float32", "float64")
        Dtypes of the arrays. Some codes of float32 signals are computed again in float64.
    n_jobs : int or None, default=None
        Processes that compile at the same time; None takes as many as threadpoolctl grants to
        BLAS.
    verbose : int, default=0
        1 prints a line for each of the processes.

    Returns
    -------
    dict of str to float
        Seconds by dtype and kernels; a few where all were on disk already.

    Raises
    ------
    ValueError
        If a dtype is neither float32 nor float64.
    RuntimeError
        If a process fails, with what it has printed.

    Examples
    --------
    >>> from skdict_sup import warm_up
    >>> seconds = warm_up("float64")  # doctest: +SKIP
    """
    dtypes = [dtypes] if isinstance(dtypes, str | type | np.dtype) else list(dtypes)
    names = [_name_of(dtype) for dtype in dtypes]
    return compile_all(names, n_jobs, verbose, compile_kernels, {})


def compile_all(dtypes, n_jobs, verbose, function, environment):
    """Compile all kernels in processes, which have further environment variables.

    `function` is what they call with a dtype and names of kernels. Returns the seconds of each by
    dtype and kernels.
    """
    jobs, seconds = [(name, group) for group in _groups() for name in dtypes], {}

    def run(job):
        dtype, group = job
        start = time.perf_counter()
        _run(function, dtype, group, environment)
        key = f"{dtype}: {', '.join(group)}"
        seconds[key] = time.perf_counter() - start
        if verbose:
            print(f"  {seconds[key]:.1f} s for {key}", flush=True)

    with ThreadPoolExecutor(effective_n_jobs(n_jobs)) as pool:
        list(pool.map(run, jobs))
    return seconds


def _name_of(dtype):
    """Name of a dtype."""
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    check_option(name, "dtypes", set(DTYPES))
    return name


def _groups():
    """Groups of kernels that one process compiles."""
    names = dict.fromkeys(version.kernel for version in REGISTRY if version.backend == "numba")
    return _ON_PATHS, tuple(name for name in names if name not in _ON_PATHS)


def _run(function, dtype, group, environment):
    """Compile kernels in a process of their own."""
    paths = os.pathsep.join(path or os.curdir for path in sys.path)
    module, name = function.__module__, function.__name__
    code = f"from {module} import {name}; {name}({dtype!r}, {list(group)!r})"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        lines = found.stderr.strip().splitlines() or [f"exit code {found.returncode}"]
        raise RuntimeError(f"{', '.join(group)} cannot be compiled for {dtype}: {lines[-1]}")


def compile_kernels(dtype, names):
    """Compile kernels for arrays of a dtype by a small call of each."""
    kernels, calls = import_module(str(__package__)), sample_calls(dtype)
    for name in names:
        call = getattr(kernels, name)
        for arguments in calls.get(name, ()):  # some kernels have no version for float64
            call(*arguments)
