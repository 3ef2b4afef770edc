"""Terms in single precision, for all but the last iterations on a code.

What they compute differs from the term in double precision by rounding only, and takes half the
time. Whatever fails, out of the range of float32 or in systems that need more digits, is left to
double precision.
"""

from dataclasses import dataclass
from typing import Any

from .._array import namespace, narrow
from .._records import Data, Rows


@dataclass(frozen=True)
class InSingle:
    """A reconstruction term whose slopes, losses and Hessians are computed in float32."""

    quadratic = False
    eps = 2.0**-23
    term: Any

    def evaluate(self, data, code, atoms):
        """Slope and loss of each code, in the dtype of the code."""
        slope, loss = self.term.evaluate(_single(data), _narrow(code), atoms.single)
        return _like(slope, code), _like(loss, code)

    def hessian(self, data, code, slope, loss, atoms):
        """Hessian of the loss at codes, which takes and returns the dtype of the code."""
        arrays = _single(data), *map(_narrow, (code, slope, loss))
        return SingleHessian(self.term.hessian(*arrays, atoms.single), code)

    def solve(self, code, curvature, support, rhs, atoms, tol):
        """Solve (Hessian + diag(curvature)) x = rhs on the support, with x = 0 off it."""
        size = _size(rhs)
        arrays = _narrow(code), _narrow(curvature), support, _narrow(rhs / size)
        return size * _like(self.term.solve_systems(*arrays, atoms.single, tol), rhs)


@dataclass(frozen=True)
class WithSingleSystems:
    """A reconstruction term with systems in float32; slopes and losses are its own."""

    quadratic = False
    term: Any

    def evaluate(self, data, code, atoms):
        """Slope and loss of each code."""
        return self.term.evaluate(data, code, atoms)

    def hessian(self, data, code, slope, loss, atoms):
        """Hessian of the loss at codes, in float32."""
        return InSingle(self.term).hessian(data, code, slope, loss, atoms)


@dataclass(frozen=True, eq=False)
class SingleHessian(Rows):
    """A Hessian in float32, for directions in the dtype of `like`."""

    inner: Any
    like: Any

    @property
    def tol(self):
        """Tolerance of systems in Newton's method."""
        return self.inner.tol

    @property
    def diagonal(self):
        """Diagonal: like code."""
        return _like(self.inner.diagonal, self.like)

    def product(self, direction):
        """Product with a direction: like code."""
        return _like(self.inner.product(_narrow(direction)), self.like)

    def solve(self, curvature, support, rhs, tol):
        """Solve (Hessian + diag(curvature)) x = rhs on the support, with x = 0 off it.

        Right-hand sides are scaled: squares of small ones would underflow.
        """
        size = _size(rhs)
        curvature = _narrow(curvature + namespace(rhs).zeros_like(rhs))
        x = self.inner.solve(curvature, support, _narrow(rhs / size), tol)
        return size * _like(x, rhs)


def _size(rhs):
    """Largest magnitudes of right-hand sides, or ones: (n_samples, 1)."""
    xp = namespace(rhs)
    size = xp.max(xp.abs(rhs), axis=1, keepdims=True)
    return xp.where(size > 0, size, xp.ones_like(size))


def _narrow(array):
    return narrow(array, namespace(array).float32)


def _single(data):
    """`Data` in float32, for terms that use no weights of entries."""
    return Data(_narrow(data.corr), _narrow(data.offset))


def _like(array, like):
    return namespace(array).astype(array, like.dtype, copy=False)
