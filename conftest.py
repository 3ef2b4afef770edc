"""Parts of the package that need an optional package: without it, their doctests are skipped."""

from pathlib import Path

import pytest

NN = Path(__file__).parent / "skdict_sup" / "nn"


class NeedsTorch(pytest.Package):
    """A package of which nothing can be imported without torch."""

    def collect(self):
        """Skip all modules if torch is missing."""
        try:
            import torch  # noqa: F401
        except ImportError:
            pytest.skip("torch is not installed")
        return super().collect()


def pytest_collect_directory(path, parent):
    """Collect the layers by the class above."""
    return NeedsTorch.from_parent(parent, path=path) if path == NN else None
