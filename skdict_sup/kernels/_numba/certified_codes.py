"""Certificates of float32 codes in float64, from residuals and the few atoms that may matter."""

from collections import namedtuple

import numpy as np

from ..panel_products import product_rounding
from ._cholesky32 import factor, solve
from ._compile import INTERNAL, OPTIONS, compiled
from ._nonzeros import nonzeros_of_row
from ._residuals import correlation, find_residual
from ._rows import aligned
from ._space import Kept
from ._vectors import (
    BYTES,
    ctz,
    lanes,
    less,
    load,
    load_row,
    magnitude,
    movemask,
    reduce_max,
    select,
    splat,
)

_UNIT, _UNIT_32 = 2.0**-53, 2.0**-24
_TINY = 2.0**-148  # twice the error of a product in float32 that underflows
_POLISHED = 0.5  # gaps above this fraction of the tolerance are reduced
_STEP = 32  # numbers of nonzeros for which work space is allocated
_MIN_PIVOT = 2.0**-20  # smallest pivot of a Newton step, relative to the least diagonal entry

_Atoms = namedtuple(
    "_Atoms",
    (
        "dictionary",
        "gram",
        "longest",  # upper bound on the largest norm of an atom
        "lam",  # in float64
        "least_lam",  # lower bounds on these: numbers in arrays are rounded to float32
        "lam2",
        "positive",
        "rounding",  # bound on errors of products in float32, relative to norms
    ),
)
_Space = namedtuple(
    "_Space",
    (
        "active",  # nonzeros of a code: indices,
        "values",  # entries,
        "rounded",  # entries in float32,
        "slopes",  # correlations with the residual, minus lam2 times the code
        "factor",  # Cholesky factor of their system
        "inverse_diagonal",  # inverses of its diagonal
        "step",  # Newton step
        "residual",
        "near",  # indices of other atoms whose bounds may be violated
        "norms",  # upper bounds on the norms of the atoms, in float64
        "norms32",  # upper bounds on these, padded
        "lam32",  # lower bounds on the weights of the atoms in float32, padded
    ),
)


_kept = Kept()


