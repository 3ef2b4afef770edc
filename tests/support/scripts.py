"""Import of the scripts in asv_benchmarks, and of what stands beside them."""

import importlib
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "asv_benchmarks"
needs_scripts = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="no asv_benchmarks beside the tests"
)


@contextmanager
def imported_paper(name):
    """Module of a script of a paper; it and what it imports there are forgotten afterwards."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER / "papers")
        yield importlib.import_module(name)
        for other in set(sys.modules) - before:
            if str(FOLDER) in (getattr(sys.modules[other], "__file__", None) or ""):
                del sys.modules[other]
