"""Rows of dask arrays by number, for tasks that need ranges of them."""

from contextlib import contextmanager

import numpy as np

from ._blocks import placed
from ._dask import compute_all, delayed_rows, known_rows, persist


class Rows:
    """Rows of an array in blocks; blocks that are needed soon are kept in memory.

    Ranges of rows become pieces: (block, first row, last row) within it. What tasks get does not
    depend on the blocks.
    """

    def __init__(self, array, name):
        known_rows(array, name)
        self.shape, self.dtype = array.shape, array.dtype
        self._edges = np.cumsum([0, *array.chunks[0]])
        self._blocks = delayed_rows(array)
        self._kept = {}

    def keep(self, ranges):
        """Begin to load the blocks of some ranges, and forget others."""
        needed = {i for start, stop in ranges for i in self._numbers(start, stop)}
        self._kept = {i: block for i, block in self._kept.items() if i in needed}
        new = sorted(needed.difference(self._kept))
        self._kept |= dict(zip(new, persist([self._blocks[i] for i in new]), strict=True))

    def pieces(self, ranges):
        """Pieces of ranges of rows, in order."""
        found = []
        for start, stop in ranges:
            for i in self._numbers(start, stop):
                low, high = self._edges[i], self._edges[i + 1]
                part = int(max(start, low) - low), int(min(stop, high) - low)
                found.append((self._kept.get(i, self._blocks[i]), *part))
        return found

    def gather(self, ranges):
        """Rows of some ranges, in the memory of this process.

        Each block is cut by a task of its own: no worker holds those of all ranges.
        """
        parts = compute_all(cut, self.pieces(ranges))
        return join([(part, 0, part.shape[0]) for part in parts])

    def _numbers(self, start, stop):
        """Numbers of the blocks with rows from start to stop."""
        first = int(np.searchsorted(self._edges, start, side="right")) - 1
        last = int(np.searchsorted(self._edges, stop, side="left"))
        sizes = np.diff(self._edges)
        return [i for i in range(first, last) if sizes[i]]


class Held:
    """Rows of an array in the memory of this process, with the methods of `Rows`."""

    def __init__(self, array):
        self.shape, self.dtype, self._array = array.shape, array.dtype, array

    def keep(self, ranges):
        """Do nothing: all rows are in memory."""

    def pieces(self, ranges):
        """Pieces of ranges of rows, in order."""
        return [(self._array[start:stop], 0, stop - start) for start, stop in ranges]

    def gather(self, ranges):
        """Rows of some ranges."""
        return join(self.pieces(ranges))


@contextmanager
def naming_rows(ranges):
    """Say in errors of what follows where the rows are from: ranges of row numbers."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise placed(error, f"the shard that begins at row {ranges[0][0]}") from error


def cut(block, start, stop):
    """Rows of a piece; a copy of them, so that the block is not kept with them."""
    part = block[start:stop]
    return part if part.shape == block.shape else part.copy()


def join(pieces):
    """Rows of pieces, as one array or CSR matrix."""
    parts = [block[start:stop] for block, start, stop in pieces]
    if len(parts) == 1:
        return parts[0]
    if hasattr(parts[0], "tocsr"):
        from scipy.sparse import vstack

        return vstack(parts, format="csr")
    return np.concatenate(parts)
