"""The active atoms of one signal, with the inverse of their system H = G_SS + lam2 I.

Rank-one updates add atoms to the inverse and remove them. They are vector operations; a Cholesky
factor takes a third of the flops, but one after another. Refinement against G corrects what the
inverse loses to rounding.
"""

from collections import namedtuple

import numpy as np

from ._compile import INTERNAL, compiled
from ._gram import ensure_row
from ._rows import aligned, axpy, dot, fill
from ._space import Kept
from ._vectors import BYTES, lanes, load, load_row, splat, store, store_row

# entries of `State.status`
N_DROPPED = 0  # number of atoms that left the active set on the path
UNTRUSTED = 1  # 1 if the active set is too inaccurate: the signal is coded again from zero
STOPPED = 3  # 1 if a path has stopped at a limit

Penalty = namedtuple(
    "Penalty",
    (
        "weights",  # weights of the l1 norm: atom j has the bound mu * weights[j]
        "inverse_weights",  # 1 / weights; 0 for atoms without penalty
        "is_weighted",  # whether weights are not all one
        "has_free",  # whether some atoms have no penalty
        "lam2",
        "min_pivot",  # smallest pivot, relative to its diagonal entry, of an independent atom
        "positive",
        "max_changes",  # maximum number of changes of the support of one signal
    ),
)

State = namedtuple(
    "State",
    (
        "active",  # indices of the k active atoms; the next arrays have one entry for each
        "inverse",  # H^-1, padded by zeros to the next pair of vectors
        "values",  # entries of the code
        "signs",  # signs of these entries; 0 for atoms without penalty, whose sign may change
        "pulls",  # weights of the l1 norm times signs
        "direction",  # H^-1 pulls: minus the derivative of the code with respect to mu
        "column",  # new column of H, or the right-hand side of a system
        "solution",  # H^-1 column
        "correction",  # change of a solution by iterative refinement
        "min_pivot",  # smallest relative pivot since the active set was empty
        "status",  # integers, by N_DROPPED, UNTRUSTED, the REASON of `_walk` and STOPPED
        "u",  # corr - (G + lam2 I) code, for all atoms
        "bounds",  # bounds on |u| of the atoms that may enter, infinity for others
        "change",  # derivative of u with respect to mu, for all atoms, on a walk
        "no_corr",  # zeros, one for each atom, as a row
        "candidates",  # |u| minus its bound, or u over its weight
        "tracked",  # atoms that a stage of the path follows; the arrays tracked_* are for these
        "tracked_index",  # index in `tracked` of each atom that is in it
        "tracked_inverse",  # 1 / weights of the tracked atoms
        "tracked_u",  # u over its weight, relative to the mu at which the stage begins
        "tracked_du",  # derivative of u over its weight with respect to mu
        "tracked_may_enter",  # 1 for atoms that may enter, 0 for others
        "gram_rows",  # rows of G of active atoms, `tracked` columns over their weights: flat
        "gram_row_index",  # which of these rows is that of each active atom
        "gram_row_atom",  # whose row each of these is, in whole, or -1
        "scaled_direction",  # the direction over the scale of G
    ),
)


_kept = Kept()


def work_space(p, dtype, capacity):
    """`State` for a signal with up to `capacity` active atoms of p, which the thread may reuse."""
    return _kept.get(_allocate_state, p, dtype, capacity)


