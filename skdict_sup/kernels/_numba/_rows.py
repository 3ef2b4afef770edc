"""Loops over rows of numbers, one vector at a time.

They read and write whole vectors, so that arrays have padding up to the next one.
"""

import math

import numpy as np

from ._compile import INTERNAL, compiled
from ._vectors import (
    BYTES,
    ctz,
    equal,
    extract_lane,
    lanes,
    less,
    load,
    load_row,
    load_row_wide,
    magnitude,
    mask_and,
    movemask,
    reduce_add,
    reduce_max,
    reduce_min,
    select,
    splat,
    store,
    store_wide,
)


def aligned(shape, dtype, new=np.empty):
    """Array whose address is a multiple of the length of a vector; its numbers are those of `new`.

    `np.zeros` in place of `np.empty` makes zeros: memory that nobody writes costs no time then.
    """
    dtype = np.dtype(dtype)
    count = shape if isinstance(shape, int) else math.prod(shape)
    buffer = new(count * dtype.itemsize + BYTES, np.uint8)
    start = -buffer.__array_interface__["data"][0] % BYTES
    return np.ndarray(shape, dtype, buffer, start)


@compiled(**INTERNAL)
def fill(out, n, value):
    """Set the first n entries to a value."""
    x = splat(value)
    for j in range(0, n, lanes(out)):
        store(out, j, x)


@compiled(**INTERNAL)
def copy_row(matrix, i, out):
    """Copy row i of a matrix, which has no padding, to out."""
    n, L, j = matrix.shape[1], lanes(matrix), 0
    while j + L <= n:
        store(out, j, load_row(matrix, i, j))
        j += L
    while j < n:
        out[j] = matrix[i, j]
        j += 1


@compiled(**INTERNAL)
def largest_of_row(matrix, i):
    """Largest magnitude in row i of a matrix, which has no padding."""
    n, L, j = matrix.shape[1], lanes(matrix), 0
    result = matrix.dtype.type(0)
    top = splat(result)
    while j + L <= n:
        entry = magnitude(load_row(matrix, i, j))
        top = select(less(top, entry), entry, top)
        j += L
    result = reduce_max(top)
    while j < n:
        result = max(result, abs(matrix[i, j]))
        j += 1
    return result


@compiled(**INTERNAL)
def axpy(alpha, x, out, n):
    """Add alpha x to out, in place."""
    scale = splat(alpha)
    for j in range(0, n, lanes(x)):
        store(out, j, load(out, j) + scale * load(x, j))


@compiled(**INTERNAL)
def multiply(x, y, n, out):
    """Write the products of the first n entries of x and y to out."""
    for j in range(0, n, lanes(x)):
        store(out, j, load(x, j) * load(y, j))


@compiled(**INTERNAL)
def dot(x, y, n):
    """Inner product of the first n entries of x and y."""
    sum_ = splat(x.dtype.type(0))
    for j in range(0, n, lanes(x)):
        sum_ = sum_ + load(x, j) * load(y, j)
    return reduce_add(sum_)


@compiled(**INTERNAL)
def largest(x, n, positive):
    """Largest entry, or largest magnitude unless `positive`; at least zero."""
    top = splat(x.dtype.type(0))
    for j in range(0, n, lanes(x)):
        entry = load(x, j)
        if not positive:
            entry = magnitude(entry)
        top = select(less(top, entry), entry, top)
    return reduce_max(top)


@compiled(**INTERNAL)
def index_of(x, n, value):
    """Index of the first entry equal to a value, or -1."""
    for j in range(0, n, lanes(x)):
        matches = movemask(equal(load(x, j), splat(value)))
        if matches:
            return j + ctz(matches)
    return -1


@compiled(**INTERNAL)
def indices_above(x, n, bound, positive, indices):
    """Write the indices of entries above a bound, or of magnitudes unless `positive`.

    Returns their number.
    """
    count = 0
    for j in range(0, n, lanes(x)):
        entry = load(x, j)
        if not positive:
            entry = magnitude(entry)
        matches = movemask(less(splat(bound), entry))
        while matches:
            indices[count] = j + ctz(matches)
            count += 1
            matches &= matches - 1  # clears the lowest bit
    return count


