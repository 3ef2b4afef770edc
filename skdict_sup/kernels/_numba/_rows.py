"""Loops over rows of numbers, a vector at a time; lengths are rounded up to whole vectors."""

import numpy as np

from ._compile import INTERNAL, compiled
from ._vectors import (
    BYTES,
    bits,
    both,
    choose,
    equal,
    greatest,
    lane_of,
    lanes,
    least,
    less,
    load,
    load_row_wide,
    lowest,
    magnitude,
    splat,
    store,
    store_wide,
    total,
)


def aligned(shape, dtype):
    """Uninitialised array that starts at a multiple of a vector's length."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.empty(size + BYTES, np.uint8)
    start = -buffer.ctypes.data % BYTES
    return buffer[start : start + size].view(dtype).reshape(shape)


@compiled(**INTERNAL)
def fill(out, n, value):
    """Set n entries to a value."""
    x = splat(value)
    for j in range(0, n, lanes(out)):
        store(out, j, x)


@compiled(**INTERNAL)
def axpy(alpha, x, out, n):
    """Add alpha x to out."""
    scale = splat(alpha)
    for j in range(0, n, lanes(x)):
        store(out, j, load(out, j) + scale * load(x, j))


@compiled(**INTERNAL)
def dot(x, y, n):
    """Inner product."""
    sum_ = splat(x.dtype.type(0))
    for j in range(0, n, lanes(x)):
        sum_ = sum_ + load(x, j) * load(y, j)
    return total(sum_)


@compiled(**INTERNAL)
def largest(x, n, positive):
    """Largest entry, by magnitude unless `positive`; at least zero."""
    top = splat(x.dtype.type(0))
    for j in range(0, n, lanes(x)):
        here = load(x, j)
        if not positive:
            here = magnitude(here)
        top = choose(less(top, here), here, top)
    return greatest(top)


@compiled(**INTERNAL)
def find(x, n, value):
    """Place of the first entry equal to a value, -1 without one."""
    for j in range(0, n, lanes(x)):
        there = bits(equal(load(x, j), splat(value)))
        if there:
            return j + lowest(there)
    return -1


@compiled(**INTERNAL)
def select(x, n, bound, positive, places):
    """Write the places of the entries above a bound (by magnitude unless `positive`)."""
    found = 0
    for j in range(0, n, lanes(x)):
        here = load(x, j)
        if not positive:
            here = magnitude(here)
        there = bits(less(splat(bound), here))
        while there:
            places[found] = j + lowest(there)
            found += 1
            there &= there - 1
    return found


@compiled(**INTERNAL)
def combine(rows, stride, which, k, weights, n, out):
    """Write sum_r weights[r] * (row which[r] of a flat matrix with this stride) to out."""
    L = lanes(out)
    zero = splat(out.dtype.type(0))
    j = 0
    while j + 8 * L <= n:  # eight sums at once keep both multipliers busy
        a, b, c, d = zero, zero, zero, zero
        e, f, g, h = zero, zero, zero, zero
        for r in range(k):
            start, weight = which[r] * stride + j, splat(weights[r])
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
    while j < n:
        a, b, c, d = zero, zero, zero, zero
        j1 = min(j + L, n - L)  # of the last two vectors, one may be computed twice
        for r in range(0, k - 1, 2):
            x, y = splat(weights[r]), splat(weights[r + 1])
            start, next_ = which[r] * stride, which[r + 1] * stride
            a = a + x * load(rows, start + j)
            b = b + y * load(rows, next_ + j)
            c = c + x * load(rows, start + j1)
            d = d + y * load(rows, next_ + j1)
        if k % 2:
            x, start = splat(weights[k - 1]), which[k - 1] * stride
            a = a + x * load(rows, start + j)
            c = c + x * load(rows, start + j1)
        store(out, j, a + b)
        store(out, j1, c + d)
        j += 2 * L


@compiled(**INTERNAL)
def residual(gram, corr, i, active, k, values, u):
    """Write corr[i] - sum_r values[r] gram[active[r]] to u, summed in float64, rounded once."""
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
    while j < p:  # the last two vectors may overlap those before
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
def contact(u, du, live, n, mu, flat, step, positive):
    """First entry u - t du to meet the bound mu - t, with t below `step`; t and the entry, or -1.

    Entries count that are live, and that approach the bound faster than `flat`.
    """
    L = lanes(u)
    zero, one = splat(u.dtype.type(0)), splat(u.dtype.type(1))
    bound, slow, here = splat(mu), splat(flat), zero
    distance, speed, where = splat(step), one, splat(u.dtype.type(-1))
    for j in range(0, n, L):
        entry, change = load(u, j), load(du, j)
        if not positive:
            upper = less(bound * change, entry)  # which of the two bounds comes first
            entry = choose(upper, entry, zero - entry)
            change = choose(upper, change, zero - change)
        closing, gap = one - change, bound - entry
        sooner = both(less(slow, closing), less(zero, load(live, j)))
        sooner = both(sooner, less(gap * speed, distance * closing))  # no division here
        distance, speed = choose(sooner, gap, distance), choose(sooner, closing, speed)
        where = choose(sooner, here, where)
        here = here + one
    steps = distance / speed
    nearest = least(steps)
    there = bits(equal(steps, splat(nearest)))
    if not there:
        return step, -1
    lane = lowest(there)
    vector = np.int64(lane_of(where, lane))
    return nearest, vector * L + lane if vector >= 0 else -1


@compiled(**INTERNAL)
def crossing(values, change, signs, k, step):
    """First entry values + t change to reach zero, with t below `step`; t and the entry, or -1."""
    zero = splat(values.dtype.type(0))
    entry = -1
    nearest = splat(step)
    for j in range(0, k, lanes(values)):
        move, value = load(change, j), magnitude(load(values, j))
        meets = less(move * load(signs, j), zero)
        meets = both(meets, less(value, nearest * magnitude(move)))
        if bits(meets):
            steps = choose(meets, value / magnitude(move), nearest)
            step = least(steps)
            nearest = splat(step)
            entry = j + lowest(bits(equal(steps, nearest)))
    return step, entry