def _allocate_state(p, dtype, capacity):
    """Work space for a signal with up to `capacity` active atoms of p."""
    lanes_ = BYTES // dtype.itemsize
    n_atoms_padded, n_active_padded = p + 2 * lanes_, capacity + 4 * lanes_
    # an odd number of vectors in a row, so that rows do not share cache sets
    row_stride = (capacity + 2 * lanes_) // lanes_ | 1

    def floats(n):
        return aligned(n, dtype)

    def float32s(n):
        return aligned(n, np.dtype(np.float32))

    def integers(n):
        return np.empty(n, np.int64)

    u = floats(n_atoms_padded)
    u[:] = np.nan  # NaN in the padding is above no bound, and equal to nothing
    return State(
        active=integers(n_active_padded),
        inverse=floats((capacity + 1, row_stride * lanes_ + 2 * lanes_)),
        values=floats(n_active_padded),
        signs=floats(n_active_padded),
        pulls=floats(n_active_padded),
        direction=floats(n_active_padded),
        column=floats(n_active_padded),
        solution=floats(n_active_padded),
        correction=floats(n_active_padded),
        min_pivot=floats(1),
        status=integers(4),
        u=u,
        bounds=floats(n_atoms_padded),
        change=floats(n_atoms_padded),
        no_corr=np.zeros((1, n_atoms_padded), dtype),
        candidates=floats(n_atoms_padded),
        tracked=integers(n_atoms_padded + 16),
        tracked_index=np.zeros(n_atoms_padded, np.int64),
        tracked_inverse=float32s(n_atoms_padded + 16),
        tracked_u=float32s(n_atoms_padded + 16),
        tracked_du=float32s(n_atoms_padded + 16),
        tracked_may_enter=float32s(n_atoms_padded + 16),
        gram_rows=float32s((capacity + 1) * (n_atoms_padded + 16)),
        gram_row_index=integers(n_active_padded),
        gram_row_atom=integers(n_active_padded),
        scaled_direction=float32s(n_active_padded),
    )


