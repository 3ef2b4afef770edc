"""Signals in host memory whose batches are made on a device, when they are asked for."""

from importlib import import_module

import numpy as np

from ._array import dense, device_of, namespace
from ._threads import slices

_ROWS = 65_536  # of a product


class Staged:
    """Signals that become arrays of a device row by row, as sparse ones become dense.

    What is asked of sparse signals is asked of these: rows, `toarray` for a batch, and `data`, an
    array that says where batches live.
    """

    tocsr = None  # a mark: rows become arrays by `toarray`

    def __init__(self, host, data):
        self.host, self.data = host, data
        self.shape, self.dtype, self.ndim = host.shape, data.dtype, 2

    def __getitem__(self, key):
        """Rows, and all their columns."""
        rows = key[0] if isinstance(key, tuple) else key
        return Staged(self.host[rows], self.data)

    def __matmul__(self, matrix):
        """Product, made there slice by slice."""
        parts = [self[part].toarray() @ matrix for part in slices(self.shape[0], _ROWS)]
        return namespace(self.data).concat(parts, axis=0)

    def toarray(self):
        """All rows as one array of the device."""
        values = np.array(dense(self.host), dtype=str(self.dtype).split(".")[-1])
        return namespace(self.data).asarray(values, device=device_of(self.data))


def staged(X, device):
    """Signals of NumPy or SciPy, staged for a device such as "cupy" or "torch:cuda:0"."""
    if not isinstance(device, str):
        raise TypeError(f"device must be None or the name of an array library, got {device!r}.")
    library, home = located(device, "device")
    zeros = namespace(library.zeros(1)).zeros
    return Staged(X, zeros(0, dtype=getattr(library, X.dtype.name), **home))


def located(name, parameter):
    """Array library of a name such as "cupy" or "torch:cuda:0", and keywords for its device."""
    module, _, place = name.partition(":")
    try:
        library = import_module(module)
        home = {"device": _device(library, place)} if place else {}
        library.zeros(1, **home)
    except (ImportError, AttributeError, RuntimeError, ValueError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{parameter} must be an array library, with the name of a device after a colon where "
            f"it is not the default one, such as 'torch:cuda' or 'cupy', got {name!r}: {reason}"
        ) from None
    return library, home


def _device(library, place):
    """Device of a library by its name; numbers are those of CUDA devices."""
    if place.isdigit():
        return library.cuda.Device(int(place))
    return getattr(library, "Device", str)(place)
