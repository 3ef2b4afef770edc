"""Passing torch tensors to the kernels for NumPy and CuPy without copying.

Tensors are detached first: autograd does not see inside kernels.
"""

from dataclasses import dataclass
from functools import cache, wraps
from importlib.util import find_spec

from .._array import as_numpy_view, from_numpy_view, is_cupy, is_numpy, is_torch


def numpy_floats(*arrays):
    """Whether all arrays are NumPy arrays of float32 or float64."""
    return is_numpy(*arrays) and all(a.dtype.char in "fd" for a in arrays)


def numpy_float32(*arrays):
    """Whether all arrays are NumPy arrays of float32."""
    return is_numpy(*arrays) and all(a.dtype.char == "f" for a in arrays)


def cupy_floats(*arrays):
    """Whether all arrays are CuPy arrays of float32 or float64."""
    return is_cupy(*arrays) and all(a.dtype.char in "fd" for a in arrays)


def torch_host_floats(*arrays):
    """Whether all arrays are float tensors in host memory, which NumPy can share."""
    return all(_is_torch_float(a) and a.device.type == "cpu" for a in arrays)


def torch_host_float32(*arrays):
    """Whether all arrays are tensors of float32 in host memory."""
    return torch_host_floats(*arrays) and all(str(a.dtype) == "torch.float32" for a in arrays)


def torch_device_floats(*arrays):
    """Whether all arrays are float tensors on a CUDA device, and CuPy is there to share them."""
    return _has_cupy() and all(_is_torch_float(a) and a.device.type == "cuda" for a in arrays)


def unwrapped(function):
    """The function unchanged: its arrays need no conversion."""
    return function


def wrap_for_torch_host(function):
    """Wrap a NumPy function so that it takes and returns tensors in host memory."""

    @wraps(function)
    def call(*args, **kwargs):
        like = next(a for a in args if is_torch(a))
        views = {name: as_numpy_view(a) for name, a in kwargs.items()}
        result = function(*map(as_numpy_view, args), **views)
        return _convert_each(result, lambda a: from_numpy_view(a, like))

    return call


def wrap_for_torch_cuda(function):
    """Wrap a CuPy function so that it takes and returns CUDA tensors, on the stream torch uses."""

    @wraps(function)
    def call(*args, **kwargs):
        import cupy
        import torch

        def as_cupy(value):
            return cupy.from_dlpack(value.detach()) if is_torch(value) else value

        device = next(a.device for a in args if is_torch(a))
        stream = _cupy_stream(cupy, torch.cuda.current_stream(device).cuda_stream)
        with cupy.cuda.Device(device.index), stream:
            views = {name: as_cupy(a) for name, a in kwargs.items()}
            result = function(*map(as_cupy, args), **views)
            return _convert_each(result, torch.from_dlpack)

    return call


@dataclass(frozen=True)
class _StreamProtocol:
    """A CUDA stream given by its address, through the protocol that CUDA libraries share."""

    address: int

    def __cuda_stream__(self):
        return 0, self.address  # the version of the protocol, and the stream


def _cupy_stream(cupy, address):
    """CuPy stream object for the CUDA stream at an address."""
    if address == 0:
        return cupy.cuda.Stream.null
    if hasattr(cupy.cuda.Stream, "from_external"):  # CuPy 14, where ExternalStream warns
        return cupy.cuda.Stream.from_external(_StreamProtocol(address))
    return cupy.cuda.ExternalStream(address)


def _is_torch_float(array):
    """Whether an array is a tensor of float32 or float64."""
    return is_torch(array) and str(array.dtype) in ("torch.float32", "torch.float64")


@cache
def _has_cupy():
    """Whether CuPy is installed."""
    return find_spec("cupy") is not None


def _convert_each(result, convert):
    """The result of a kernel, an array or a tuple of arrays, with each array converted."""
    return tuple(map(convert, result)) if isinstance(result, tuple) else convert(result)