def certified_codes(
    X, dictionary, gram, corr, code, slope, lam, lam2, positive, tol, is_exact=None
):
    """Compiled implementation; the docstring of the reference is the contract."""
    (n, p), m = code.shape, X.shape[1]
    arrays = [np.ascontiguousarray(a) for a in (X, dictionary, gram, corr, slope)]
    X, dictionary, gram, corr, slope = arrays
    code = np.array(code, order="C")
    rounding, weights = product_rounding(m), np.full(p, lam, np.float64)
    least_lam = weights * (1 - _UNIT_32) if np.ndim(lam) else weights
    capacity = -(-_most_nonzeros(code) // _STEP) * _STEP
    space = _kept.get(_allocate_space, capacity, p, m)
    longest = _prepare(gram, weights, rounding, m * _TINY, space)
    settings = float(lam2), bool(positive), rounding
    atoms = _Atoms(dictionary, gram, longest, weights, least_lam, *settings)
    found = np.empty((3, n), np.float32)
    is_exact = np.zeros(n, bool) if is_exact is None else np.ascontiguousarray(is_exact)
    _certify(X, corr, is_exact, code, slope, atoms, _POLISHED * tol, space, found)
    return code, *found


def _allocate_space(capacity, p, m):
    """Work space for codes with up to `capacity` nonzeros."""
    k, padding = capacity + 1, BYTES // 4
    width = (k + 2 * padding) // padding * padding
    return _Space(
        *(np.empty(k, np.int64), *(np.empty(k) for _ in range(3))),
        *(aligned(shape, np.float32) for shape in ((width, width), width, width)),
        *(aligned(m + padding, np.float64), np.empty(p, np.int64), np.empty(p)),
        *(aligned(p + padding, np.float32) for _ in range(2)),
    )


@compiled(**OPTIONS)
def _prepare(gram, lam, rounding, tiny, space):
    """Write bounds on norms and weights to the space; returns that on the largest norm."""
    longest = 0.0
    for j in range(gram.shape[0]):
        norm = np.sqrt(np.float64(gram[j, j]) * (1.0 + 2.0 * rounding) + tiny)
        longest = max(longest, norm)
        space.norms[j], space.norms32[j] = norm, norm * (1.0 + 4.0 * _UNIT_32)
        space.lam32[j] = lam[j] * (1.0 - 4.0 * _UNIT_32)
    return longest


@compiled(**OPTIONS)
def _most_nonzeros(code):
    """Largest number of nonzeros of a row."""
    most = 0
    for i in range(code.shape[0]):
        count = 0
        for j in range(code.shape[1]):
            count += code[i, j] != 0
        most = max(most, count)
    return most


@compiled(**INTERNAL)
def _find_near(corr, slope, i, code, error, tiny, atoms, space):
    """Write the atoms off the support whose bounds may be violated to the space.

    `error` bounds the errors of the slopes, relative to the norms of the atoms. Returns the
    number, and the largest correlation with the signal in magnitude.
    """
    p, L, j, count = corr.shape[1], lanes(corr), 0, 0
    error32, tiny32, top = np.float32(error), np.float32(tiny), np.float32(0)
    tops, errors, slack = splat(top), splat(error32), splat(tiny32)
    unit = np.float32(2 * _UNIT_32)
    roundings = splat(unit)
    while j < p:
        matches = 0
        if j + L <= p:
            entry, u = magnitude(load_row(corr, i, j)), load_row(slope, i, j)
            tops = select(less(tops, entry), entry, tops)
            if not atoms.positive:
                u = magnitude(u)
            # a correlation and a slope are rounded to float32
            rounded = roundings * (entry + magnitude(u)) + slack
            bounds = load(space.lam32, j) - errors * load(space.norms32, j) - rounded
            # also where a bound or a slope is not a number
            matches = movemask(less(u, bounds)) ^ ((1 << L) - 1)
        else:
            for h in range(j, p):
                u1 = slope[i, h] if atoms.positive else abs(slope[i, h])
                top = max(top, abs(corr[i, h]))
                rounded = unit * (abs(corr[i, h]) + abs(u1)) + tiny32
                bound = space.lam32[h] - error32 * space.norms32[h] - rounded
                matches |= np.int64(not u1 < bound) << (h - j)
        while matches:
            atom = j + ctz(matches)
            matches &= matches - 1
            if code[i, atom] == np.float32(0):
                space.near[count] = atom
                count += 1
        j += L
    return count, max(top, reduce_max(tops))


@compiled(**INTERNAL)
def _measure(X, corr, is_exact, slope, i, code, k, moved, atoms, space):
    """Bounds on the optimality residual and relative gap of the code in the space; objective.

    The dual point is the residual of `values`, and the code is `rounded`. `is_exact` says whether
    correlations are exact but for one rounding. `moved` bounds the norm of the change of the
    reconstruction since the slopes were computed.
    """
    D, active, values, rounded = atoms.dictionary, space.active, space.values, space.rounded
    lam, least_lam, norms, m = atoms.lam, atoms.least_lam, space.norms, X.shape[1]
    squares, sq_norm = find_residual(X, i, D, active, values, k, space.residual)
    parts, l1, sq_code, penalty = 0.0, 0.0, 0.0, 0.0
    change, sq_change, worst_change, sq_image = 0.0, 0.0, 0.0, 0.0
    for r in range(k):
        j, size, step = active[r], abs(values[r]), abs(rounded[r] - values[r])
        parts += size * norms[j]
        l1 += size
        sq_code += size * size
        penalty += lam[j] * abs(rounded[r])
        change += step * norms[j]
        sq_change += step * step
        worst_change = max(worst_change, step)
        for c in range(r if step > 0.0 else 0):
            product = (rounded[r] - values[r]) * (rounded[c] - values[c])
            sq_image += 2.0 * product * atoms.gram[j, active[c]]
        sq_image += step * step * norms[j] * norms[j]
    norm, x_norm = np.sqrt(squares), np.sqrt(sq_norm)
    size = x_norm + parts
    # bounds on errors of the residual, and of correlations relative to the norm of the atom
    lost = (k + 2) * _UNIT * size if k else 0.0
    error = (m + 8) * _UNIT * norm + lost
    tiny = (m + k) * _TINY * (1.0 + l1)
    corr_error = (2 * (m + 8) * _UNIT if is_exact else atoms.rounding) * x_norm
    slope_error = corr_error + (atoms.rounding + 4 * _UNIT_32) * parts
    slope_error = 1.01 * (slope_error + moved)
    n_near, top = _find_near(corr, slope, i, code, slope_error, tiny, atoms, space)

    scale, violation = 1.0, 0.0
    for r in range(k):
        j = active[r]
        u = correlation(D, j, space.residual) - atoms.lam2 * values[r]
        slack, sign = error * norms[j], 1.0 if values[r] > 0.0 else -1.0
        space.slopes[r] = u
        bounded = (u if atoms.positive else abs(u)) + slack
        if bounded > least_lam[j]:
            scale = min(scale, least_lam[j] / bounded)
        slack += lam[j] - least_lam[j]
        violation = max(violation, abs(u - lam[j] * sign) + slack)
    for h in range(n_near):
        j = space.near[h]
        u = correlation(D, j, space.residual)
        bounded = (u if atoms.positive else abs(u)) + error * norms[j]
        if not bounded <= least_lam[j]:
            scale = min(scale, least_lam[j] / bounded)
            violation = max(violation, bounded - least_lam[j])

    shrinkage = 1.0 - scale
    gap = 0.5 * (shrinkage * norm + lost) ** 2 + 0.5 * shrinkage**2 * atoms.lam2 * sq_code
    gap += 0.5 * (change * change + atoms.lam2 * sq_change)
    for r in range(k):
        j, u, w = active[r], space.slopes[r], values[r]
        slack, step = error * norms[j] + (lam[j] - least_lam[j]), rounded[r] - w
        gap += lam[j] * abs(w) - scale * (w * u) + abs(w) * slack
        gap += lam[j] * (abs(rounded[r]) - abs(w)) - step * u + abs(step) * slack
    gap = max(gap, 0.0) + (8 * (k + 4) * _UNIT * penalty if k else 0.0)
    objective = 0.5 * (squares + atoms.lam2 * sq_code) + penalty
    objective += 0.5 * (max(sq_image, 0.0) + atoms.lam2 * sq_change)
    for r in range(k):
        objective -= (rounded[r] - values[r]) * space.slopes[r]
    largest = max(objective - lost * norm, 2 * _UNIT_32 * sq_norm)
    gap = gap / largest if largest > 0.0 else gap
    least_top = top * (1.0 - 4 * _UNIT_32) - corr_error * atoms.longest
    worst = 0.0
    if violation > 0.0:
        violation += change * atoms.longest + atoms.lam2 * worst_change
        worst = violation / least_top if least_top > 0.0 else np.inf
    if not (objective < np.inf and gap < np.inf):
        return np.inf, np.inf, np.inf
    return worst, gap, objective


@compiled(**INTERNAL)
def _take_newton_step(k, atoms, space):
    """Move `values` by a Newton step on the support.

    Returns a bound on the norm of the change of the reconstruction, or zero where a sign changes.
    """
    gram, active, values = atoms.gram, space.active, space.values
    U, step = space.factor, space.step
    L, zero, one = lanes(U), np.float32(0), np.float32(1)
    width, size, least = (k + 2 * L - 1) // (2 * L) * (2 * L), (k + 3) // 4 * 4, np.inf
    for r in range(k):
        least = min(least, gram[active[r], active[r]] + atoms.lam2)
    if not least > 0.0:
        return 0.0
    scale = 1.0 / (_MIN_PIVOT * least)  # smaller pivots become one
    for r in range(size):
        for c in range(r // (2 * L) * (2 * L), width):
            U[r, c] = zero
        if r < k:
            for c in range(r, k):
                U[r, c] = scale * gram[active[r], active[c]]
            U[r, r] += scale * atoms.lam2
        else:
            U[r, r] = one
    for r in range(width):
        step[r] = zero
    for r in range(k):
        sign = 1.0 if values[r] > 0.0 else -1.0
        step[r] = scale * (space.slopes[r] - atoms.lam[active[r]] * sign)
    factor(U, size, width, space.inverse_diagonal)
    solve(U, size, width, space.inverse_diagonal, step)
    moved = 0.0
    for r in range(k):
        value = values[r] + np.float64(step[r])
        rounded = np.float64(np.float32(value))
        if not rounded * values[r] > 0.0:
            return 0.0
        moved += (abs(step[r]) + abs(rounded - value)) * space.norms[active[r]]
        space.values[r], space.rounded[r] = value, rounded
    return moved


@compiled(**OPTIONS)
def _certify(X, corr, is_exact, code, slope, atoms, polish_above, space, found):
    """Write the certificates of all codes to the rows of `found`, and improve some codes."""
    for i in range(code.shape[0]):
        k, moved, is_first = nonzeros_of_row(code, i, space.active, space.values), 0.0, True
        for r in range(k):
            space.rounded[r] = space.values[r]
        worst, gap, objective = np.inf, np.inf, np.inf
        while is_first or moved > 0.0:
            again, less_gap, value = _measure(
                X, corr, is_exact[i], slope, i, code, k, moved, atoms, space
            )
            if is_first or less_gap < gap:
                worst, gap, objective = again, less_gap, value
                for r in range(0 if is_first else k):
                    code[i, space.active[r]] = space.rounded[r]
            is_poor = is_first and gap > polish_above and k > 0
            moved = _take_newton_step(k, atoms, space) if is_poor else 0.0
            is_first = False
        up = 1.0 + 4 * _UNIT_32  # bounds stay bounds in float32
        found[0, i], found[1, i], found[2, i] = up * worst, up * gap, objective
