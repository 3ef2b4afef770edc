"""Adam, with one second moment for each row of a matrix of atoms."""

from dataclasses import dataclass
from typing import Any

from .._array import namespace

_DECAY, _DECAY_SQUARES = 0.9, 0.999
_NOISE = 1e-6  # gradients are known to, relative to the typical one of their array


@dataclass(frozen=True, eq=False)
class Moments:
    """Running means of a gradient and of its squares."""

    mean: Any
    squares: Any
    n_steps: int


@dataclass(frozen=True)
class Adam:
    """Steps of about unit length for gradients of any size.

    References
    ----------
    D. Kingma, J. Ba, "Adam: a method for stochastic optimization", 2015.
    """

    def start(self, array, *, by_row):
        """Moments before the first gradient."""
        xp = namespace(array)
        squares = xp.zeros_like(array[:, :1]) if by_row else xp.zeros_like(array)
        return Moments(xp.zeros_like(array), squares, 0)

    def direction(self, moments, gradient):
        """Moments after a gradient, and the direction to step against.

        With one second moment for each row, a row of the direction has norm about one for a
        steady gradient, whatever the number of features, and the step does not depend on a
        rotation of them.
        """
        xp = namespace(gradient)
        n_steps = moments.n_steps + 1
        if moments.squares.shape == gradient.shape:
            squares = gradient * gradient
        else:
            squares = xp.vecdot(gradient, gradient, axis=-1)[:, None]
        mean = _DECAY * moments.mean + (1 - _DECAY) * gradient
        squares = _DECAY_SQUARES * moments.squares + (1 - _DECAY_SQUARES) * squares
        # a gradient that is zero but for rounding is no reason to move
        floor = _NOISE**2 * xp.mean(squares)
        size = (1 - _DECAY**n_steps) * xp.sqrt((squares + floor) / (1 - _DECAY_SQUARES**n_steps))
        step = mean / xp.where(size > 0, size, xp.ones_like(size))
        return Moments(mean, squares, n_steps), step
