"""Adam, with one second moment per row for matrices of atoms."""

from dataclasses import dataclass
from typing import Any

from .._array import namespace
from ..kernels import ball_step
from ..kernels.ball_step import DECAY as _DECAY
from ..kernels.ball_step import DECAY_SQUARES as _DECAY_SQUARES
from ..kernels.ball_step import GRADIENT_NOISE as _GRADIENT_NOISE


@dataclass(frozen=True, eq=False)
class Moments:
    """Running means of the gradients and of their squares, and the number of steps."""

    mean: Any
    squares: Any
    n_steps: int


@dataclass(frozen=True)
class Adam:
    """Adam optimizer, whose directions have about unit scale for gradients of any scale.

    References
    ----------
    D. Kingma, J. Ba, "Adam: a method for stochastic optimization", 2015.
    """

    def initial_moments(self, array, *, by_row):
        """Moments before the first gradient; one second moment for each row if `by_row`."""
        xp = namespace(array)
        squares = xp.zeros_like(array[:, :1]) if by_row else xp.zeros_like(array)
        return Moments(xp.zeros_like(array), squares, 0)

    def direction(self, moments, gradient):
        """Updated moments, and the direction to subtract.

        With one second moment per row, a row of the direction has norm about one for a constant
        gradient, whatever the number of features, and directions rotate with the features.
        """
        xp = namespace(gradient)
        n_steps = moments.n_steps + 1
        if moments.squares.shape == gradient.shape:
            squares = gradient * gradient
        else:
            squares = xp.vecdot(gradient, gradient, axis=-1)[:, None]
        mean = _DECAY * moments.mean + (1 - _DECAY) * gradient
        squares = _DECAY_SQUARES * moments.squares + (1 - _DECAY_SQUARES) * squares
        # do not normalise gradients that are zero up to rounding error
        floor = _GRADIENT_NOISE**2 * xp.mean(squares)
        scale = (1 - _DECAY**n_steps) * xp.sqrt((squares + floor) / (1 - _DECAY_SQUARES**n_steps))
        step = mean / xp.where(scale > 0, scale, xp.ones_like(scale))
        return Moments(mean, squares, n_steps), step

    def ball_step(self, moments, rows, gradient, rate, positive=False):
        """Updated moments, and rows after a step in the unit ball (its nonnegative part)."""
        n_steps = moments.n_steps + 1
        arrays = rows, gradient, moments.mean, moments.squares
        rows, mean, squares = ball_step(*arrays, n_steps, rate, positive)
        return Moments(mean, squares, n_steps), rows
