"""Systems I + S G S solved in feature space, by Woodbury's identity.

With B = D S, whose columns are scaled atoms, (I + B'B)^-1 = I - B' (I + B B')^-1 B: a factor as
large as a signal. In single precision it is accurate as a preconditioner, not beyond.
"""

from ._cholesky32 import factor, solve
from ._compile import INTERNAL, compiled
from ._products import add_rows, inner_products
from ._vectors import lanes, less, load, load_row, select, splat, store, store_row


@compiled(**INTERNAL)
def factor_features(gram, k, f):
    """Factor I + D S^2 D' for the first k of the factor's atoms and its scale, in place."""
    U, atoms, m = f.U, gram.atoms, gram.features.shape[0]
    L, width, one = lanes(U), atoms.shape[1], U.dtype.type(1)
    zero = splat(one - one)
    for r in range(0, m, 4):
        for i in range(r // (2 * L) * (2 * L), width, 2 * L):
            a0, a1, a2, a3 = zero, zero, zero, zero
            b0, b1, b2, b3 = zero, zero, zero, zero
            for q in range(k):
                j = f.atoms[q]
                square = splat(U.dtype.type(f.scale[j] * f.scale[j]))
                left = square * load_row(atoms, j, i)
                right = square * load_row(atoms, j, i + L)
                c0, c1 = splat(atoms[j, r]), splat(atoms[j, r + 1])
                c2, c3 = splat(atoms[j, r + 2]), splat(atoms[j, r + 3])
                a0, b0, a1, b1 = a0 + c0 * left, b0 + c0 * right, a1 + c1 * left, b1 + c1 * right
                a2, b2, a3, b3 = a2 + c2 * left, b2 + c2 * right, a3 + c3 * left, b3 + c3 * right
            store_row(U, r, i, a0)
            store_row(U, r, i + L, b0)
            store_row(U, r + 1, i, a1)
            store_row(U, r + 1, i + L, b1)
            store_row(U, r + 2, i, a2)
            store_row(U, r + 2, i + L, b2)
            store_row(U, r + 3, i, a3)
            store_row(U, r + 3, i + L, b3)
        for q in range(r, r + 4):
            U[q, q] += one
    factor(U, m, width, f.inv_diagonal)


@compiled(**INTERNAL)
def precondition_by_features(gram, f, v):
    """Write the preconditioned residual: by the factor on its atoms, else by the diagonal."""
    features, m, width = gram.features, gram.features.shape[0], gram.atoms.shape[1]
    L, none, zero = lanes(v.r), v.r.dtype.type(0), splat(v.r.dtype.type(0))
    for i in range(0, v.r.shape[0], L):
        ratio = load(v.ratio, i)
        store(v.work, i, ratio * ratio * load(v.scale, i) * load(v.r, i))
    for j in range(0, m, 4):
        f.vector32[j], f.vector32[j + 1], f.vector32[j + 2], f.vector32[j + 3] = inner_products(
            features, j, v.work
        )
    for j in range(m, width):
        f.vector32[j] = none
    solve(f.U, m, width, f.inv_diagonal, f.vector32)
    for i in range(0, v.r.shape[0], L):
        store(v.work, i, zero)
    for j in range(0, m, 4):
        t0, t1 = f.vector32[j] + none, f.vector32[j + 1] + none
        t2, t3 = f.vector32[j + 2] + none, f.vector32[j + 3] + none
        add_rows(features, j, t0, t1, t2, t3, v.work)
    for i in range(0, v.r.shape[0], L):
        r, ratio = load(v.r, i), load(v.ratio, i)
        on_factored = ratio * ratio * (r - load(v.scale, i) * load(v.work, i))
        on_others = r * load(v.inv_diagonal, i)
        store(v.z, i, select(less(zero, ratio), on_factored, on_others))
