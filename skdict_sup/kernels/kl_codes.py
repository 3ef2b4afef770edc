"""Kernel: codes of a batch for the KL prior and the linear transfer."""

from .._array import device_of, eps, namespace
from .._entropy import OneSided, TwoSided, floor
from ._dispatch import kernel
from .support_solve import support_solve

_DESCENT = 1e-4  # share of the predicted decrease that a step must reach
_HALVINGS = 30
_PATIENCE = 12  # steps without progress after which these floats get no further


@kernel
def kl_codes(gram, corr, energy, lam, mean, positive, tol, init, max_iter):
    r"""Codes argmin_w 1/2 w'G w - <corr, w> + phi(w), phi'(w) = lam log(w/p) or lam arcsinh(w/2p).

    Newton's method in the rates s = phi'(w), with (G + diag(phi''(w))) delta = slope - s. A step
    moves an entry along the curve of (w, s) by phi''(w) delta in s, but by no more than its
    tangent where |w| grows, and is halved until the objective falls.

    Parameters
    ----------
    gram : array (n_components, n_components)
        Inner products of the atoms.
    corr : array (n_samples, n_components)
        Inner products of signals and atoms.
    energy : array (n_samples,)
        Squared norms of the signals.
    lam : float
    mean : array (n_components,) or (1,)
        Prior mean p.
    positive : bool
        Whether w >= 0 (the logarithm), or signed (arcsinh).
    tol : float
        Largest |slope - s|, relative to the largest |corr| of the signal (absolute without one).
    init : array like corr
        Codes to start from.
    max_iter : int
        Most steps for each signal.

    Returns
    -------
    code : array (n_samples, n_components)
    slope : array (n_samples, n_components)
        corr - code G.
    n_iter : int array (n_samples,)

    References
    ----------
    D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, equation 6 and appendix B.
    """
    xp = namespace(corr)
    form = OneSided if positive else TwoSided
    curve = _Curve(form, lam, mean, xp.linalg.diagonal(gram))
    problem = gram, corr, energy, curve
    code = xp.abs(init) if positive else init
    now = _Point(*problem, code, curve.rate(code))
    top = xp.max(xp.abs(corr), axis=1)
    goal = tol * xp.where(top > 0, top, xp.ones_like(top))
    n_iter = xp.zeros(corr.shape[0], dtype=xp.int64, device=device_of(corr))
    stale = n_iter
    for _ in range(max_iter):
        busy = (now.violation > goal) & (stale < _PATIENCE)
        if not bool(xp.any(busy)):
            break
        n_iter = n_iter + xp.astype(busy, xp.int64)
        turn = _turn(gram, curve, now)
        rounding = 16 * eps(corr) * now.size
        length = xp.where(busy, xp.ones_like(top), xp.zeros_like(top))
        for _ in range(_HALVINGS):
            then = _Point(*problem, *curve.moved(now, length[:, None] * turn))
            good = _descends(now, then, rounding) | (then.violation <= 0.5 * now.violation)
            if bool(xp.all(good | ~busy)):
                break
            length = xp.where(good, length, 0.5 * length)
        less = then.violation < 0.9 * now.violation
        progress = (then.objective < now.objective - rounding) | less
        stale = xp.where(progress, xp.zeros_like(stale), stale + 1)
        code, rate = (
            xp.where(busy[:, None], *pair)
            for pair in ((then.code, now.code), (then.rate, now.rate))
        )
        now = _Point(*problem, code, rate)
    return now.code, now.slope, n_iter


class _Point:
    """Codes with their rates: slopes, objectives, violations, and what rounding is relative to."""

    def __init__(self, gram, corr, energy, curve, code, rate):
        xp = curve.xp
        self.code, self.rate = code, rate
        self.slope = corr - code @ gram
        cross = xp.sum(code * (corr + self.slope), axis=1)
        zero = xp.zeros_like(cross)
        self.objective = 0.5 * xp.maximum(energy - cross, zero) + curve.value(code)
        self.size = energy + xp.abs(self.objective) + xp.sum(xp.abs(code * self.slope), axis=1)
        self.violation = xp.max(curve.violation(code, self.slope, rate), axis=1)


