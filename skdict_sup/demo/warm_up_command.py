"""Command line of the compilation of all kernels ahead of their use."""

import argparse
import time

from ..kernels.warm_up import DTYPES, warm_up
from ._running import DataError, exit_code


def parser():
    """Parser of the command-line options."""
    options = argparse.ArgumentParser(
        prog="python -m skdict_sup warm-up",
        description="Compile all functions and keep them on disk, so that no later process waits "
        "for them: for images of containers, clusters and notebooks. They are kept in the folder "
        "of the environment variable NUMBA_CACHE_DIR, or beside the source files if these can be "
        "written to, and are for this kind of processor.",
    )
    options.add_argument("--dtype", choices=DTYPES, help="default: both")
    options.add_argument(
        "--jobs", type=int, metavar="N", help="processes at a time; default: as many as cores"
    )
    return options


def main(arguments=None):
    """Compile and return the exit code; `exit_code` says what it means."""
    options = parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options):
    start = time.perf_counter()
    dtypes = [options.dtype] if options.dtype else DTYPES
    try:
        warm_up(dtypes, n_jobs=options.jobs, verbose=1)
    except (ValueError, RuntimeError) as error:
        raise DataError(error) from None
    print(f"all compiled functions are on disk after {time.perf_counter() - start:.1f} s")
