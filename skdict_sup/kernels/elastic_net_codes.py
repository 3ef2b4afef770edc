"""Kernel: exact elastic-net codes of a batch."""

import numpy as np

from .._array import device_of, eps, namespace, take_rows, to_numpy
from ._dispatch import kernel
from ._systems import SharedSystem


@kernel
def elastic_net_codes(gram, corr, lam, lam2, positive, init=None, max_iter=None):
    r"""Exact codes argmin_w 1/2 w'(G + lam2 I)w - <corr, w> + <lam, |w|>, finished to rounding.

    Active-set descent: minimise on the support up to the first entry that would change sign, and
    remove that entry; once the support is stationary, add the atom that violates its bound most.
    An atom that depends on the support is exchanged for the entry that reaches zero first along
    the direction that does not change the reconstruction. The objective decreases at every change,
    so no support occurs twice. (Without `init`, compiled versions may reach the first support by
    homotopy in lam; the answer is the same.)

    Parameters
    ----------
    gram : array (n_components, n_components)
        Inner products of the atoms.
    corr : array (n_samples, n_components)
        Inner products of signals and atoms.
    lam : float, or array (n_components,)
        Weight of the l1 norm, or of each entry. Signed entries with weight zero are free: they
        are on the support whatever their sign.
    lam2 : float
    positive : bool
        Whether w >= 0.
    init : array like corr or None
        Codes to start from; their nonzeros are the first supports.
    max_iter : int or None
        Bound on the changes of the support per signal; None for 100 + 10 n_components.

    Returns
    -------
    code : array (n_samples, n_components)
    slope : array (n_samples, n_components)
        corr - code G, minus the gradient of the reconstruction term.
    n_iter : int array (n_samples,)
        Changes of the support, for each signal.

    References
    ----------
    H. Lee et al., "Efficient sparse coding algorithms", 2007 (feature-sign search);
    M. Osborne et al., "A new approach to variable selection in least squares", 2000 (homotopy).
    """
    return exact_codes(SharedSystem(gram), corr, lam, lam2, positive, init, max_iter)


def exact_codes(system, corr, lam, lam2, positive, init, max_iter):
    """`elastic_net_codes` for any system of atoms."""
    xp = namespace(corr)
    n, p = corr.shape
    code = xp.zeros_like(corr)
    if init is not None:
        code = xp.where(init > 0, init, code) if positive else init + code
    n_iter = np.zeros(n, np.int64)
    remaining, state = list(range(n)), _initial_state(xp, system, lam2, code)
    floor = eps(corr) * xp.max(xp.abs(corr), axis=1)
    limit = max_iter or 100 + 10 * p
    finished = {}
    active_corr = corr
    for iteration in range(limit):
        if not remaining:
            break
        state, slope, done = _step(xp, system, active_corr, lam, lam2, positive, floor, state)
        done = to_numpy(done)
        if iteration == limit - 1:
            done = done | True
        for row in done.nonzero()[0]:
            finished[remaining[row]] = (state[0][int(row), :], slope[int(row), :])
            n_iter[remaining[row]] = iteration
        if done.any():
            rows_left = (~done).nonzero()[0]
            remaining = [remaining[row] for row in rows_left]
            active_corr, floor = take_rows(active_corr, rows_left), take_rows(floor, rows_left)
            system = system.rows(rows_left)
            state = tuple(take_rows(part, rows_left) for part in state)
    n_iter = xp.asarray(n_iter, device=device_of(corr))
    if not n:
        return code, corr, n_iter
    code = xp.stack([finished[i][0] for i in range(n)], axis=0)
    slope = xp.stack([finished[i][1] for i in range(n)], axis=0)
    return code, slope, n_iter


def _initial_state(xp, system, lam2, code):
    """State at the start: code, its signs (nonzero on the support), barred atoms, refinements.

    Atoms of the initial code that depend on earlier ones are removed. Refinements are counted
    since the last change of the support.
    """
    device = device_of(code)
    if bool(xp.any(code != 0)):
        code = xp.where(
            _dependent(xp, system, lam2, code != 0, code.dtype), xp.zeros_like(code), code
        )
    barred = xp.zeros(code.shape, dtype=xp.bool, device=device)
    return code, xp.sign(code), barred, xp.zeros(code.shape[0], dtype=xp.int64, device=device)


