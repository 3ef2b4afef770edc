"""Compose: several changes, one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .._typing import Array
from ._settings import Augmentation


@dataclass(frozen=True, init=False)
class Compose(Augmentation):
    """Apply several augmentations, one after the other.

    Parameters
    ----------
    steps : sequence of callable
        Functions (X, rng) from a batch and a NumPy generator to a batch, in their order: those of
        this module or others, such as one that scales signals to norm one again.

    Raises
    ------
    TypeError
        If `steps` is not a list or a tuple, or if a step cannot be called.

    Examples
    --------
    >>> from skdict_sup import SupervisedDictionaryClassifier
    >>> from skdict_sup.augment import Compose, GaussianNoise, RandomShift
    >>> augment = Compose([RandomShift((8, 8)), GaussianNoise(0.1)])
    >>> model = SupervisedDictionaryClassifier(50, augment=augment)
    """

    steps: tuple[Callable, ...]

    def __init__(self, steps: Sequence[Callable]):
        if not isinstance(steps, list | tuple):
            raise TypeError(f"steps must be a list of callables, got {steps!r}.")
        for number, step in enumerate(steps):
            if not callable(step):
                raise TypeError(
                    f"steps must be callables (X, rng) -> X, got {step!r} at position {number}."
                )
        self._set(steps=tuple(steps))

    def __call__(self, X: Array, rng: np.random.Generator) -> Array:
        """Signals after all steps.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals.
        rng : numpy.random.Generator
            Source of the changes, which the steps use one after the other.

        Returns
        -------
        array of shape (n_samples, n_features)
            The changed signals.
        """
        for step in self.steps:
            X = step(X, rng)
        return X
