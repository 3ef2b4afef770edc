"""Optimizers and schedules: how arrays move along gradients, whatever the gradients are of.

An optimizer is a frozen record with `start(array, by_row)`, the moments before the first gradient,
and `direction(moments, gradient)`, the moments after it and the direction to step against.
"""

from .adadelta import Adadelta
from .adam import Adam

__all__ = ["OPTIMIZERS", "Adadelta", "Adam"]

OPTIMIZERS = {"adam": Adam(), "adadelta": Adadelta()}