def _dependent(xp, system, lam2, support, dtype):
    """Atoms of each support that `support_solve` drops.

    These are the atoms whose solution is exactly zero for a generic right-hand side.
    """
    kwargs = {"dtype": dtype, "device": device_of(support)}
    generic = xp.cos(xp.arange(1, support.shape[1] + 1, **kwargs))
    rhs = generic[None, :] + xp.zeros(support.shape, **kwargs)
    return support & (system.solve(lam2, support, rhs) == 0)


def _step(xp, system, corr, lam, lam2, positive, floor, state):
    """Refine the code of each signal, or remove an atom, add one, or exchange two.

    Returns the state, the slope before the step, and whether the code of a signal is optimal.
    """
    code, sign, barred, n_refined = state
    p = code.shape[1]
    atoms = xp.arange(p, device=device_of(code))[None, :]
    zero = xp.zeros_like(code)
    has_sign = (lam + zero > 0) | positive
    slope = corr - system.times(code)
    support = sign != 0
    residual = xp.where(support, slope - lam2 * code - lam * sign, zero)
    refines = (xp.max(xp.abs(residual), axis=1) > floor) & (n_refined < 3)

    # refine: take a Newton step on the support, up to the first sign change
    move = system.solve(lam2, support, residual)
    target = code + move
    changes_sign = support & has_sign & (target * sign <= 0) & refines[:, None]
    is_moving = changes_sign & (code != target)
    ratio = xp.where(
        is_moving,
        code / xp.where(is_moving, code - target, zero + 1),
        xp.where(changes_sign, zero, zero + 2),
    )
    step = xp.min(ratio, axis=1)
    removed_atom = xp.argmin(ratio, axis=1)[:, None]
    removes = refines & (step <= 1)
    shortened = code + xp.where(step < 1, step, xp.ones_like(step))[:, None] * move
    is_removed = removes[:, None] & (atoms == removed_atom)
    # an entry removed after a step of zero was added because of rounding: its atom is barred
    # until the code changes
    barred = (barred & ~(removes & (step > 0))[:, None]) | (is_removed & (step == 0)[:, None])
    code = xp.where(refines[:, None], xp.where(is_removed, zero, shortened), code)
    sign = xp.where(is_removed, zero, sign)
    n_refined = xp.where(removes, xp.zeros_like(n_refined), n_refined + 1)

    # add the atom with the largest violation off the support
    correlation = slope if positive else xp.abs(slope)
    violation = xp.where((sign != 0) | barred, zero - 1, correlation - lam)
    entrant = atoms == xp.argmax(violation, axis=1)[:, None]
    adds = ~refines & (xp.max(violation, axis=1) > floor)
    entrant = entrant & adds[:, None]
    code, sign, barred = _add(
        xp, system, lam, lam2, positive, floor, code, sign, barred, entrant, xp.sign(slope)
    )
    n_refined = xp.where(adds, xp.zeros_like(n_refined), n_refined)
    return (code, sign, barred, n_refined), slope, ~refines & ~adds


def _add(xp, system, lam, lam2, positive, floor, code, sign, barred, entrant, entrant_sign):
    """Add an atom to each support, in exchange for another one where it depends on the support."""
    zero = xp.zeros_like(code)
    support = sign != 0
    indicator = xp.astype(entrant, code.dtype)
    combination = system.solve(lam2, support, xp.where(support, system.times(indicator), zero))
    dependent = xp.any(entrant, axis=1) & xp.any(
        _dependent(xp, system, lam2, support | entrant, code.dtype), axis=1
    )
    entrant_direction = xp.sum(indicator * entrant_sign, axis=1)[:, None]
    direction = -entrant_direction * combination
    has_sign = (lam + zero > 0) | positive
    shrinking = support & has_sign & (direction * sign < 0) & dependent[:, None]
    ratio = xp.where(
        shrinking, xp.abs(code) / xp.where(shrinking, xp.abs(direction), zero + 1), zero + xp.inf
    )
    step = xp.min(ratio, axis=1)[:, None]
    gain = xp.sum(lam * (-direction * sign - indicator), axis=1)
    is_exchanged = (dependent & (gain > floor))[:, None] & (step < xp.inf)
    leaves = is_exchanged & (
        xp.arange(code.shape[1], device=device_of(code))[None, :]
        == xp.argmin(ratio, axis=1)[:, None]
    )
    length = xp.where(is_exchanged, step, xp.zeros_like(step))
    code = xp.where(leaves, zero, code + length * (direction + indicator * entrant_direction))
    enters = entrant & (~dependent[:, None] | is_exchanged)
    sign = xp.where(leaves, zero, xp.where(enters, entrant_sign, sign))
    return code, sign, (barred & ~(is_exchanged & (step > 0))) | (entrant & ~enters)
