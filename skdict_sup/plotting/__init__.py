"""Displays, after scikit-learn's convention: `from_estimator` computes, `plot` draws.

Matplotlib is loaded when something is drawn; ``pip install skdict-sup[plot]`` brings it.
"""

from .curves import LamPathDisplay, LossCurveDisplay
from .dictionaries import DictionaryDisplay
from .linked import LinkedDictionariesDisplay

__all__ = [
    "DictionaryDisplay",
    "LamPathDisplay",
    "LinkedDictionariesDisplay",
    "LossCurveDisplay",
]
