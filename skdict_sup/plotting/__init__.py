"""Displays that follow scikit-learn's convention: `from_estimator` computes, `plot` draws.

Matplotlib is imported when a display is drawn; ``pip install "skdict-sup[plot]"`` installs it.
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
