"""Cholesky factor of a growing and shrinking system, in the leading k rows of a square buffer."""

from numba import njit

# NaN and infinity keep their meaning: bounds such as inf steps rely on them
FAST = {"contract", "reassoc", "nsz", "arcp"}
options = {"cache": True, "nogil": True, "fastmath": FAST, "error_model": "numpy"}


@njit(**options)
def append(L, k, diagonal, tolerance):
    """Turn row k of L from the matrix into a row of the factor; False if it is dependent."""
    pivot = diagonal
    row = L[k]
    for r in range(k):
        above = L[r]
        u = row[r]
        for c in range(r):
            u -= above[c] * row[c]
        u /= above[r]
        row[r] = u
        pivot -= u * u
    if pivot <= tolerance * diagonal:
        return False
    row[k] = pivot**0.5
    return True


@njit(**options)
def remove(L, k, d):
    """Delete row and column d from the leading k rows, by rotations of the columns behind it."""
    for r in range(d, k - 1):
        source, row = L[r + 1], L[r]
        for c in range(r + 2):
            row[c] = source[c]
    for i in range(d, k - 1):
        a, b = L[i, i], L[i, i + 1]
        norm = (a * a + b * b) ** 0.5
        cosine, sine = a / norm, b / norm
        for r in range(i, k - 1):
            row = L[r]
            left, right = row[i], row[i + 1]
            row[i] = cosine * left + sine * right
            row[i + 1] = cosine * right - sine * left


@njit(**options)
def forward(L, k, b, first):
    """Solve L y = b in place from entry `first` on; the entries before it hold y already."""
    for r in range(first, k):
        row = L[r]
        u = b[r]
        for c in range(r):
            u -= row[c] * b[c]
        b[r] = u / row[r]


@njit(**options)
def backward(L, k, b):
    """Solve L' x = b in place."""
    for r in range(k - 1, -1, -1):
        row = L[r]
        u = b[r] / row[r]
        b[r] = u
        for c in range(r):
            b[c] -= u * row[c]


@njit(**options)
def combine_rows(G, rows, k, weights, out):
    """Write sum_r weights[r] * G[rows[r]] to out, four rows at a time, in the precision of out."""
    p = out.shape[0]
    for j in range(p):
        out[j] = 0
    whole = k - k % 4
    for r in range(0, whole, 4):
        g0, g1, g2, g3 = G[rows[r]], G[rows[r + 1]], G[rows[r + 2]], G[rows[r + 3]]
        w0, w1 = out.dtype.type(weights[r]), out.dtype.type(weights[r + 1])
        w2, w3 = out.dtype.type(weights[r + 2]), out.dtype.type(weights[r + 3])
        for j in range(p):
            out[j] += w0 * g0[j] + w1 * g1[j] + w2 * g2[j] + w3 * g3[j]
    for r in range(whole, k):
        g0, w0 = G[rows[r]], out.dtype.type(weights[r])
        for j in range(p):
            out[j] += w0 * g0[j]
