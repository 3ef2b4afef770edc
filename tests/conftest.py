"""Fixtures shared by all tests: the matrix of array libraries, and the profiles of hypothesis."""

import importlib
import os
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import settings

from skdict_sup._array import to_numpy

settings.register_profile("default", max_examples=25, deadline=None, derandomize=True)
settings.register_profile("ci", max_examples=50, deadline=None, print_blob=True)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@dataclass(frozen=True)
class Library:
    """One array library, as the tests see it: how to make its arrays, and how to read them."""

    name: str
    module: str
    writeable: bool = True

    @property
    def namespace(self):
        return importlib.import_module(self.module)

    def asarray(self, array, dtype=None):
        """An array of this library with the values of a NumPy array; None stays None."""
        if array is None:
            return None
        made = self.namespace.asarray(np.array(array, dtype=dtype))
        if not self.writeable:
            made.flags.writeable = False
        return made

    def is_mine(self, array):
        return isinstance(array, type(self.asarray(np.zeros(1))))

    @staticmethod
    def to_numpy(array):
        return np.asarray(to_numpy(array))


LIBRARIES = (
    Library("numpy", "numpy"),
    Library("numpy_readonly", "numpy", writeable=False),
    Library("array_api_strict", "array_api_strict"),
    Library("torch", "torch"),
    Library("cupy", "cupy"),
)


def _require_cuda_device():
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"cupy finds no CUDA device: {error}")
    if not found:
        pytest.skip("cupy finds no CUDA device")


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(lib, id=lib.name, marks=[pytest.mark.gpu] if lib.name == "cupy" else [])
        for lib in LIBRARIES
    ],
)
def xp(request):
    """Every array library in turn, the strictest one and a read-only NumPy among them."""
    library = request.param
    if library.name == "cupy":
        _require_cuda_device()
    pytest.importorskip(library.module, reason=f"{library.module} is not installed")
    return library
