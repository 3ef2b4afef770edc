"""`warm_up`: compiled functions for all workers of a cluster, once for each machine."""

import os
import socket
from pathlib import Path
from typing import Any

from ..kernels import warm_up as kernels
from . import _cluster


def warm_up(dtypes: Any = kernels.DTYPES, *, verbose: int = 0) -> dict[str, float]:
    """Compile all kernels for the workers of the active cluster, once for each machine.

    A machine compiles in as many processes as its workers have threads, for all workers that keep
    compiled functions in the same folder (`NUMBA_CACHE_DIR`). Machines compile at the same time.
    Workers that start later find the functions there. Without a cluster, this is
    :func:`skdict_sup.warm_up` in this process.

    Parameters
    ----------
    dtypes : {"float32", "float64"} or sequence of them, default=("float32", "float64")
        Dtypes of the signals, as for :func:`skdict_sup.warm_up`.
    verbose : int, default=0
        1 prints a line for each folder.

    Returns
    -------
    dict of str to float
        Seconds of compilation by machine and folder, added over its processes; a few where all
        functions were there already.

    Raises
    ------
    ValueError
        If a dtype is neither float32 nor float64.
    RuntimeError
        If a process fails, with what it has printed.

    Examples
    --------
    >>> from dask.distributed import Client
    >>> from skdict_sup import parallel
    >>> client = Client("tcp://scheduler:8786")  # doctest: +SKIP
    >>> seconds = parallel.warm_up("float32")  # doctest: +SKIP
    """
    client = _cluster.active_client()
    if client is None:
        seconds = {cache_place(): _compile(dtypes, None)}
    else:
        groups, threads = {}, client.nthreads()
        for worker, place in sorted(client.run(cache_place).items()):
            groups.setdefault(place, []).append(worker)
        begun = {}
        for place, workers in groups.items():
            # any worker may take over from a lost one: that it compiles in vain does no harm
            where = {"workers": workers, "allow_other_workers": True, "pure": False}
            n_jobs = sum(threads.get(worker, 1) for worker in workers)
            begun[place] = client.submit(_compile, dtypes, n_jobs, **where)
        seconds = {place: future.result() for place, future in begun.items()}
    if verbose:
        for place, spent in seconds.items():
            print(f"{place}: {spent:.1f} s", flush=True)
    return seconds


def cache_place():
    """Machine of this process, and the folder in which it looks for compiled functions first."""
    folder = os.environ.get("NUMBA_CACHE_DIR") or Path(__file__).parents[1]
    return f"{socket.gethostname()}: {folder}"


def _compile(dtypes, n_jobs):
    """Seconds in which this process has compiled all kernels, by further processes."""
    return float(sum(kernels.warm_up(dtypes, n_jobs=n_jobs).values()))
