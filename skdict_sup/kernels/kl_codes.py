"""Kernel: codes of a batch for the KL prior and the linear transfer."""

from .._array import device_of, eps, namespace
from ._dispatch import kernel
from .support_solve import support_solve


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
    curve = _Positive if positive else _Signed
    code = xp.abs(init) if positive else init
    rate = lam * curve.rate(xp, code, mean)
    top = xp.max(xp.abs(corr), axis=1)
    goal = tol * xp.where(top > 0, top, xp.ones_like(top))
    n_iter = xp.zeros(corr.shape[0], dtype=xp.int64, device=device_of(corr))
    for _ in range(max_iter):
        slope = corr - code @ gram
        excess = slope - rate
        busy = xp.max(xp.abs(excess), axis=1) > goal
        if not bool(xp.any(busy)):
            break
        n_iter = n_iter + xp.astype(busy, xp.int64)
        mobility = curve.mobility(xp, code, mean) / lam
        seen = mobility > 0
        curvature = 1.0 / xp.where(seen, mobility, xp.ones_like(mobility))
        turn = excess - support_solve.reference(gram, curvature, seen, excess) @ gram
        length = xp.where(busy, xp.ones_like(top), xp.zeros_like(top))
        before = _objective(xp, gram, corr, energy, lam, mean, curve, code)
        for _ in range(40):
            target = rate + length[:, None] * turn
            other = curve.code(xp, target / lam, mean)
            crosses = xp.sign(code) * other < 0
            base = xp.where(crosses, xp.zeros_like(code), code)
            start = xp.where(crosses, xp.zeros_like(code), rate)
            tangent = xp.abs(base + curve.mobility(xp, base, mean) / lam * (target - start))
            far = (xp.abs(other) > xp.abs(base)) & (xp.abs(other) > tangent)
            other = xp.where(far, xp.sign(other) * tangent, other)
            after = _objective(xp, gram, corr, energy, lam, mean, curve, other)
            good = after <= before + 16 * eps(corr) * (energy + xp.abs(before))
            if bool(xp.all(good)):
                break
            length = xp.where(good, length, 0.5 * length)
        code = xp.where(busy[:, None], other, code)
        rate = xp.where(
            busy[:, None], xp.where(far, lam * curve.rate(xp, other, mean), target), rate
        )
    return code, corr - code @ gram, n_iter


class _Positive:
    @staticmethod
    def rate(xp, w, p):
        least = float(xp.finfo(w.dtype).smallest_normal)
        return xp.log(xp.maximum(w, xp.full_like(w, least))) - xp.log(p)

    @staticmethod
    def code(xp, rate, p):
        return p * xp.exp(xp.minimum(rate, xp.full_like(rate, 80.0)))

    @staticmethod
    def mobility(xp, w, p):
        return w

    @staticmethod
    def value(xp, w, p):
        return w * _Positive.rate(xp, w, p) - w + p


class _Signed:
    @staticmethod
    def rate(xp, w, p):
        return xp.asinh(w / (2 * p))

    @staticmethod
    def code(xp, rate, p):
        return 2 * p * xp.sinh(xp.clip(rate, -80.0, 80.0))

    @staticmethod
    def mobility(xp, w, p):
        return xp.sqrt(w * w + 4 * p * p)

    @staticmethod
    def value(xp, w, p):
        return w * xp.asinh(w / (2 * p)) - _Signed.mobility(xp, w, p) + 2 * p


def _objective(xp, gram, corr, energy, lam, mean, curve, code):
    squares = energy - xp.sum(code * (2 * corr - code @ gram), axis=1)
    return 0.5 * squares + lam * xp.sum(curve.value(xp, code, mean), axis=1)
