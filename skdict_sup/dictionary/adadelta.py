"""Adadelta: steps as long as those before, for gradients of unknown size."""

from dataclasses import dataclass
from typing import Any

from .._array import namespace

_DECAY, _LEAST = 0.95, 1e-6


@dataclass(frozen=True, eq=False)
class Moments:
    """Running means of the squares of a gradient and of the steps."""

    squares: Any
    moves: Any


def start(array, *, by_row):
    """Moments before the first gradient."""
    xp = namespace(array)
    zeros = xp.zeros_like(array[:, :1]) if by_row else xp.zeros_like(array)
    return Moments(zeros, zeros)


def direction(moments, gradient):
    """Moments after a gradient, and the step to subtract.

    References
    ----------
    M. Zeiler, "Adadelta: an adaptive learning rate method", 2012, algorithm 1.
    """
    squares = _DECAY * moments.squares + (1 - _DECAY) * _squares(moments, gradient)
    step = namespace(gradient).sqrt((moments.moves + _LEAST) / (squares + _LEAST)) * gradient
    moves = _DECAY * moments.moves + (1 - _DECAY) * _squares(moments, step)
    return Moments(squares, moves), step


def _squares(moments, array):
    """Squares of the entries, or summed for each row."""
    if moments.squares.shape == array.shape:
        return array * array
    return namespace(array).vecdot(array, array, axis=-1)[:, None]
