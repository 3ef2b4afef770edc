"""Memory maps that tasks open by themselves: pickled, they would be whole arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class MappedFile:
    """An array in a file; indexing reads a part of it, in the process that asks for it."""

    path: str
    offset: int
    shape: tuple
    dtype: Any

    @property
    def ndim(self):
        """Number of dimensions."""
        return len(self.shape)

    def __getitem__(self, index):
        """Copy of a part."""
        layout = {"offset": self.offset, "shape": self.shape}
        return np.array(np.memmap(self.path, self.dtype, "r", **layout)[index])


def by_name(array):
    """A memory map in C order as a `MappedFile`; other arrays are returned unchanged."""
    if not isinstance(array, np.memmap) or not array.flags.c_contiguous or not array.size:
        return array
    root = array
    while isinstance(root.base, np.memmap):
        root = root.base
    if root.filename is None:
        return array
    begin = root.offset + array.ctypes.data - root.ctypes.data
    return MappedFile(str(root.filename), begin, array.shape, array.dtype)
