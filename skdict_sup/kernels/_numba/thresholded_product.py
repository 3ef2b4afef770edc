"""Codes times a matrix, then a threshold: tiles in registers, or sums over nonzeros.

Both add the same terms in the same order, so that which of them is taken changes no bit: terms of
zeros alone are left out.
"""

import numpy as np

from ._compile import INTERNAL, OPTIONS, compiled
from ._parts import load_row_part, store_row_part
from ._processor import BYTES
from ._rows import aligned
from ._sparse_rows import (
    CHUNK,
    PANELS,
    add_panel,
    add_panels,
    add_vector,
    collect,
)
from ._tiles import ROWS, VECTORS, add_narrow_row, add_narrow_tile, add_row, add_tile
from ._vectors import (
    lanes,
    less,
    load,
    load_row,
    magnitude,
    multiply_add,
    select,
    splat,
    store_row,
)

_SPARSE = 0.58  # fraction of nonzeros above which tiles are faster, for many columns
_COLLECTING = 64  # columns that take as long as collecting the nonzeros
_GROUP = 8 * ROWS  # rows that are multiplied by a panel while it is in the second-level cache
_LINES = 16  # rows whose sums are in the first-level cache, with a chunk of a matrix


def thresholded_product(fixed, code, panels, threshold, positive=False, decay=1.0, step=1.0):
    """Compiled implementation; the docstring of the reference is the contract."""
    (n, p), m, dtype = fixed.shape, code.shape[1], fixed.dtype
    out, L = np.empty((n, p), dtype), BYTES // fixed.itemsize
    fixed, code = np.ascontiguousarray(fixed), np.ascontiguousarray(code)
    bounds = aligned(-(-p // L) * L, dtype)
    bounds[:p], bounds[p:] = threshold, 0
    finish = bounds, positive, dtype.type(decay), dtype.type(step)
    n_sums = max(ROWS, _LINES * PANELS) * VECTORS * L
    sums = aligned(n_sums, dtype)
    if np.count_nonzero(code != 0) * (p + _COLLECTING) <= _SPARSE * code.size * p:
        n_lines = min(n, _GROUP)
        values, places = (np.empty(n_lines * m, kind) for kind in (dtype, np.int64))
        starts = np.empty((n_lines, -(-m // CHUNK) + 1), np.int64)
        _sparse(fixed, code, panels, values, places, starts, *finish, sums, out)
    else:
        _dense(fixed, code, panels, *finish, sums, out)
    return out


@compiled(**INTERNAL)
def _soft(point, bound, positive):
    """Soft thresholding of a vector; NaN stays NaN."""
    zero = point - point
    if positive:
        return select(less(point, bound), zero, point - bound)
    shrunk = select(less(point, zero), point + bound, point - bound)
    return select(less(magnitude(point), bound), zero, shrunk)


@compiled(**INTERNAL)
def _finish(fixed, first, last, j, width, sums, bounds, positive, decay, step, out):
    """Write `width` entries of some rows of the result from column j on, from their sums."""
    p, L = out.shape[1], lanes(out)
    a, s = splat(decay), splat(step)
    for c in range(0, width, L):
        column, bound = j + c, load(bounds, j + c)
        if column + L <= p:
            for i in range(first, last):
                total = load(sums, (i - first) * width + c)
                point = multiply_add(s, total, a * load_row(fixed, i, column))
                store_row(out, i, column, _soft(point, bound, positive))
            continue
        for i in range(first, last):
            total = load(sums, (i - first) * width + c)
            point = multiply_add(s, total, a * load_row_part(fixed, i, column, p - column))
            store_row_part(out, i, column, p - column, _soft(point, bound, positive))


@compiled(**OPTIONS)
def _dense(fixed, code, panels, bounds, positive, decay, step, sums, out):
    """Write soft(decay fixed + step code M', bounds) to out, by tiles."""
    (n, p), m, L = out.shape, code.shape[1], lanes(out)
    for group in range(0, n, _GROUP):
        stop, j = min(n, group + _GROUP), 0
        while j < p:
            width = VECTORS * L if j + VECTORS * L <= p else L
            i = group
            while i < stop:
                n_rows = 1
                if n >= ROWS:  # rows before the last ones are computed again
                    n_rows, i = ROWS, min(i, n - ROWS)
                    if width > L:
                        add_tile(code, i, panels, j * m, 0, m, sums, True)
                    else:
                        add_narrow_tile(code, i, panels, j * m, 0, m, sums, True)
                elif width > L:
                    add_row(code, i, panels, j * m, 0, m, sums, True)
                else:
                    add_narrow_row(code, i, panels, j * m, 0, m, sums, True)
                stop_row = i + n_rows
                _finish(fixed, i, stop_row, j, width, sums, bounds, positive, decay, step, out)
                i = stop_row
            j += width


@compiled(**OPTIONS)
def _sparse(fixed, code, panels, values, places, starts, bounds, positive, decay, step, sums, out):
    """Write soft(decay fixed + step code M', bounds) to out, by the nonzeros of rows."""
    (n, p), m, L = out.shape, code.shape[1], lanes(out)
    for group in range(0, n, _GROUP):
        stop, k, j = min(n, group + _GROUP), 0, 0
        for i in range(group, stop):
            k = collect(code, i, k, values, places, starts, i - group)
        while j < p:
            width = VECTORS * L if j + VECTORS * L <= p else L
            n_panels = PANELS if j + PANELS * width <= p and width > L else 1
            for first in range(group, stop, _LINES):
                last = min(stop, first + _LINES)
                for chunk in range(starts.shape[1] - 1):
                    for i in range(first, last):
                        begin, end = starts[i - group, chunk], starts[i - group, chunk + 1]
                        at, is_new = (i - first) * n_panels * width, chunk == 0
                        if n_panels > 1:
                            add_panels(
                                values,
                                places,
                                begin,
                                end,
                                panels,
                                j * m,
                                m * width,
                                sums,
                                at,
                                is_new,
                            )
                        elif width > L:
                            add_panel(
                                values, places, begin, end, panels, j * m, 0, sums, at, is_new
                            )
                        else:
                            add_vector(
                                values, places, begin, end, panels, j * m, 0, sums, at, is_new
                            )
                _finish(
                    fixed,
                    first,
                    last,
                    j,
                    n_panels * width,
                    sums,
                    bounds,
                    positive,
                    decay,
                    step,
                    out,
                )
            j += n_panels * width
