"""Machine code that the package skdict_sup_kernels brings, for levels of processors.

It was compiled from the same sources by the same versions of Python and Numba, and serves where
the folders of Numba's cache have none. A level is a set of features that many processors share.
"""

import pickle
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from numba.core.registry import cpu_target

_V2 = "+cx16,+popcnt,+sahf,+sse3,+sse4.1,+sse4.2,+ssse3"
_V3 = f"{_V2},+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+xsave"
_V4 = f"{_V3},+avx512bw,+avx512cd,+avx512dq,+avx512f,+avx512vl"
# processor and features by the beginning of LLVM's target triple, the best first
LEVELS = {
    "x86_64": (("x86-64-v4", _V4), ("x86-64-v3", _V3), ("x86-64-v2", _V2)),
    "aarch64": (("generic", "+neon"),),
    "arm64": (("apple-m1", "+neon"),),
}
PACKAGE = "skdict_sup_kernels"
_is_ignored = [False]


def levels():
    """Levels of the architecture of this machine: pairs of a processor and its features."""
    return LEVELS.get(_target()[0].split("-")[0], ())


def _target():
    """Triple, processor and features that functions are compiled for."""
    return cpu_target.target_context.codegen().magic_tuple()


def level():
    """Best level of the processor that functions are compiled for, or None."""
    features = set(_target()[2].split(","))
    fitting = (name for name, needed in levels() if features.issuperset(needed.split(",")))
    return next(fitting, None)


def ignore_package():
    """From now on, find nothing in the package, so that functions are compiled."""
    _is_ignored[0] = True


@cache
def _folder():
    """Folder with machine code for the processor, or None.

    A lower level would not do: Python code makes room for vectors of this processor.
    """
    spec, name = find_spec(PACKAGE), level()
    if spec is None or name is None:
        return None
    folders = [Path(root) / name for root in spec.submodule_search_locations or ()]
    return next((folder for folder in folders if folder.is_dir()), None)


def find(make_file, key):
    """Stored machine code for the key of a function in Numba's index, or None.

    `make_file` creates the cache file of the function in a folder.
    """
    folder = None if _is_ignored[0] else _folder()
    if folder is None:
        return None
    signature, (triple, _, _), hashes = key
    try:
        file = make_file(str(folder))
        for (other, target, other_hashes), name in file._load_index().items():
            if other == signature and target[0] == triple and other_hashes == hashes:
                return file._load_data(name)
    except (OSError, ValueError, EOFError, pickle.UnpicklingError):  # damaged
        return None
    return None