@compiled(**INTERNAL)
def weighted_row_sum(rows, row_stride, row_index, k, weights, n, out):
    """Write sum_r weights[r] rows[row_index[r]] to out, for rows of a flat matrix."""
    L = lanes(out)
    zero = splat(out.dtype.type(0))
    j = 0
    while j + 8 * L <= n:  # eight sums at once keep two multipliers busy
        a, b, c, d = zero, zero, zero, zero
        e, f, g, h = zero, zero, zero, zero
        for r in range(k):
            start, weight = row_index[r] * row_stride + j, splat(weights[r])
            a = a + weight * load(rows, start)
            b = b + weight * load(rows, start + L)
            c = c + weight * load(rows, start + 2 * L)
            d = d + weight * load(rows, start + 3 * L)
            e = e + weight * load(rows, start + 4 * L)
            f = f + weight * load(rows, start + 5 * L)
            g = g + weight * load(rows, start + 6 * L)
            h = h + weight * load(rows, start + 7 * L)
        store(out, j, a)
        store(out, j + L, b)
        store(out, j + 2 * L, c)
        store(out, j + 3 * L, d)
        store(out, j + 4 * L, e)
        store(out, j + 5 * L, f)
        store(out, j + 6 * L, g)
        store(out, j + 7 * L, h)
        j += 8 * L
    while j + 4 * L <= n:
        a, b, c, d = zero, zero, zero, zero
        e, f, g, h = zero, zero, zero, zero
        for r in range(0, k - 1, 2):
            x, y = splat(weights[r]), splat(weights[r + 1])
            start, next_ = row_index[r] * row_stride + j, row_index[r + 1] * row_stride + j
            a, e = a + x * load(rows, start), e + y * load(rows, next_)
            b, f = b + x * load(rows, start + L), f + y * load(rows, next_ + L)
            c, g = c + x * load(rows, start + 2 * L), g + y * load(rows, next_ + 2 * L)
            d, h = d + x * load(rows, start + 3 * L), h + y * load(rows, next_ + 3 * L)
        if k % 2:
            x, start = splat(weights[k - 1]), row_index[k - 1] * row_stride + j
            a, b = a + x * load(rows, start), b + x * load(rows, start + L)
            c, d = c + x * load(rows, start + 2 * L), d + x * load(rows, start + 3 * L)
        store(out, j, a + e)
        store(out, j + L, b + f)
        store(out, j + 2 * L, c + g)
        store(out, j + 3 * L, d + h)
        j += 4 * L
    while j < n:
        a, b, c, d = zero, zero, zero, zero
        j1 = min(j + L, n - L)  # the last vector is computed twice where their number is odd
        for r in range(0, k - 1, 2):
            x, y = splat(weights[r]), splat(weights[r + 1])
            start, next_ = row_index[r] * row_stride, row_index[r + 1] * row_stride
            a = a + x * load(rows, start + j)
            b = b + y * load(rows, next_ + j)
            c = c + x * load(rows, start + j1)
            d = d + y * load(rows, next_ + j1)
        if k % 2:
            x, start = splat(weights[k - 1]), row_index[k - 1] * row_stride
            a = a + x * load(rows, start + j)
            c = c + x * load(rows, start + j1)
        store(out, j, a + b)
        store(out, j1, c + d)
        j += 2 * L


@compiled(**INTERNAL)
def slope_from_active(gram, corr, i, active, k, values, u):
    """Write the slope corr[i] - sum_r values[r] gram[active[r]] to u, summed in float64."""
    p = gram.shape[0]
    L = BYTES // 8
    if p < L:
        for j in range(p):
            sum_ = np.float64(corr[i, j])
            for r in range(k):
                sum_ -= np.float64(values[r]) * np.float64(gram[active[r], j])
            u[j] = sum_
        return
    zero = splat(0.0)
    j = 0
    while j + 8 * L <= p:
        a, b, c, d = zero, zero, zero, zero
        e, f, g, h = zero, zero, zero, zero
        for r in range(k):
            row, weight = active[r], splat(np.float64(values[r]))
            a = a + weight * load_row_wide(gram, row, j)
            b = b + weight * load_row_wide(gram, row, j + L)
            c = c + weight * load_row_wide(gram, row, j + 2 * L)
            d = d + weight * load_row_wide(gram, row, j + 3 * L)
            e = e + weight * load_row_wide(gram, row, j + 4 * L)
            f = f + weight * load_row_wide(gram, row, j + 5 * L)
            g = g + weight * load_row_wide(gram, row, j + 6 * L)
            h = h + weight * load_row_wide(gram, row, j + 7 * L)
        store_wide(u, j, load_row_wide(corr, i, j) - a)
        store_wide(u, j + L, load_row_wide(corr, i, j + L) - b)
        store_wide(u, j + 2 * L, load_row_wide(corr, i, j + 2 * L) - c)
        store_wide(u, j + 3 * L, load_row_wide(corr, i, j + 3 * L) - d)
        store_wide(u, j + 4 * L, load_row_wide(corr, i, j + 4 * L) - e)
        store_wide(u, j + 5 * L, load_row_wide(corr, i, j + 5 * L) - f)
        store_wide(u, j + 6 * L, load_row_wide(corr, i, j + 6 * L) - g)
        store_wide(u, j + 7 * L, load_row_wide(corr, i, j + 7 * L) - h)
        j += 8 * L
    while j < p:  # the last two vectors may overlap earlier ones
        j, j1 = min(j, p - L), min(j + L, p - L)
        a, b = zero, zero
        for r in range(k):
            row, weight = active[r], splat(np.float64(values[r]))
            a = a + weight * load_row_wide(gram, row, j)
            b = b + weight * load_row_wide(gram, row, j1)
        store_wide(u, j, load_row_wide(corr, i, j) - a)
        store_wide(u, j1, load_row_wide(corr, i, j1) - b)
        j += 2 * L


