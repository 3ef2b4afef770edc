"""Arrays of one library passed to the compiled kernels of another, without copies.

Tensors are detached first: autograd does not see inside kernels.
"""

from dataclasses import dataclass
from functools import cache, wraps
from importlib.util import find_spec

from .._array import as_numpy_view, from_numpy_view, is_cupy, is_numpy, is_torch


def numpy_floats(*arrays):
    """NumPy arrays of a floating dtype that the compilers know."""
    return is_numpy(*arrays) and all(a.dtype.char in "fd" for a in arrays)


def cupy_floats(*arrays):
    """CuPy arrays of a floating dtype that the kernels have templates for."""
    return is_cupy(*arrays) and all(a.dtype.char in "fd" for a in arrays)


def torch_host_floats(*arrays):
    """Torch tensors in host memory, which NumPy can share."""
    return all(_torch_floats(a) and a.device.type == "cpu" for a in arrays)


def torch_device_floats(*arrays):
    """Torch tensors on a CUDA device, which CuPy can share where it is installed."""
    return _has_cupy() and all(_torch_floats(a) and a.device.type == "cuda" for a in arrays)


def itself(function):
    """A kernel for arrays of its own library."""
    return function


def numpy_from_torch(function):
    """A NumPy kernel for tensors in host memory."""

    @wraps(function)
    def call(*args, **kwargs):
        like = next(a for a in args if is_torch(a))
        shared = {name: as_numpy_view(a) for name, a in kwargs.items()}
        result = function(*map(as_numpy_view, args), **shared)
        return _each(result, lambda a: from_numpy_view(a, like))

    return call


def cupy_from_torch(function):
    """A CuPy kernel for tensors on a CUDA device, in the order of torch's stream."""

    @wraps(function)
    def call(*args, **kwargs):
        import cupy
        import torch

        def as_cupy(value):
            return cupy.from_dlpack(value.detach()) if is_torch(value) else value

        device = next(a.device for a in args if is_torch(a))
        stream = _cupy_stream(cupy, torch.cuda.current_stream(device).cuda_stream)
        with cupy.cuda.Device(device.index), stream:
            shared = {name: as_cupy(a) for name, a in kwargs.items()}
            result = function(*map(as_cupy, args), **shared)
            return _each(result, torch.from_dlpack)

    return call


@dataclass(frozen=True)
class _Stream:
    """A stream by its address, in the form that CUDA libraries exchange."""

    address: int

    def __cuda_stream__(self):
        return 0, self.address  # version of the protocol, and the stream


def _cupy_stream(cupy, address):
    """CuPy's view of another library's stream."""
    if address == 0:
        return cupy.cuda.Stream.null
    if hasattr(cupy.cuda.Stream, "from_external"):  # CuPy 14, where ExternalStream warns
        return cupy.cuda.Stream.from_external(_Stream(address))
    return cupy.cuda.ExternalStream(address)


def _torch_floats(array):
    return is_torch(array) and str(array.dtype) in ("torch.float32", "torch.float64")


@cache
def _has_cupy():
    return find_spec("cupy") is not None


def _each(result, convert):
    return tuple(map(convert, result)) if isinstance(result, tuple) else convert(result)
