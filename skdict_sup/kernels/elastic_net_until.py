"""Kernel: elastic-net codes where the path reaches a limit on the residual or on the support."""

from dataclasses import dataclass
from typing import Any

from .._array import device_of, eps, namespace
from ._dispatch import kernel
from ._systems import SharedSystem, WeightedSystem
from .elastic_net_codes import exact_codes

_MAX_REFINEMENTS = 8


@kernel
def elastic_net_until(
    gram,
    corr,
    sq_norm,
    lam,
    lam2,
    positive,
    sq_bound=None,
    max_nonzeros=None,
    dictionary=None,
    entry_weight=None,
):
    r"""Codes at the first point of the path, from zero down, where a limit is reached.

    The codes of the elastic net with weights mu c, c the weights of atoms, are followed from the
    mu where they are zero downwards, to the first mu at which the residual is as small as its
    bound, or at which an atom beyond the largest number of nonzeros would enter, or to `lam`.

    Parameters
    ----------
    gram : array (n_components, n_components) or None
        Inner products of the atoms; None with weights of entries.
    corr : array (n_samples, n_components)
        Inner products of signals and atoms.
    sq_norm : array (n_samples,)
        Squared norms of the signals.
    lam : float, or array (n_components,)
        Smallest mu, for weights of one; an array has the weights c, and the path goes down to
        zero. With `sq_bound` it goes down to zero, whatever lam.
    lam2 : float
    positive : bool
    sq_bound : array (n_samples,) or None
        Bounds on the squared norms of the residuals.
    max_nonzeros : int or None
        Largest number of nonzeros among atoms with a penalty.
    dictionary : array (n_components, n_features) or None
    entry_weight : array (n_samples, n_features) or None
        Weights of entries, for which correlations and squared norms are weighted too.

    Returns
    -------
    code, slope : array (n_samples, n_components)
    reached : array (n_samples,)
        The mu of each code.
    n_iter : int array (n_samples,)
        Changes of the support.

    References
    ----------
    M. Osborne et al., "A new approach to variable selection in least squares", 2000; B. Efron et
    al., "Least angle regression", 2004.
    """
    xp, p = namespace(corr), corr.shape[1]
    weighted = entry_weight is not None
    system = WeightedSystem(dictionary, entry_weight) if weighted else SharedSystem(gram)
    is_array = not isinstance(lam, float | int)
    weights = xp.zeros_like(corr[0, :]) + (lam if is_array else 1.0)
    end = 0.0 if sq_bound is not None or is_array else float(lam)
    problem = _Problem(system, corr, sq_norm, weights, lam2, positive, end, sq_bound)
    most = p if max_nonzeros is None else max_nonzeros
    code, mu, at_residual, n_iter, support = problem.walk(most, 100 + 10 * p)
    return *problem.finish(code, mu, at_residual, support), n_iter


