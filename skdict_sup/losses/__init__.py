"""Losses of supervised learning, on scores = code W' + b.

A loss depends on scores and targets alone; `_protocol.Loss` is the protocol for custom losses.
Classification losses with a likelihood also convert scores to probabilities.
"""

from ._protocol import Loss, check_loss, check_loss_shapes, class_table
from .logistic import Logistic
from .poisson import Poisson
from .smoothed import Smoothed
from .softmax import Softmax
from .square import Square
from .squared_hinge import SquaredHinge

__all__ = [
    "CLASSIFICATION_LOSSES",
    "REGRESSION_LOSSES",
    "Logistic",
    "Loss",
    "Poisson",
    "Smoothed",
    "Softmax",
    "Square",
    "SquaredHinge",
    "check_loss",
    "check_loss_shapes",
    "class_table",
]

REGRESSION_LOSSES = {"square": Square(), "poisson": Poisson()}
CLASSIFICATION_LOSSES = {
    "softmax": Softmax(),
    "logistic": Logistic(),
    "squared_hinge": SquaredHinge(),
}
