"""The active atoms of one signal, with the inverse of their system H = G_SS + lam2 I.

The inverse grows and shrinks by rank-one updates, which vectors do well; a Cholesky factor asks
for a third of the flops, one after another. What the inverse loses to rounding, refinement against
G gives back.
"""

from collections import namedtuple

import numpy as np

from ._compile import INTERNAL, compiled
from ._rows import aligned, axpy, dot, fill
from ._vectors import BYTES, lanes, load, load_row, splat, store, store_row

State = namedtuple(
    "State",
    (
        "active",  # the active atoms, in the order of the arrays of length k
        "inverse",  # H^-1; zero beyond k, up to the next pair of vectors
        "values",  # their code
        "signs",
        "direction",  # H^-1 signs: minus the derivative of the code in the bound
        "column",  # H's new column, or a right-hand side
        "solution",  # H^-1 column
        "steps",
        "least",  # smallest pivot, relative, since there was no active atom
        "trouble",  # atoms that left the path, and whether its end can't be trusted
        "u",  # corr - (G + lam2 I) code
        "live",  # 1 for atoms that may enter, 0 for others
        "pulls",  # |u| of these
        "near",  # the atoms close to the bound, and of each: its place here,
        "place",
        "near_u",  # entry of u over the bound,
        "near_du",  # derivative of u in the bound,
        "near_live",  # and whether it may enter
        "rows",  # the columns `near` of the rows of G of active atoms, flat and scaled
        "row",  # which of these rows belongs to an active atom
        "weights",  # the direction, scaled back
    ),
)


def state(p, dtype, capacity):
    """Work space for up to `capacity` active atoms of p."""
    lanes_ = BYTES // dtype.itemsize
    long, wide = p + 2 * lanes_, capacity + 4 * lanes_
    # an odd number of vectors in a row: rows share no cache set
    pitch = (capacity + 2 * lanes_) // lanes_ | 1

    def floats(n):
        return aligned(n, dtype)

    def short_floats(n):
        return aligned(n, np.dtype(np.float32))

    def integers(n):
        return np.empty(n, np.int64)

    u = floats(long)
    u[:] = np.nan  # beyond p: above no bound, and equal to nothing
    return State(
        active=integers(wide),
        inverse=floats((capacity + 1, pitch * lanes_ + 2 * lanes_)),
        values=floats(wide),
        signs=floats(wide),
        direction=floats(wide),
        column=floats(wide),
        solution=floats(wide),
        steps=floats(wide),
        least=floats(1),
        trouble=integers(2),
        u=u,
        live=floats(long),
        pulls=floats(long),
        near=integers(long + 8),
        place=np.zeros(long, np.int64),
        near_u=short_floats(long + 8),
        near_du=short_floats(long + 8),
        near_live=short_floats(long + 8),
        rows=short_floats((capacity + 1) * (long + 16)),
        row=integers(wide),
        weights=short_floats(wide),
    )


@compiled(**INTERNAL)
def solve(inverse, k, b, out):
    """Write H^-1 b to out."""
    L = lanes(b)
    zero = splat(b.dtype.type(0))
    for c in range(0, k, 2 * L):
        even0, even1, odd0, odd1 = zero, zero, zero, zero
        for r in range(0, k - 1, 2):
            x, y = splat(b[r]), splat(b[r + 1])
            even0 = even0 + x * load_row(inverse, r, c)
            even1 = even1 + x * load_row(inverse, r, c + L)
            odd0 = odd0 + y * load_row(inverse, r + 1, c)
            odd1 = odd1 + y * load_row(inverse, r + 1, c + L)
        if k % 2:
            x = splat(b[k - 1])
            even0 = even0 + x * load_row(inverse, k - 1, c)
            even1 = even1 + x * load_row(inverse, k - 1, c + L)
        store(out, c, even0 + odd0)
        store(out, c + L, even1 + odd1)


@compiled(**INTERNAL)
def _add_outer(inverse, k, scale, v):
    """Add scale v v' to the inverse."""
    L = lanes(v)
    for c in range(0, k, 2 * L):
        left, right = load(v, c), load(v, c + L)
        for r in range(k):
            x = splat(scale * v[r])
            store_row(inverse, r, c, load_row(inverse, r, c) + x * left)
            store_row(inverse, r, c + L, load_row(inverse, r, c + L) + x * right)


