"""Adadelta: steps of about the length of previous steps, whatever the scale of the gradients."""

from dataclasses import dataclass
from typing import Any

from .._array import namespace
from .._linalg import project_ball

_DECAY = 0.95
_INITIAL_STEP_SQUARE = 1e-6  # square of the length of the first step
_GRADIENT_NOISE = 1e-6  # rounding error of gradients, relative to their root mean square


@dataclass(frozen=True, eq=False)
class Moments:
    """Running means of the squared gradients and of the squared steps."""

    squares: Any
    step_squares: Any


@dataclass(frozen=True)
class Adadelta:
    """Adadelta optimizer: the ratio of root mean square step to gradient scales a step.

    References
    ----------
    M. Zeiler, "Adadelta: an adaptive learning rate method", 2012, algorithm 1.
    """

    def initial_moments(self, array, *, by_row):
        """Moments before the first gradient, one for each row if `by_row`, else for each entry."""
        xp = namespace(array)
        zeros = xp.zeros_like(array[:, :1]) if by_row else xp.zeros_like(array)
        return Moments(zeros, zeros)

    def direction(self, moments, gradient):
        """Updated moments, and the step to subtract.

        Unlike in the paper no constant is added to squared gradients: the steps do not depend on
        the units of the gradients.
        """
        squares = _DECAY * moments.squares + (1 - _DECAY) * _squared(moments, gradient)
        xp = namespace(gradient)
        denominator = squares + _GRADIENT_NOISE**2 * xp.mean(squares)
        ratio = (moments.step_squares + _INITIAL_STEP_SQUARE) / xp.where(
            denominator > 0, denominator, xp.ones_like(denominator)
        )
        step = xp.sqrt(ratio) * gradient
        step_squares = _DECAY * moments.step_squares + (1 - _DECAY) * _squared(moments, step)
        return Moments(squares, step_squares), step

    def ball_step(self, moments, rows, gradient, rate, positive=False):
        """Updated moments, and rows after a step in the unit ball (its nonnegative part)."""
        moments, step = self.direction(moments, gradient)
        return moments, project_ball(rows - rate * step, positive)


def _squared(moments, array):
    """Squared entries, or squared norms of the rows, in the shape of the moments."""
    if moments.squares.shape == array.shape:
        return array * array
    return namespace(array).vecdot(array, array, axis=-1)[:, None]
