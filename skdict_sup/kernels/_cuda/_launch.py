"""Launching CUDA kernels from source files, which CuPy compiles at the first call."""

from functools import cache
from pathlib import Path

import cupy
import numpy as np

FOLDER = Path(__file__).parent
WARP = 32
_TYPES = {"f": "float", "d": "double"}
_MAX_WORKSPACE_BYTES = 2**30
_WARPS_PER_MULTIPROCESSOR = 16  # with more, the cache is too small for their work spaces


@cache
def _module(name):
    """CuPy module of a source file, with its templates for both dtypes."""
    return cupy.RawModule(
        code=(FOLDER / f"{name}.cu").read_text(),
        options=("-std=c++17", f"-I{FOLDER}"),
        name_expressions=tuple(f"{name}<{kind}>" for kind in _TYPES.values()),
    )


def _null(_):
    """Null pointer."""
    return np.intp(0)


def launch(name, dtype, blocks, threads, arguments):
    """Run a CUDA kernel: Python numbers are converted to its types, None to a null pointer."""
    converters = {bool: np.int32, int: np.int32, float: dtype.type, type(None): _null}
    converted = tuple(converters.get(type(a), lambda a: a)(a) for a in arguments)
    _module(name).get_function(f"{name}<{_TYPES[dtype.char]}>")((blocks,), (threads,), converted)


def n_teams(n_signals, workspace_size, dtype, warps=1):
    """Number of teams to launch, of `warps` warps and `workspace_size` numbers each."""
    n_processors = cupy.cuda.Device().attributes["MultiProcessorCount"]
    max_resident = n_processors * _WARPS_PER_MULTIPROCESSOR // warps
    bytes_per_team = max(1, workspace_size) * dtype.itemsize
    return max(1, min(n_signals, max_resident, _MAX_WORKSPACE_BYTES // bytes_per_team))
