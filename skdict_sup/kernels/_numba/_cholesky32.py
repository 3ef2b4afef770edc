"""Cholesky factors in single precision, four rows at a time."""

from ._compile import INTERNAL, compiled
from ._vectors import lanes, load, load_row, reduce_add, splat, store, store_row


@compiled(**INTERNAL)
def factor(U, k, width, inv_diagonal):
    """Replace the upper triangle of M in `U` by its factor, U'U = M, in place.

    Writes the inverses of the diagonal of U, too. k is a multiple of four, and width, at least k,
    of two vectors. Rows from k on do not change.
    """
    L, one = lanes(U), U.dtype.type(1)
    for j in range(0, k, 4):
        first = j // (2 * L) * (2 * L)
        for i in range(first, width, 2 * L):
            a0, b0 = load_row(U, j, i), load_row(U, j, i + L)
            a1, b1 = load_row(U, j + 1, i), load_row(U, j + 1, i + L)
            a2, b2 = load_row(U, j + 2, i), load_row(U, j + 2, i + L)
            a3, b3 = load_row(U, j + 3, i), load_row(U, j + 3, i + L)
            for q in range(j):
                left, right = load_row(U, q, i), load_row(U, q, i + L)
                c0, c1 = splat(U[q, j]), splat(U[q, j + 1])
                c2, c3 = splat(U[q, j + 2]), splat(U[q, j + 3])
                a0, b0 = a0 - c0 * left, b0 - c0 * right
                a1, b1 = a1 - c1 * left, b1 - c1 * right
                a2, b2 = a2 - c2 * left, b2 - c2 * right
                a3, b3 = a3 - c3 * left, b3 - c3 * right
            store_row(U, j, i, a0)
            store_row(U, j, i + L, b0)
            store_row(U, j + 1, i, a1)
            store_row(U, j + 1, i + L, b1)
            store_row(U, j + 2, i, a2)
            store_row(U, j + 2, i + L, b2)
            store_row(U, j + 3, i, a3)
            store_row(U, j + 3, i + L, b3)
        for r in range(j, j + 4):
            for q in range(j, r):
                c = splat(U[q, r])
                for i in range(first, width, L):
                    store_row(U, r, i, load_row(U, r, i) - c * load_row(U, q, i))
            if not U[r, r] > one:  # pivots of I + S G S are above one up to rounding
                U[r, r] = one
            inv_diagonal[r] = one / U[r, r] ** 0.5
            scale = splat(inv_diagonal[r])
            for i in range(first, width, L):
                store_row(U, r, i, scale * load_row(U, r, i))
            for i in range(first, r):  # entries left of the diagonal in the same vector
                U[r, i] = one - one


@compiled(**INTERNAL)
def solve(U, k, width, inv_diagonal, b):
    """Solve U'U x = b in place; b is zero from k up to width.

    Four rows at a time, since each row waits for the one before it.
    """
    L, zero = lanes(U), splat(U.dtype.type(0))
    for r in range(0, k, 4):
        y0 = b[r] * inv_diagonal[r]
        y1 = (b[r + 1] - U[r, r + 1] * y0) * inv_diagonal[r + 1]
        y2 = (b[r + 2] - U[r, r + 2] * y0 - U[r + 1, r + 2] * y1) * inv_diagonal[r + 2]
        y3 = b[r + 3] - U[r, r + 3] * y0 - U[r + 1, r + 3] * y1 - U[r + 2, r + 3] * y2
        y3 = y3 * inv_diagonal[r + 3]
        s0, s1, s2, s3 = splat(y0), splat(y1), splat(y2), splat(y3)
        for i in range(r // L * L, width, L):
            step = s0 * load_row(U, r, i) + s1 * load_row(U, r + 1, i)
            step = step + (s2 * load_row(U, r + 2, i) + s3 * load_row(U, r + 3, i))
            store(b, i, load(b, i) - step)
        b[r], b[r + 1], b[r + 2], b[r + 3] = y0, y1, y2, y3
    for r in range(k - 4, -1, -4):
        y0, y1, y2, y3 = b[r], b[r + 1], b[r + 2], b[r + 3]
        none = b[r] - b[r]  # excludes these rows from the sums
        b[r], b[r + 1], b[r + 2], b[r + 3] = none, none, none, none
        s0, s1, s2, s3 = zero, zero, zero, zero
        for i in range(r // L * L, width, L):
            x = load(b, i)
            s0, s1 = s0 + load_row(U, r, i) * x, s1 + load_row(U, r + 1, i) * x
            s2, s3 = s2 + load_row(U, r + 2, i) * x, s3 + load_row(U, r + 3, i) * x
        x3 = (y3 - reduce_add(s3)) * inv_diagonal[r + 3]
        x2 = (y2 - reduce_add(s2) - U[r + 2, r + 3] * x3) * inv_diagonal[r + 2]
        x1 = y1 - reduce_add(s1) - U[r + 1, r + 2] * x2 - U[r + 1, r + 3] * x3
        x1 = x1 * inv_diagonal[r + 1]
        x0 = y0 - reduce_add(s0) - U[r, r + 1] * x1 - U[r, r + 2] * x2 - U[r, r + 3] * x3
        b[r], b[r + 1], b[r + 2], b[r + 3] = x0 * inv_diagonal[r], x1, x2, x3
