"""Cholesky factor of a growing matrix, in the leading k rows of a square buffer."""

from ._compile import ALLOCATING, compiled


@compiled(**ALLOCATING)
def append_row(L, k, diagonal, tolerance):
    """Replace row k of the matrix in L by a row of the factor; False if it is dependent."""
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


@compiled(**ALLOCATING)
def forward_substitution(L, k, b, first):
    """Solve L y = b in place from entry `first` on; the entries before it hold y already."""
    for r in range(first, k):
        row = L[r]
        u = b[r]
        for c in range(r):
            u -= row[c] * b[c]
        b[r] = u / row[r]


@compiled(**ALLOCATING)
def backward_substitution(L, k, b):
    """Solve L' x = b in place."""
    for r in range(k - 1, -1, -1):
        row = L[r]
        u = b[r] / row[r]
        b[r] = u
        for c in range(r):
            b[c] -= u * row[c]
