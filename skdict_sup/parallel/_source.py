"""Rows of dask arrays by number, for tasks that need ranges of them."""

from contextlib import contextmanager
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

from .._array import is_dask, is_sparse, to_numpy
from .._validation import collect_warnings
from . import _cluster
from ._blocks import placed
from ._dask import known_rows, whole_columns
from ._plan import rows_in


class Rows:
    """Rows of an array in blocks; blocks that are needed soon are kept in memory.

    Ranges of rows become pieces: (block, first row, last row) within it. What tasks get does not
    depend on the blocks.
    """

    def __init__(self, array, name):
        array = whole_columns(known_rows(array, name))
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype
        self._sizes = array.chunks[0]
        self._edges = np.cumsum([0, *self._sizes])
        self._array = array
        self._kept: dict[int, tuple[Any, Any]] = {}  # blocks that are loaded, and their homes
        self._workers: frozenset[Any] = frozenset()  # the cluster had when blocks were loaded
        self.are_loaded = self._blocks.are_loaded

    @cached_property
    def _blocks(self):
        return _cluster.Blocks(self._array)

    def keep(self, shards, places, workers):
        """Begin to load the blocks of shards, each at the first of its shards; forget others.

        Nothing is loaded ahead without a cluster, whose places are None, or if workers have it.
        Raises `LostWorkersError` if none is left of the workers that the cluster had before: Dask
        then never loads again what they had.
        """
        if self.are_loaded:
            return
        _cluster.check_left(self._workers, workers)
        self._workers = workers
        homes: dict[int, Any] = {}
        for ranges, place in zip(shards, places, strict=True):
            for number, *_ in self._parts(ranges):
                homes.setdefault(number, place)
        self._kept = {i: kept for i, kept in self._kept.items() if i in homes}
        new = [i for i, home in homes.items() if home is not None and i not in self._kept]
        loaded = _cluster.load([self._blocks[i] for i in new], [homes[i] for i in new])
        self._kept |= {i: (block, homes[i]) for i, block in zip(new, loaded, strict=True)}

    def forget(self):
        """Forget the blocks that were loaded; others are new tasks."""
        _cluster.release([block for block, _ in self._kept.values()])
        self._kept, self._workers = {}, frozenset()
        vars(self).pop("_blocks", None)

    def pieces(self, ranges, place=None):
        """Pieces of ranges of rows, in order, for a task at a place."""
        found = []
        for number, start, stop in self._parts(ranges):
            block, home = self._kept.get(number) or (self._blocks[number], place)
            if home != place and stop - start < self._edges[number + 1] - self._edges[number]:
                # only these rows are sent from there
                block, start, stop = (
                    _cluster.call_at(home, cut, block, start, stop),
                    0,
                    stop - start,
                )
            found.append((block, start, stop))
        return found

    def gather(self, ranges):
        """Rows of some ranges, in the memory of this process.

        Each block is cut by a task of its own: no worker holds those of all ranges.
        """
        tasks = [
            (self._blocks[number], [part[1:] for part in parts])
            for number, parts in groupby(self._parts(ranges), lambda part: part[0])
        ]
        parts = _cluster.compute_all(cut_all, tasks)
        return join([(part, 0, part.shape[0]) for part in parts])

    def place(self, row):
        """Words for the place of a row."""
        number = int(np.searchsorted(self._edges, row, side="right")) - 1
        return f"block {number}, which begins at row {self._edges[number]}: row {row} of X"

    def _parts(self, ranges):
        """Numbers of the blocks of ranges, each with the first and the last row within it."""
        found = []
        for start, stop in ranges:
            first = int(np.searchsorted(self._edges, start, side="right")) - 1
            last = int(np.searchsorted(self._edges, stop, side="left"))
            for i in range(first, last):
                low, high = int(self._edges[i]), int(self._edges[i + 1])
                if high > low:
                    found.append((i, max(start, low) - low, min(stop, high) - low))
        return found


class Held:
    """Rows of an array in the memory of this process, with the methods of `Rows`."""

    def __init__(self, array):
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype
        self._array = array

    def keep(self, shards, places, workers):
        """Do nothing: all rows are in memory."""

    def forget(self):
        """Do nothing: no blocks were loaded."""

    def pieces(self, ranges, place=None):
        """Pieces of ranges of rows, in order."""
        return [(self._array[start:stop], 0, stop - start) for start, stop in ranges]

    def gather(self, ranges):
        """Rows of some ranges."""
        return join(self.pieces(ranges))


def rows_of(array, name):
    """`Rows` of a dask array, `Held` for another array, None for None."""
    if array is None:
        return None
    return Rows(array, name) if is_dask(array) else Held(np.asarray(array))


@contextmanager
def naming_rows(ranges):
    """Say in errors of what follows where the rows are from: ranges of row numbers."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise placed(error, f"the shard that begins at row {ranges[0][0]}") from error


@contextmanager
def naming_rows_of_sample(array, sample, ranges, check):
    """Say in errors of what follows which row of a sample has caused them, if it is one.

    `sample` has the rows of an array (`Rows`) in ranges, and `check(rows)` raises if there is one
    among some rows that is refused.
    """
    try:
        yield
    except (TypeError, ValueError):
        found = _first_refused(check, sample)
        if found is None:
            raise
        number, error = found
        place = array.place(int(rows_in(ranges)[number]))
        raise placed(error, f"{place} alone") from error


def _first_refused(check, rows):
    """Number of the first row that a check refuses, and the error of this row; or None."""
    if _error_of(check, rows) is None:
        return None
    first, stop = 0, rows.shape[0]
    while stop - first > 1:
        middle = (first + stop) // 2
        if _error_of(check, rows[first:middle]) is None:
            first = middle
        else:
            stop = middle
    error = _error_of(check, rows[first:stop])
    return None if error is None else (first, error)


def _error_of(check, rows):
    try:
        with collect_warnings():
            check(rows)
    except (TypeError, ValueError) as error:
        return error
    return None


def cut(block, start, stop):
    """Rows of a piece; a copy of them, so that the block is not kept with them."""
    part = _rows(block, start, stop)
    return part if part.shape == block.shape else part.copy()


def cut_all(block, parts):
    """Rows of several pieces of a block."""
    return cut(block, *parts[0]) if len(parts) == 1 else join([(block, *part) for part in parts])


def join(pieces) -> Any:
    """Rows of pieces, as one array or, if all are sparse, CSR matrix in host memory."""
    parts = [_rows(*piece) for piece in pieces]
    if len(parts) == 1:
        return parts[0]
    if all(map(is_sparse, parts)):
        from scipy.sparse import vstack

        return vstack(parts, format="csr")
    return np.concatenate([part.toarray() if is_sparse(part) else part for part in parts])


def _rows(block, start, stop):
    return block.tocsr()[start:stop] if is_sparse(block) else to_numpy(block[start:stop])
