"""Products of rows and atoms, in an order of summation that does not depend on the row."""

from itertools import pairwise

import numpy as np

from ..._threads import map_threads
from ..panel_products import BLOCK
from ._compile import INTERNAL, OPTIONS, compiled
from ._processor import BYTES
from ._rows import aligned
from ._tiles import ROWS, VECTORS, add_narrow_row, add_narrow_tile, add_row, add_tile
from ._vectors import lanes

_LEAST_ROWS = 64  # rows for which another thread pays
_GROUP = 8 * ROWS  # rows that are multiplied by a panel while it is in the cache
_MIRRORED = 8  # rows of a block that is transposed: more would share cache sets


def panel_products(rows, panels, n_components, symmetric=False, n_jobs=1):
    """Compiled implementation; the docstring of the reference is the contract."""
    n = rows.shape[0]
    out, rows = np.empty((n, n_components), rows.dtype), np.ascontiguousarray(rows)

    def work(part):
        sums = aligned(ROWS * VECTORS * BYTES // rows.itemsize, rows.dtype)
        _products(rows, panels, symmetric, *part, sums, out)

    map_threads(work, _parts(n, symmetric, n_jobs), n_jobs)
    if symmetric:
        _mirror(out)
    return out


def _parts(n, symmetric, n_jobs):
    """Ranges of rows that take equal times: with half of the result, later rows take longer."""
    n_jobs = min(n_jobs, max(1, n // _LEAST_ROWS))
    if n_jobs == 1:
        return [(0, n)]
    shares = np.arange(n_jobs + 1) / n_jobs
    stops = (n * (shares**0.5 if symmetric else shares)).astype(int) // ROWS * ROWS
    stops[-1] = n
    return [(int(start), int(stop)) for start, stop in pairwise(stops)]


def _over_blocks(add):
    """Function for the sums of a kind of tile over all features, in blocks."""

    @compiled(**INTERNAL)
    def sum_tile(rows, i, panels, start, sums):
        m = rows.shape[1]
        for k in range(0, m, BLOCK):
            add(rows, i, panels, start, k, min(m, k + BLOCK), sums, k == 0)

    return sum_tile


_whole_tile, _narrow_tile = _over_blocks(add_tile), _over_blocks(add_narrow_tile)
_row_tile, _narrow_row_tile = _over_blocks(add_row), _over_blocks(add_narrow_row)


@compiled(**OPTIONS)
def _products(rows, panels, symmetric, first, last, sums, out):
    """Write the products of rows from first to last and all panels to out."""
    (n, m), p, L = rows.shape, out.shape[1], lanes(rows)
    size = ROWS if symmetric else _GROUP  # few rows, to stop at the diagonal
    for group in range(first, last, size):
        stop, j = min(last, group + size), 0
        while j < p and not (symmetric and j >= stop):
            width = VECTORS * L if j + VECTORS * L <= p else L
            n_columns = min(width, p - j)
            i = group
            while i < stop:
                n_rows = 1
                if n >= ROWS:  # rows before the last ones are computed again
                    n_rows, i = ROWS, min(i, n - ROWS)
                    if width > L:
                        _whole_tile(rows, i, panels, j * m, sums)
                    else:
                        _narrow_tile(rows, i, panels, j * m, sums)
                elif width > L:
                    _row_tile(rows, i, panels, j * m, sums)
                else:
                    _narrow_row_tile(rows, i, panels, j * m, sums)
                for r in range(n_rows):
                    for c in range(n_columns):
                        out[i + r, j + c] = sums[r * width + c]
                i += n_rows
            j += width


@compiled(**OPTIONS)
def _mirror(out):
    """Copy what is below the diagonal of a square matrix to above it, block by block."""
    n = out.shape[0]
    for first in range(0, n, _MIRRORED):
        for left in range(0, first + 1, _MIRRORED):
            for i in range(first, min(n, first + _MIRRORED)):
                for j in range(left, min(i, left + _MIRRORED)):
                    out[j, i] = out[i, j]
