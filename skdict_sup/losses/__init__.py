"""Losses of the supervised task, on scores = code W' + b.

A loss knows scores and targets and nothing else; `_protocol.Loss` lists what a custom loss
defines. Classification losses also turn scores into probabilities where they have a likelihood.
"""

from ._protocol import Loss, check_loss, class_table
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
    "class_table",
]

REGRESSION_LOSSES = {"square": Square(), "poisson": Poisson()}
CLASSIFICATION_LOSSES = {
    "softmax": Softmax(),
    "logistic": Logistic(),
    "squared_hinge": SquaredHinge(),
}
