"""The terms of the problem in extended precision, each with a bound on its own rounding.

The problem is min_w D_L(x || f(w D)) + phi(w), stated once more and independent of the package; a
`prior` is read for its numbers alone. Where the long float of a platform is its double, bounds
grow with the epsilon, and less is judged. Bounds count `e` for each operation of a sum, twice the
unit roundoff, which covers what is of second order.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from skdict_sup import KL, ElasticNet, Lp

e = np.finfo(np.longdouble).eps


def least_of(dtype):
    """Size below which codes of KL and of powers vanish in floats, and count as this size."""
    info = np.finfo(dtype)
    return np.longdouble(info.smallest_normal) / np.longdouble(info.eps)


LEAST = least_of(np.float64)  # of values and gaps, which are those of float64


def extended(array):
    return np.asarray(array, np.longdouble)


class Terms:
    """Signals, atoms and a prior, in extended precision; signals may have weights of entries."""

    def __init__(self, X, dictionary, prior, transfer, weight=None):
        self.D, self.prior, self.transfer = extended(dictionary), prior, transfer
        self.weight = np.ones(np.shape(X), np.longdouble) if weight is None else extended(weight)
        self.X = np.where(self.weight > 0, extended(X), 0)
        self.ops = sum(self.D.shape) + 16
        self.least = least_of(np.asarray(X).dtype)
        self.is_linear = transfer == "linear"

    @cached_property
    def energy(self):
        return (self.weight * self.X**2).sum(axis=1)

    @cached_property
    def top(self):
        """Largest correlation of each signal, and a bound on its rounding."""
        X = self.weight * self.X
        corr, size = X @ self.D.T, np.abs(X) @ np.abs(self.D).T
        return np.abs(corr).max(axis=1), self.ops * e * size.max(axis=1)

    def at(self, code, rows=slice(None)):
        return Point(self, extended(code), self.X[rows], self.weight[rows])


@dataclass(frozen=True, eq=False)
class Point:
    """What follows from codes; `rounding` of a value bounds its distance to the exact one."""

    terms: Terms
    code: Any
    X: Any
    weight: Any

    @cached_property
    def inside(self):
        return self.code @ self.terms.D

    @cached_property
    def _blur(self):
        """Rounding of the residual, or of the argument of softmax."""
        size = np.abs(self.code) @ np.abs(self.terms.D)
        return self.terms.ops * e * (size + np.abs(self.X) * self.terms.is_linear)

    @cached_property
    def _normaliser(self):
        top = self.inside.max(axis=1, keepdims=True)
        return top + np.log(np.exp(self.inside - top).sum(axis=1, keepdims=True))

    @cached_property
    def image(self):
        if self.terms.is_linear:
            return self.inside
        return np.exp(self.inside - self._normaliser)

    @cached_property
    def _image_rounding(self):
        if self.terms.is_linear:
            return self._blur
        # r exp(error) - r, for an argument and a normaliser that both err
        off = 2 * self._blur.max(axis=1, keepdims=True) + self.terms.ops * e
        off = off + 2 * e * (np.abs(self.inside - self._normaliser) + np.abs(self._normaliser))
        return np.where(off < 1, self.image * np.expm1(np.minimum(off, 1)), 1)

    @cached_property
    def slope(self):
        return (self.weight * (self.X - self.image)) @ self.terms.D.T

    @cached_property
    def slope_rounding(self):
        size = self.terms.ops * e * (np.abs(self.X) + np.abs(self.image)) + self._image_rounding
        return (self.weight * size) @ np.abs(self.terms.D).T

    @cached_property
    def hessian(self):
        """Of the loss in the codes: (n_samples, n_components, n_components)."""
        D = self.terms.D
        if self.terms.is_linear:
            return (self.weight[:, None, :] * D) @ D.T
        mean = self.image @ D.T
        return (self.image[:, None, :] * D) @ D.T - mean[:, :, None] * mean[:, None, :]

    @cached_property
    def _loss(self):
        ops = self.terms.ops * e
        if self.terms.is_linear:
            residual = np.abs(self.X - self.inside)
            loss = (self.weight * residual**2).sum(axis=1) / 2
            rounding = (self.weight * (residual * self._blur + self._blur**2)).sum(axis=1)
            return loss, rounding + ops * loss
        log_x = np.log(np.where(self.X > 0, self.X, 1))
        log_r = self.inside - self._normaliser
        loss = (self.X * (log_x - log_r)).sum(axis=1)
        size = (self.X * (np.abs(log_x) + np.abs(self.inside))).sum(axis=1)
        size = size + np.abs(self._normaliser[:, 0])
        # where the sum of a signal is not quite one, its divergence depends on the formula: how
        # many normalisers are taken, and whether it may fall below zero, counts as rounding
        off = np.abs(self.X.sum(axis=1) - 1) * (1 + np.abs(self._normaliser[:, 0]))
        return loss, 2 * self._blur.max(axis=1) + ops * size + off

    @cached_property
    def _penalty(self):
        """phi, and the sum of the magnitudes of its parts."""
        prior, w = self.terms.prior, self.code
        size, lam = np.abs(w), extended(prior.lam)
        if isinstance(prior, ElasticNet):
            each = lam * size + np.longdouble(prior.lam2) * size**2 / 2
            return each.sum(axis=1), each.sum(axis=1)
        if isinstance(prior, Lp):
            each = lam * size ** np.longdouble(prior.exponent)
            return each.sum(axis=1), each.sum(axis=1)
        p = extended(prior.p)
        if prior.positive:
            along = w * np.log(np.where(w > 0, w / p, 1))
            return lam * (along - w + p).sum(axis=1), lam * (np.abs(along) + size + p).sum(axis=1)
        along = w * np.arcsinh(w / (2 * p))
        beyond = w**2 / (np.hypot(w, 2 * p) + 2 * p)
        return lam * (along - beyond).sum(axis=1), lam * (along + beyond).sum(axis=1)

    @property
    def penalty_size(self):
        return self._penalty[1]

    @cached_property
    def objective(self):
        return self._loss[0] + self._penalty[0]

    @cached_property
    def rounding(self):
        """Of the objective."""
        return self._loss[1] + self.terms.ops * e * (self._penalty[1] + self._loss[0])

    @cached_property
    def rate(self):
        """phi'(w) of a smooth prior."""
        prior, w = self.terms.prior, self.code
        lam = np.longdouble(prior.lam)
        if isinstance(prior, Lp):
            q = np.longdouble(prior.exponent)
            power = np.where(w != 0, np.abs(np.where(w != 0, w, 1)) ** (q - 1), 0)
            return lam * q * np.sign(w) * power
        p = extended(prior.p)
        if prior.positive:
            return lam * np.log(np.maximum(w, self.terms.least) / p)
        return lam * np.arcsinh(w / (2 * p))

    @cached_property
    def violation(self):
        """Distance of each entry to its optimality condition, less what rounding may add."""
        prior, w = self.terms.prior, self.code
        lam = extended(prior.lam)
        if isinstance(prior, ElasticNet):
            ridge = np.longdouble(prior.lam2) * w
            free = self.slope - ridge
            pull = free if prior.positive else np.abs(free)
            off = np.where(w != 0, np.abs(free - lam * np.sign(w)), np.maximum(pull - lam, 0))
            size = np.abs(ridge) + lam
        else:
            off, size = np.abs(self.slope - self.rate), np.abs(self.rate) + lam
            if isinstance(prior, KL) and prior.positive:
                gone = w <= self.terms.least
                off = np.where(gone, np.maximum(self.slope - self.rate, 0), off)
            elif isinstance(prior, Lp) and prior.exponent < 1:
                off = np.where(w == 0, 0, off)  # a kink that no slope overcomes
            elif isinstance(prior, Lp) and prior.exponent < 2:
                q = np.longdouble(prior.exponent)
                least = lam * q * self.terms.least ** (q - 1)
                gone = np.abs(w) <= self.terms.least
                off = np.where(gone, np.maximum(np.abs(self.slope) - least, 0), off)
        rounding = self.slope_rounding + 16 * e * (np.abs(self.slope) + size)
        return np.maximum(off - rounding, 0)
