"""Fixtures shared by all tests: the matrix of array libraries, and the profiles of hypothesis."""

import importlib
import os
import zlib
from dataclasses import dataclass

import numpy as np
import pytest
from crossed import THROUGH, holders, through, versions_for
from hypothesis import Phase, settings

from skdict_sup import kernels, warm_up
from skdict_sup._array import to_numpy

settings.register_profile("default", max_examples=25, deadline=None, derandomize=True)
settings.register_profile("ci", max_examples=50, deadline=None, print_blob=True)
settings.register_profile("thorough", max_examples=1000, deadline=None)
# through other libraries examples take long, and making a failing one small takes hours
FOUND = (Phase.explicit, Phase.reuse, Phase.generate)
settings.register_profile("few", max_examples=3, deadline=None, derandomize=True, phases=FOUND)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@dataclass(frozen=True)
class Library:
    """One array library, as the tests see it: how to make its arrays, and how to read them."""

    name: str
    module: str
    writeable: bool = True
    device: str | None = None  # where its arrays are made; None is its default

    @property
    def home(self):
        """Library and device, in the form that `to_device` takes."""
        return self.module if self.device is None else f"{self.module}:{self.device}"

    @property
    def namespace(self):
        return importlib.import_module(self.module)

    def asarray(self, array, dtype=None):
        """An array of this library with the values of a NumPy array; None stays None."""
        if array is None:
            return None
        there = {} if self.device is None else {"device": self.device}
        made = self.namespace.asarray(np.array(array, dtype=dtype), **there)
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
    Library("torch_cuda", "torch", device="cuda:0"),
)
ON_A_GPU = ("cupy", "torch_cuda")


def _require(library):
    """Skip, with the reason, where a library or its device is missing."""
    module = pytest.importorskip(library.module, reason=f"{library.module} is not installed")
    if library.name in ON_A_GPU and not _cuda_devices(module):
        pytest.skip(f"{library.module} finds no CUDA device")


def _cuda_devices(module):
    if module.__name__ == "torch":
        return module.cuda.device_count()
    try:
        return module.cuda.runtime.getDeviceCount()
    except module.cuda.runtime.CUDARuntimeError:
        return 0


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(lib, id=lib.name, marks=[pytest.mark.gpu] if lib.name in ON_A_GPU else [])
        for lib in LIBRARIES
    ],
)
def xp(request):
    """Every array library in turn, the strictest one and a read-only NumPy among them."""
    _require(request.param)
    return request.param


def pytest_addoption(parser):
    parser.addoption(
        "--through",
        choices=THROUGH,
        help="run the numerical tests alone, with arrays of this library in place of NumPy's",
    )


def pytest_configure(config):
    config.option.randomly_reset_seed = False  # the order is by chance, what tests draw is not
    if config.getoption("--through") and "HYPOTHESIS_PROFILE" not in os.environ:
        settings.load_profile("few")
    if config.getoption("numprocesses", None) and not config.option.collectonly:
        warm_up()  # or else each process of the tests compiles the same kernels


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--through"):
        return
    kept, others = [], []
    for item in items:
        crossed = getattr(getattr(item, "module", None), "CROSSED", ())
        alone = item.get_closest_marker("numpy_alone") or "xp" in item.fixturenames
        (kept if crossed and not alone else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = kept


@pytest.fixture(autouse=True)
def _seeded(request):
    """One seed for each test, for estimators whose random_state is None."""
    np.random.seed(zlib.crc32(request.node.nodeid.encode()))  # noqa: NPY002 - what they draw from


@pytest.fixture(autouse=True)
def _through(request, monkeypatch):
    """Functions of `CROSSED`, called with arrays of another library, in whatever holds them."""
    name = request.config.getoption("--through")
    if not name:
        return
    library = next(lib for lib in LIBRARIES if lib.name == name)
    _require(library)
    crossed = {getattr(request.module, attribute) for attribute in request.module.CROSSED}
    if name == "array_api_strict" and any(isinstance(one, type) for one in crossed):
        for kernel in (getattr(kernels, each) for each in kernels.__all__):
            monkeypatch.setattr(kernel, "versions", versions_for(library, kernel))
    for function in crossed:
        for module, attribute in holders(function):
            monkeypatch.setattr(module, attribute, through(library, function))