@compiled(**INTERNAL)
def _refine(gram, lam2, j, k, state):
    """Improve solution = H^-1 column for atom j by its residual; returns a pivot that holds.

    The pivot is the least value of a quadratic form, known up to <solution, residual> and to the
    rounding of its terms; zero if it is not known to be positive.
    """
    active, column, solution, steps = state.active, state.column, state.solution, state.steps
    diagonal = np.float64(gram[j, j]) + np.float64(lam2)
    pivot = 0.0
    for _ in range(4):
        pivot, doubt, size = diagonal, 0.0, np.sqrt(diagonal)
        for r in range(k):
            i, value = active[r], np.float64(solution[r])
            rest = np.float64(gram[j, i]) - np.float64(lam2) * value
            for c in range(k):
                rest -= np.float64(solution[c]) * np.float64(gram[active[c], i])
            column[r] = rest
            pivot -= value * (np.float64(gram[j, i]) + rest)
            doubt += abs(value * rest)
            size += abs(value) * np.sqrt(np.float64(gram[i, i]) + np.float64(lam2))
        doubt += 4 * np.finfo(np.float64).eps * size * size
        if doubt < 0.01 * pivot:
            break
        solve(state.inverse, k, column, steps)
        axpy(column.dtype.type(1), steps, solution, k)
    return column.dtype.type(pivot if doubt < 0.5 * pivot else 0.0)


@compiled(**INTERNAL)
def enter(gram, lam2, tolerance, j, sign, k, state):
    """Make atom j active, with value zero; False if it depends on the others.

    `solution` is left with the combination of active atoms that comes closest to atom j.
    """
    inverse, column, solution = state.inverse, state.column, state.solution
    active, direction = state.active, state.direction
    L = lanes(column)
    zero, one = column.dtype.type(0), column.dtype.type(1)
    if k % (2 * L) == 0:  # another pair of vectors
        for r in range(k):
            store_row(inverse, r, k, splat(zero))
            store_row(inverse, r, k + L, splat(zero))
        for array in (column, solution, state.values, state.signs, direction, state.steps):
            fill(array[k:], 2 * L, zero)
    for c in range(0, k + 1, 2 * L):
        store_row(inverse, k, c, splat(zero))
        store_row(inverse, k, c + L, splat(zero))
    for r in range(k):
        column[r] = gram[j, active[r]]
    column[k] = zero
    solve(inverse, k, column, solution)
    diagonal = gram[j, j] + lam2
    pivot = diagonal - dot(column, solution, k)
    # cancellation in this pivot, or in an earlier one and so in the inverse
    unit = np.finfo(column.dtype).eps
    least = one if k == 0 else state.least[0]
    if pivot < max(32 * np.sqrt(unit), 1024 * unit / least) * diagonal:
        pivot = _refine(gram, lam2, j, k, state)
    if not pivot > tolerance * diagonal:
        return False
    state.least[0] = min(least, pivot / diagonal)
    solution[k] = -one
    _add_outer(inverse, k + 1, one / pivot, solution)
    active[k], state.values[k], state.signs[k], direction[k] = j, zero, sign, zero
    axpy(dot(solution, state.signs, k + 1) / pivot, solution, direction, k + 1)
    return True


@compiled(**INTERNAL)
def leave(d, k, state):
    """Make the d-th active atom inactive; the last one takes its place."""
    inverse, solution, direction = state.inverse, state.solution, state.direction
    L = lanes(solution)
    zero = solution.dtype.type(0)
    last = k - 1
    for c in range(0, k, 2 * L):
        store(solution, c, load_row(inverse, d, c))
        store(solution, c + L, load_row(inverse, d, c + L))
    scale = -solution.dtype.type(1) / solution[d]
    _add_outer(inverse, k, scale, solution)
    axpy(direction[d] * scale, solution, direction, k)
    for c in range(0, k, L):
        store_row(inverse, d, c, load_row(inverse, last, c))
    for r in range(k):
        inverse[r, d] = inverse[r, last]
        inverse[r, last] = zero
    for array in (state.values, state.signs, direction):
        array[d] = array[last]
        array[last] = zero
    state.active[d], state.row[d], state.row[last] = (
        state.active[last],
        state.row[last],
        state.row[d],
    )