def make_penalty(p, dtype, weights, lam2, min_pivot, positive, max_changes):
    """Penalty of p atoms, for weights of each or None, which are padded like atoms."""
    number, is_weighted, has_free = dtype.type, weights is not None, False
    all_weights = inverse_weights = np.ones(p + 2 * BYTES // dtype.itemsize, dtype)
    if is_weighted:
        all_weights[:p] = weights
        is_free = all_weights == 0
        has_free = bool(is_free.any())
        inverse_weights = np.zeros_like(all_weights)
        np.divide(1, all_weights, out=inverse_weights, where=~is_free)
    scalars = number(lam2), number(min_pivot), bool(positive), int(max_changes)
    return Penalty(all_weights, inverse_weights, is_weighted, has_free, *scalars)


@compiled(**INTERNAL)
def apply_inverse(inverse, k, b, out):
    """Write the product H^-1 b to out."""
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
def _rank_one_update(inverse, k, scale, v):
    """Add scale v v' to the inverse, in place."""
    L = lanes(v)
    for c in range(0, k, 2 * L):
        left, right = load(v, c), load(v, c + L)
        for r in range(k):
            x = splat(scale * v[r])
            store_row(inverse, r, c, load_row(inverse, r, c) + x * left)
            store_row(inverse, r, c + L, load_row(inverse, r, c + L) + x * right)


@compiled(**INTERNAL)
def _refined_pivot(gram, lam2, j, k, state):
    """Pivot of atom j after iterative refinement of solution = H^-1 column, in float64.

    The pivot is the minimum of a quadratic form, computed up to <solution, residual> and to the
    rounding of its terms. Returns zero if it is not certain to be positive.
    """
    rows, active, column = gram.rows, state.active, state.column
    solution, correction = state.solution, state.correction
    diagonal = np.float64(rows[j, j]) + np.float64(lam2)
    pivot = 0.0
    for _ in range(4):
        pivot, error_bound, norm_bound = diagonal, 0.0, np.sqrt(diagonal)
        for r in range(k):
            i, value = active[r], np.float64(solution[r])
            residual = np.float64(rows[j, i]) - np.float64(lam2) * value
            for c in range(k):
                residual -= np.float64(solution[c]) * np.float64(rows[active[c], i])
            column[r] = residual
            pivot -= value * (np.float64(rows[j, i]) + residual)
            error_bound += abs(value * residual)
            norm_bound += abs(value) * np.sqrt(np.float64(rows[i, i]) + np.float64(lam2))
        error_bound += 4 * np.finfo(np.float64).eps * norm_bound * norm_bound
        if error_bound < 0.01 * pivot:
            break
        apply_inverse(state.inverse, k, column, correction)
        axpy(column.dtype.type(1), correction, solution, k)
    return column.dtype.type(pivot if error_bound < 0.5 * pivot else 0.0)


@compiled(**INTERNAL)
def add_atom(gram, penalty, j, sign, k, state):
    """Make atom j active, with value zero; False if it is linearly dependent on active atoms.

    Leaves the combination of active atoms that is closest to atom j in `solution`.
    """
    inverse, column, solution = state.inverse, state.column, state.solution
    active, direction, lam2 = state.active, state.direction, penalty.lam2
    L = lanes(column)
    zero, one = column.dtype.type(0), column.dtype.type(1)
    if k % (2 * L) == 0:  # the rows grow by another pair of vectors
        for r in range(k):
            store_row(inverse, r, k, splat(zero))
            store_row(inverse, r, k + L, splat(zero))
        for array in (column, solution, state.values, direction, state.correction):
            fill(array[k:], 2 * L, zero)
        for array in (state.signs, state.pulls):
            fill(array[k:], 2 * L, zero)
    for c in range(0, k + 1, 2 * L):
        store_row(inverse, k, c, splat(zero))
        store_row(inverse, k, c + L, splat(zero))
    ensure_row(gram, j)
    rows = gram.rows
    for r in range(k):
        column[r] = rows[j, active[r]]
    column[k] = zero
    apply_inverse(inverse, k, column, solution)
    diagonal = rows[j, j] + lam2
    pivot = diagonal - dot(column, solution, k)
    # digits cancelled in this pivot, or in an earlier one and so in the inverse
    eps = np.finfo(column.dtype).eps
    min_pivot = one if k == 0 else state.min_pivot[0]
    if pivot < max(32 * np.sqrt(eps), 1024 * eps / min_pivot) * diagonal:
        pivot = _refined_pivot(gram, lam2, j, k, state)
    if not pivot > penalty.min_pivot * diagonal:
        return False
    state.min_pivot[0] = min(min_pivot, pivot / diagonal)
    solution[k] = -one
    _rank_one_update(inverse, k + 1, one / pivot, solution)
    weight = penalty.weights[j]
    active[k], state.values[k], direction[k] = j, zero, zero
    state.signs[k] = sign if weight > zero or penalty.positive else zero
    state.pulls[k] = weight * sign
    axpy(dot(solution, state.pulls, k + 1) / pivot, solution, direction, k + 1)
    return True


@compiled(**INTERNAL)
def add_free_atoms(gram, penalty, k, state):
    """Make all atoms without penalty active that may have either sign; returns k.

    Their entries may be zero where a path begins, and leave zero on it without an event.
    """
    if penalty.positive:
        return k
    one = state.u.dtype.type(1)
    for j in range(gram.rows.shape[0]):
        if penalty.weights[j] > 0 or k >= state.inverse.shape[0] - 1:
            continue
        is_active = False
        for r in range(k):
            is_active = is_active or state.active[r] == j
        if not is_active and add_atom(gram, penalty, j, one, k, state):
            k += 1
    return k


@compiled(**INTERNAL)
def remove_atom(d, k, state):
    """Make the d-th active atom inactive; the last active atom takes its position."""
    inverse, solution, direction = state.inverse, state.solution, state.direction
    L = lanes(solution)
    zero = solution.dtype.type(0)
    last = k - 1
    for c in range(0, k, 2 * L):
        store(solution, c, load_row(inverse, d, c))
        store(solution, c + L, load_row(inverse, d, c + L))
    scale = -solution.dtype.type(1) / solution[d]
    _rank_one_update(inverse, k, scale, solution)
    axpy(direction[d] * scale, solution, direction, k)
    for c in range(0, k, L):
        store_row(inverse, d, c, load_row(inverse, last, c))
    for r in range(k):
        inverse[r, d] = inverse[r, last]
        inverse[r, last] = zero
    for array in (state.values, state.signs, state.pulls, direction):
        array[d] = array[last]
        array[last] = zero
    state.active[d], state.gram_row_index[d], state.gram_row_index[last] = (
        state.active[last],
        state.gram_row_index[last],
        state.gram_row_index[d],
    )


@compiled(**INTERNAL)
def write_code(code, slope, i, lam2, k, state):
    """Write the code of signal i, and its slope, which follows from `u`."""
    zero = code.dtype.type(0)
    for j in range(code.shape[1]):
        code[i, j] = zero
        slope[i, j] = state.u[j]
    for r in range(k):
        j, value = state.active[r], state.values[r]
        code[i, j] = value
        slope[i, j] = state.u[j] + lam2 * value