@dataclass(frozen=True, eq=False)
class _Problem:
    """Arrays of a batch whose paths are followed together."""

    system: Any
    corr: Any
    sq_norm: Any
    weights: Any
    lam2: float
    positive: bool
    end: float
    sq_bound: Any

    @property
    def is_free(self):
        """Which atoms have no penalty, for each signal."""
        xp = namespace(self.corr)
        return (self.weights == 0)[None, :] & xp.ones(
            self.corr.shape, dtype=xp.bool, device=device_of(self.corr)
        )

    def correlation(self, code):
        """Inner products of atoms and residuals, less the ridge: like code."""
        return self.corr - self.system.times(code) - self.lam2 * code

    def excess(self, code):
        """Squared norms of the residuals minus their bounds."""
        xp = namespace(code)
        slope = self.corr - self.system.times(code)
        return self.sq_norm - xp.sum(code * (self.corr + slope), axis=1) - self.sq_bound

    def free_code(self):
        """Codes of the free atoms alone."""
        xp, zero = namespace(self.corr), self.corr * 0
        if not bool(xp.any(self.weights == 0)):
            return zero
        # as correlations decrease, no other atom passes a bound above all of them
        size = xp.max(xp.abs(self.corr)) * (1 + self.corr.shape[1]) + 1
        ones = xp.ones_like(self.weights)
        lam = xp.where(self.weights > 0, ones * 1e3 * size, 0 * ones)
        return exact_codes(self.system, self.corr, lam, self.lam2, self.positive, None, None)[0]

    def walk(self, most, limit):
        """Codes where paths end, the mu there, whether at the bound, changes and supports."""
        xp, zero, is_free = namespace(self.corr), self.corr * 0, self.is_free
        code = self.free_code()
        sign = xp.sign(code)
        if not self.positive:  # free atoms are on the support, whatever their entries
            sign = xp.where(is_free & (sign == 0), zero + 1, sign)
        u = self.correlation(code)
        size = u if self.positive else xp.abs(u)
        ratio = xp.where(is_free, zero, size / xp.where(is_free, zero + 1, self.weights + zero))
        mu = xp.maximum(xp.max(ratio, axis=1), zero[:, 0])
        barred = is_free & False
        at_residual = mu < 0
        done = mu <= self.end if self.sq_bound is None else at_residual
        n_iter = xp.astype(at_residual, xp.int64)
        for _ in range(limit):
            if bool(xp.all(done)):
                break
            direction, step, entrant, leaver = self.next_event(code, sign, barred, mu)
            crosses = at_residual & False
            if self.sq_bound is not None:
                length = self.step_to_bound(code, sign, direction, mu)
                crosses = ~done & ((length <= step) | (self.excess(code) <= 0))
                length = xp.where(self.excess(code) <= 0, 0 * mu, length)
                step = xp.where(crosses, length, step)
            is_full = xp.sum(xp.astype((sign != 0) & ~is_free, xp.int64), axis=1) >= most
            stops = crosses | (is_full & xp.any(entrant & ~is_free, axis=1))
            stops = stops | ~(xp.any(entrant, axis=1) | xp.any(leaver, axis=1))
            moves, goes_on = ~done[:, None], (~done & ~stops)[:, None]
            code = xp.where(moves, code + step[:, None] * direction, code)
            new_mu = xp.maximum(mu - step, zero[:, 0] + self.end)
            mu = xp.where(done, mu, new_mu)
            leaver, entrant = leaver & goes_on, entrant & goes_on
            code = xp.where(leaver, zero, code)
            moved = (step > 0)[:, None] & xp.any(leaver, axis=1)[:, None]
            barred = xp.where(moved, leaver & False, barred) | (leaver & ~moved)
            u = self.correlation(code)
            is_added = entrant & ~self.is_dependent(sign, entrant)
            barred = barred | (entrant & ~is_added)
            sign = xp.where(leaver, zero, xp.where(is_added, xp.sign(u), sign))
            at_residual = at_residual | crosses
            n_iter = n_iter + xp.astype(goes_on[:, 0], xp.int64)
            done = done | stops
        return code, mu, at_residual, n_iter, sign != 0

    def is_dependent(self, sign, entrant):
        """Whether an atom that enters depends on the support."""
        xp = namespace(sign)
        support = (sign != 0) | entrant
        generic = xp.cos(xp.arange(1, sign.shape[1] + 1, dtype=sign.dtype, device=device_of(sign)))
        x = self.system.solve(self.lam2, support, generic[None, :] + sign * 0)
        return entrant & xp.any(support & (x == 0), axis=1)[:, None]

    def next_event(self, code, sign, barred, mu):
        """Direction of the codes, decrease of mu to the next change, and the atoms that change."""
        xp, zero, is_free = namespace(code), code * 0, self.is_free
        pulls = self.weights * sign
        direction = self.system.solve(self.lam2, sign != 0, pulls)
        speed, u = self.system.times(direction), self.correlation(code)
        may_enter = (sign == 0) & ~barred
        may_enter = may_enter if self.positive else may_enter & ~is_free
        tiny, times = 64 * eps(code) * self.weights, zero + xp.inf
        for side in (1.0,) if self.positive else (1.0, -1.0):
            closing, gap = self.weights - side * speed, mu[:, None] * self.weights - side * u
            enters = may_enter & (closing > tiny)
            time = xp.maximum(gap, zero) / xp.where(enters, closing, zero + 1)
            times = xp.minimum(times, xp.where(enters, time, zero + xp.inf))
        shrinks = (sign != 0) & (direction * sign < 0)
        shrinks = shrinks & (~is_free | self.positive)
        time = xp.abs(code) / xp.where(shrinks, xp.abs(direction), zero + 1)
        leave_times = xp.where(shrinks, time, zero + xp.inf)
        whole = mu - self.end
        first_in, first_out = xp.min(times, axis=1), xp.min(leave_times, axis=1)
        step = xp.minimum(xp.minimum(first_in, first_out), whole)
        atoms = xp.arange(code.shape[1], device=device_of(code))[None, :]
        leaves = (first_out <= first_in) & (first_out < whole)
        enters = ~leaves & (first_in < whole)
        leaver = leaves[:, None] & (atoms == xp.argmin(leave_times, axis=1)[:, None])
        entrant = enters[:, None] & (atoms == xp.argmin(times, axis=1)[:, None])
        return direction, step, entrant, leaver

    def step_to_bound(self, code, sign, direction, mu):
        """Decrease of mu at which residuals meet their bounds; infinite where they do not."""
        xp, excess = namespace(code), self.excess(code)
        pulls, one = self.weights * sign, mu * 0 + 1
        linear = xp.sum(direction * (mu[:, None] * pulls + self.lam2 * code), axis=1)
        square = xp.sum(direction * (self.lam2 * direction - pulls), axis=1)
        root = linear * linear + square * excess
        is_met = (linear > 0) & (root >= 0)
        scale = linear + xp.sqrt(xp.where(is_met, root, one))
        length = xp.where(is_met, excess / xp.where(is_met, scale, one), one * xp.inf)
        return length

    def exact(self, code, mu):
        """Exact codes at mu, from codes near them, by signals scaled to mu = 1."""
        xp = namespace(code)
        positive = (mu > 0)[:, None]
        scale = xp.where(positive, mu[:, None], code[:, :1] * 0 + 1)
        found, _, _ = exact_codes(
            self.system,
            self.corr / scale,
            self.weights,
            self.lam2,
            self.positive,
            code / scale,
            None,
        )
        if bool(xp.all(mu > 0)):
            return found * scale
        lam = 0 * self.weights
        least, _, _ = exact_codes(
            self.system, self.corr, lam, self.lam2, self.positive, code, None
        )
        return xp.where(positive, found * scale, least)

    def finish(self, code, mu, at_residual, support):
        """Exact codes, slopes and the mu at which residuals meet their bounds."""
        xp = namespace(code)
        for _ in range(_MAX_REFINEMENTS):
            code = self.exact(code, mu)
            # at a tie, rounding may let in an atom that was about to enter
            size = xp.max(xp.abs(code), axis=1)[:, None]
            is_rounding = ~support & (xp.abs(code) <= 64 * eps(code) * size)
            code = xp.where(is_rounding, xp.zeros_like(code), code)
            if self.sq_bound is None:
                break
            sign = xp.sign(code)
            direction = self.system.solve(self.lam2, sign != 0, self.weights * sign)
            excess = self.excess(code)
            length = self.step_to_bound(code, sign, direction, mu)
            # the step back, where the residual is too small
            moves = at_residual & xp.isfinite(length) & (xp.abs(excess) > eps(code) * self.sq_norm)
            new_mu = xp.where(moves, xp.maximum(mu - length, mu * 0 + self.end), mu)
            if bool(xp.all(new_mu == mu)):
                break
            mu = new_mu
        return code, self.corr - self.system.times(code), mu
