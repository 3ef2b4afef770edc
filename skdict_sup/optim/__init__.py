"""Optimizers and schedules of learning rates.

An optimizer is a frozen record with `initial_moments(array, by_row)`, the moments before the first
gradient, and `direction(moments, gradient)`, the updated moments and the direction to subtract.
`ball_step` takes a step with rows in the unit ball.
"""

from .adadelta import Adadelta
from .adam import Adam

__all__ = ["OPTIMIZERS", "Adadelta", "Adam"]

OPTIMIZERS = {"adam": Adam(), "adadelta": Adadelta()}
