"""Random changes of signals that keep their labels, for `augment` of supervised estimators.

Each is a function (X, rng) of a batch and a NumPy generator. Random numbers are drawn in the order
of the rows, on the host, so that all array libraries get the same ones.
"""

from .compose import Compose
from .gaussian_noise import GaussianNoise
from .random_affine import RandomAffine
from .random_shift import RandomShift

__all__ = ["Compose", "GaussianNoise", "RandomAffine", "RandomShift"]
