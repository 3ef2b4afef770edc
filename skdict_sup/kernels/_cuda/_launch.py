"""CUDA source as functions: compiled by CuPy at the first call, once for each device."""

from functools import cache
from pathlib import Path

import cupy
import numpy as np

FOLDER = Path(__file__).parent
WARP = 32
_TYPES = {"f": "float", "d": "double"}
_BUDGET = 2**30  # bytes of work space
_WARPS = 16  # for each processor of the device: more of them share too little cache


@cache
def _module(name):
    return cupy.RawModule(
        code=(FOLDER / f"{name}.cu").read_text(),
        options=("-std=c++17", f"-I{FOLDER}"),
        name_expressions=tuple(f"{name}<{kind}>" for kind in _TYPES.values()),
    )


def launch(name, dtype, blocks, threads, arguments):
    """Run a kernel: Python numbers become what it declares, None a null pointer."""
    number = dtype.type
    kinds = {bool: np.int32, int: np.int32, float: number, type(None): lambda _: np.intp(0)}
    passed = tuple(kinds.get(type(a), lambda a: a)(a) for a in arguments)
    _module(name).get_function(f"{name}<{_TYPES[dtype.char]}>")((blocks,), (threads,), passed)


def n_teams(n_signals, size, dtype, warps=1):
    """Teams of some warps that run at once, with this many numbers of work space for each."""
    at_once = cupy.cuda.Device().attributes["MultiProcessorCount"] * _WARPS // warps
    return max(1, min(n_signals, at_once, _BUDGET // (max(1, size) * dtype.itemsize)))
