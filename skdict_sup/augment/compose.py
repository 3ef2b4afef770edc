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
    steps : sequence of callable, or callable
        Functions (X, rng) from a batch and a NumPy generator to a batch, in their order: those of
        this module or others, such as one that scales signals to norm one again.
    *more : callable
        The other functions, if `steps` is the first one: ``Compose(a, b)`` is ``Compose([a, b])``.

    Raises
    ------
    TypeError
        If a step cannot be called, or is a class.

    Examples
    --------
    >>> from skdict_sup import SupervisedDictionaryClassifier
    >>> from skdict_sup.augment import Compose, GaussianNoise, RandomShift
    >>> augment = Compose([RandomShift((8, 8)), GaussianNoise(0.1)])
    >>> model = SupervisedDictionaryClassifier(50, augment=augment)
    """

    steps: tuple[Callable, ...]

    def __init__(self, steps: Sequence[Callable] | Callable, *more: Callable):
        first = steps if isinstance(steps, list | tuple) else (steps,)
        every = (*first, *more)
        for number, step in enumerate(every):
            if not callable(step):
                raise TypeError(
                    f"steps must be callables (X, rng) -> X, got {step!r} at position {number}."
                )
            if isinstance(step, type):
                raise TypeError(
                    f"steps must be callables (X, rng) -> X, got the class {step.__name__} at "
                    f"position {number}; pass an object of it: {step.__name__}(...)."
                )
        self._set(steps=every)

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

        Raises
        ------
        TypeError
            If a step returns None.
        """
        for number, step in enumerate(self.steps):
            X = step(X, rng)
            if X is None:
                raise TypeError(
                    f"steps must return the changed signals, got None from step {number}; a "
                    "function that changes X in place must return X, too."
                )
        return X