def _turn(gram, curve, now):
    """Newton's direction in the rates."""
    xp, excess = curve.xp, now.slope - now.rate
    mobility = curve.mobility(now.code)
    free = mobility > 0
    curvature = 1.0 / xp.where(free, mobility, xp.ones_like(mobility))
    move = support_solve.reference(gram, curvature, free, excess)
    steep = curve.diagonal * mobility > 1  # where the difference below would be all rounding
    return xp.where(steep, move * curvature, excess - move @ gram)


def _descends(now, then, rounding):
    """Whether objectives fall enough, or, where rounding hides it, the slopes say so."""
    xp = namespace(rounding)
    change, move = then.objective - now.objective, then.code - now.code
    predicted = xp.sum((now.slope - now.rate) * move, axis=1)
    along = xp.sum((then.slope - then.rate) * move, axis=1)
    enough = change <= -_DESCENT * xp.maximum(predicted, xp.zeros_like(predicted))
    return enough | ((xp.abs(change) <= rounding) & (predicted + along >= 0))


class _Curve:
    """The curve of (w, s = phi'(w)), and how entries move along it."""

    def __init__(self, form, lam, mean, diagonal):
        self.xp, self.form, self.lam = namespace(mean), form, lam
        self.mean, self.diagonal = mean, diagonal

    def value(self, code):
        """phi(w): (n_samples,)."""
        return self.lam * self.xp.sum(self.form.value(code, self.mean), axis=1)

    def rate(self, code):
        """phi'(w)."""
        return self.lam * self.form.rate(code, self.mean)

    def code(self, rate):
        """The w of a rate."""
        return self.form.code(rate / self.lam, self.mean)

    def mobility(self, code):
        """1 / phi''(w), zero for what has underflowed."""
        mobility = self.form.mobility(code, self.mean) / self.lam
        return self.xp.where(self._is_lost(code), self.xp.zeros_like(code), mobility)

    def reach(self, mobility):
        """Largest |w| up to which phi'' is at least 1 / mobility."""
        return self.form.reach(self.lam * mobility, self.mean)

    def violation(self, code, slope, rate):
        """Distance of slopes from rates; what has underflowed may be pushed down further."""
        pushed = self.xp.maximum(slope - self.rate(code), self.xp.zeros_like(code))
        return self.xp.where(self._is_lost(code), pushed, self.xp.abs(slope - rate))

    def _is_lost(self, code):
        """Whether entries of codes w >= 0 have underflowed."""
        if self.form is TwoSided:
            return self.xp.zeros_like(code, dtype=self.xp.bool)
        return code <= floor(code)

    def moved(self, now, turn):
        """Codes and rates after a turn in the rates, by no more than the tangent in the codes.

        Where the curvature of the prior outweighs the loss's, growth is free.
        """
        xp, target = self.xp, now.rate + turn
        other = self.code(target)
        zero = xp.zeros_like(other)
        crosses = xp.sign(now.code) * other < 0
        base, start = (xp.where(crosses, zero, part) for part in (now.code, now.rate))
        bound = xp.abs(base + self.mobility(base) * (target - start))
        own = xp.where(self.diagonal > 0, self.diagonal, xp.ones_like(self.diagonal))
        free = xp.minimum(xp.abs(other), self.reach(1 / own) + zero)
        bound = xp.where(xp.abs(other) > bound, xp.maximum(bound, free), bound)
        far = (xp.abs(other) > xp.abs(base)) & (xp.abs(other) > bound)
        other = xp.where(far, xp.sign(other) * bound, other)
        return other, xp.where(far, self.rate(other), target)