@compiled(**INTERNAL)
def _contacts(u, du, may_enter, j, bound, slowest, block, nearest, positive):
    """`nearest` with the contacts of a vector of entries where these are sooner.

    It has ratios of distance to speed, one for each lane, and the vectors that these are from.
    """
    zero, one = splat(u.dtype.type(0)), splat(u.dtype.type(1))
    distance, speed, nearest_block = nearest
    entry, change = load(u, j), load(du, j)
    if not positive:
        upper = less(bound * change, entry)  # whether the upper bound comes first
        entry = select(upper, entry, zero - entry)
        change = select(upper, change, zero - change)
    closing, gap = one - change, bound - entry
    is_sooner = mask_and(less(slowest, closing), less(zero, load(may_enter, j)))
    # gap / closing < distance / speed, without divisions
    is_sooner = mask_and(is_sooner, less(gap * speed, distance * closing))
    distance, speed = select(is_sooner, gap, distance), select(is_sooner, closing, speed)
    return distance, speed, select(is_sooner, block, nearest_block)


@compiled(**INTERNAL)
def first_contact(u, du, may_enter, n, mu, min_speed, step, positive):
    """Smallest t below `step` at which an entry u - t du meets the bound mu - t, and its index.

    The index is -1 if there is none. Only entries that may enter count, and that approach the
    bound faster than `min_speed`.
    """
    L, j = lanes(u), 0
    one = splat(u.dtype.type(1))
    bound, slowest, block = splat(mu), splat(min_speed), one - one
    even = splat(step), one, splat(u.dtype.type(-1))
    odd = even
    while j + 2 * L <= n:  # two searches at once: each step of one waits for the last
        even = _contacts(u, du, may_enter, j, bound, slowest, block, even, positive)
        block = block + one
        odd = _contacts(u, du, may_enter, j + L, bound, slowest, block, odd, positive)
        block = block + one
        j += 2 * L
    if j < n:
        even = _contacts(u, du, may_enter, j, bound, slowest, block, even, positive)
    steps, others = even[0] / even[1], odd[0] / odd[1]
    is_odd = less(others, steps)
    steps, nearest_block = select(is_odd, others, steps), select(is_odd, odd[2], even[2])
    nearest = reduce_min(steps)
    matches = movemask(equal(steps, splat(nearest)))
    if not matches:
        return step, -1
    lane = ctz(matches)
    vector = np.int64(extract_lane(nearest_block, lane))
    return nearest, vector * L + lane if vector >= 0 else -1


@compiled(**INTERNAL)
def first_zero_crossing(values, change, signs, k, step):
    """Smallest t below `step` at which an entry values + t change reaches zero, and its index.

    The index is -1 if there is none.
    """
    zero = splat(values.dtype.type(0))
    entry = -1
    nearest = splat(step)
    for j in range(0, k, lanes(values)):
        move, value = load(change, j), magnitude(load(values, j))
        is_sooner = less(move * load(signs, j), zero)
        is_sooner = mask_and(is_sooner, less(value, nearest * magnitude(move)))
        if movemask(is_sooner):
            steps = select(is_sooner, value / magnitude(move), nearest)
            step = reduce_min(steps)
            nearest = splat(step)
            entry = j + ctz(movemask(equal(steps, nearest)))
    return step, entry
