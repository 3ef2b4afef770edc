"""What codes of any prior and transfer satisfy, in plain NumPy and independent of the package.

The problem is min_w D_L(x || f(w D)) + phi(w), with 1/2 ||x - w D||^2 for the linear transfer and
KL(x || softmax(w D)) for the softmax one. A `prior` is read for its numbers alone.
"""

import numpy as np
import scipy.optimize
import scipy.special

from skdict_sup import KL, Lp


def double(array):
    return np.asarray(array, dtype=np.float64)


def loss(X, dictionary, code, transfer="linear"):
    """Reconstruction term of each code."""
    X, inside = double(X), double(code) @ double(dictionary)
    if transfer == "linear":
        return 0.5 * ((X - inside) ** 2).sum(axis=1)
    log_share = scipy.special.log_softmax(inside, axis=1)
    return (scipy.special.xlogy(X, X) - X * log_share).sum(axis=1)


def slope(X, dictionary, code, transfer="linear"):
    """Minus the gradient of the reconstruction term in the code."""
    inside = double(code) @ double(dictionary)
    image = inside if transfer == "linear" else scipy.special.softmax(inside, axis=1)
    return (double(X) - image) @ double(dictionary).T


def penalty(prior, code):
    """phi at each code; infinite where a nonnegative code is not."""
    code = double(code)
    if isinstance(prior, Lp):
        return prior.lam * (np.abs(code) ** prior.exponent).sum(axis=1)
    if isinstance(prior, KL) and prior.positive:
        return prior.lam * scipy.special.kl_div(code, prior.p).sum(axis=1)
    if isinstance(prior, KL):
        p = double(prior.p)
        each = code * np.arcsinh(code / (2 * p)) - np.sqrt(code**2 + 4 * p**2) + 2 * p
        return prior.lam * each.sum(axis=1)
    value = prior.lam * np.abs(code).sum(axis=1) + 0.5 * prior.lam2 * (code**2).sum(axis=1)
    return np.where(prior.positive & (code < 0).any(axis=1), np.inf, value)


def rate(prior, code):
    """phi'(w) of a smooth prior."""
    code = double(code)
    if isinstance(prior, Lp):
        power = np.abs(code) ** (prior.exponent - 1)
        return prior.lam * prior.exponent * np.sign(code) * power
    if prior.positive:
        return prior.lam * (np.log(np.maximum(code, 1e-300)) - np.log(double(prior.p)))
    return prior.lam * np.arcsinh(code / (2 * double(prior.p)))


def objective(X, dictionary, prior, code, transfer="linear"):
    return loss(X, dictionary, code, transfer) + penalty(prior, code)


def kkt_residual(X, dictionary, prior, code, transfer="linear"):
    """Largest |slope - phi'(w)| over the largest correlation, per signal; of a smooth prior.

    Nonnegative codes that vanish in floats count as the least number that floats resolve.
    """
    info = np.finfo(np.asarray(code).dtype)
    least = float(info.smallest_normal) / float(info.eps)
    u, code = slope(X, dictionary, code, transfer), double(code)
    if getattr(prior, "positive", False):
        off = u - rate(prior, np.maximum(code, least))
        violation = np.where(code > least, np.abs(off), np.maximum(off, 0.0))
    else:
        violation = np.abs(u - rate(prior, code))
    top = np.abs(double(X) @ double(dictionary).T).max(axis=1)
    return violation.max(axis=1) / np.where(top > 0, top, 1.0)


def minimum(X, dictionary, prior, transfer="linear"):
    """Codes by L-BFGS of SciPy, in coordinates t that make them easy to reach.

    Signed codes of a KL prior are 2 p sinh(t), nonnegative ones p exp(t), those of a power t.
    """
    signed = isinstance(prior, KL) and not prior.positive
    p = double(prior.p) if isinstance(prior, KL) else 1.0

    def code_at(t):
        if isinstance(prior, Lp):
            return t, np.ones_like(t)
        return (
            (2 * p * np.sinh(t), 2 * p * np.cosh(t)) if signed else (p * np.exp(t), p * np.exp(t))
        )

    def solve(x):
        def value(t):
            code, turn = code_at(t)
            gradient = rate(prior, code) - slope(x, dictionary, code[None, :], transfer)[0]
            return objective(x, dictionary, prior, code[None, :], transfer)[0], gradient * turn

        start = np.full(len(dictionary), 0.0 if signed or isinstance(prior, KL) else 0.1)
        options = {"maxiter": 20_000, "maxfun": 100_000, "ftol": 0.0, "gtol": 1e-13}
        bounds = [(-40.0, 40.0)] * len(start)  # codes of exp(40): its line search goes far
        found = scipy.optimize.minimize(
            value, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options
        )
        return code_at(found.x)[0]

    return np.array([solve(x[None, :]) for x in double(X)])
