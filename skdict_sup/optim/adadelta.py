"""Adadelta: steps as long as those before, for gradients of unknown size."""

from dataclasses import dataclass
from typing import Any

from .._array import namespace

_DECAY = 0.95
_FIRST = 1e-6  # square of what a step may be when there was none before
_NOISE = 1e-6  # gradients are known to, relative to the typical one of their array


@dataclass(frozen=True, eq=False)
class Moments:
    """Running means of the squares of a gradient and of the steps."""

    squares: Any
    moves: Any


@dataclass(frozen=True)
class Adadelta:
    """Steps as long as those before.

    References
    ----------
    M. Zeiler, "Adadelta: an adaptive learning rate method", 2012, algorithm 1.
    """

    def start(self, array, *, by_row):
        """Moments before the first gradient."""
        xp = namespace(array)
        zeros = xp.zeros_like(array[:, :1]) if by_row else xp.zeros_like(array)
        return Moments(zeros, zeros)

    def direction(self, moments, gradient):
        """Moments after a gradient, and the step to subtract.

        Gradients have no least size, unlike in the paper, so that their units do not matter.
        """
        squares = _DECAY * moments.squares + (1 - _DECAY) * _squares(moments, gradient)
        xp = namespace(gradient)
        size = squares + _NOISE**2 * xp.mean(squares)
        ratio = (moments.moves + _FIRST) / xp.where(size > 0, size, xp.ones_like(size))
        step = xp.sqrt(ratio) * gradient
        moves = _DECAY * moments.moves + (1 - _DECAY) * _squares(moments, step)
        return Moments(squares, moves), step


def _squares(moments, array):
    """Squares of the entries, or summed for each row."""
    if moments.squares.shape == array.shape:
        return array * array
    return namespace(array).vecdot(array, array, axis=-1)[:, None]
