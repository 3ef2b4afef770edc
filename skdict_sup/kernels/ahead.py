"""Compilation of all kernels for levels of processors, for the package skdict_sup_kernels."""

import shutil
import tempfile
from pathlib import Path

from .warm_up import DTYPES, compile_all, compile_kernels


def compile_levels(folder, names=None, dtypes=DTYPES, n_jobs=None, verbose=0):
    """Compile all kernels for levels of processors, into folders of the names of these.

    Parameters
    ----------
    folder : path
        Folder of the package.
    names : sequence of str or None
        Levels; None stands for all of the architecture of this machine.
    dtypes, n_jobs, verbose
        As for `warm_up`.

    Returns
    -------
    list of str
        The levels.

    Raises
    ------
    ValueError
        If a name is not that of a level of the architecture.
    RuntimeError
        If a process fails, with what it has printed.
    """
    from ._numba._prebuilt import levels

    known = dict(levels())
    names = list(known) if names is None else list(names)
    unknown = sorted(set(names).difference(known))
    if unknown:
        raise ValueError(f"names must be among {list(known)}, got {unknown}.")
    for name in names:
        with tempfile.TemporaryDirectory() as cache:
            target = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": known[name]}
            environment = {**target, "NUMBA_CACHE_DIR": cache}
            compile_all(dtypes, n_jobs, verbose, compile_anew, environment)
            (Path(folder) / name).mkdir(parents=True, exist_ok=True)
            for path in Path(cache).rglob("*.nb[ci]"):
                shutil.copy(path, Path(folder) / name)
    return names


def compile_anew(dtype, names):
    """Compile kernels, though an installed package may have their machine code."""
    from ._numba import _prebuilt

    _prebuilt.ignore_package()
    compile_kernels(dtype, names)
