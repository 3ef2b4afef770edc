"""Dictionaries as grids of images."""

import math
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._array import to_numpy
from .._typing import Array
from .._validation import check_option, check_scalar
from ._axes import axes_or_new, check_image_shape, mosaic, to_range

_ORDERS = ("auto", "use", "weight", "none")


class DictionaryDisplay:
    """Atoms of a dictionary as a grid of images.

    Create it by :meth:`from_estimator`; the constructor takes what that computes.

    Parameters
    ----------
    atoms : array of shape (n_atoms, n_features)
        Atoms in the order they are drawn, row by row.
    image_shape : tuple of int or None, default=None
        Height and width (and channels) of an atom; None guesses a square, or draws a row.
    order : array of shape (n_atoms,) or None, default=None
        Numbers of the atoms in the dictionary.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    LinkedDictionariesDisplay : Atoms of the signals beside those of the targets.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdict_sup import OnlineDictionaryLearning
    >>> from skdict_sup.plotting import DictionaryDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> model = OnlineDictionaryLearning(16, max_iter=1, random_state=0).fit(X)
    >>> display = DictionaryDisplay.from_estimator(model, image_shape=(8, 8), X=X[:200])
    >>> display.atoms.shape
    (16, 64)
    """

    def __init__(self, atoms: Array, image_shape: Any = None, order: Any = None):
        self.atoms = atoms
        self.image_shape = image_shape
        self.order = order

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        image_shape: Any = None,
        sort: Any = "auto",
        X: Array | None = None,
        output: str | None = None,
        n_atoms: int | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the dictionary of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, with atoms `components_`.
        image_shape : tuple of int or None, default=None
            Height and width (and channels) of an atom; None guesses a square, or draws a row.
        sort : {"auto", "use", "weight", "none"}, default="auto"
            Order of the atoms: by the mean size of their entries in the codes of X, by the size of
            their weight in the head, or as they are. "auto" is "use" where X is given, else
            "weight" where there is a head.
        X : array of shape (n_samples, n_features) or None, default=None
            Signals that use is judged on.
        output : int or None, default=None
            Class or target whose weights count for "weight", largest first; None takes the norm
            over all.
        n_atoms : int or None, default=None
            How many are drawn; None draws all.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a figure.
        **kwargs : dict
            Options of `plot`.

        Returns
        -------
        DictionaryDisplay
            The display, drawn.
        """
        check_is_fitted(estimator)
        check_option(sort, "sort", set(_ORDERS))
        atoms = to_numpy(estimator.components_)
        if sort == "auto":
            sort = "use" if X is not None else "weight"
            sort = "none" if X is None and not hasattr(estimator, "coef_") else sort
        score = _score(estimator, sort, X, output, len(atoms))
        order = np.argsort(-score, kind="stable")
        if n_atoms is not None:
            order = order[: check_scalar(n_atoms, "n_atoms", low=1, integer=True)]
        shape = check_image_shape(image_shape, atoms.shape[1])
        return cls(atoms[order], shape, order).plot(ax=ax, **kwargs)

    def plot(
        self, ax: Any = None, *, columns: int | None = None, cmap: Any = "gray", **kwargs: Any
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a figure.
        columns : int or None, default=None
            Atoms in a row; None makes the grid about square.
        cmap : str or matplotlib Colormap, default="gray"
            Colours of atoms without channels: each is scaled to its largest entry, zero is in the
            middle.
        **kwargs : dict
            Options of `imshow`.

        Returns
        -------
        DictionaryDisplay
            The display.
        """
        shape = check_image_shape(self.image_shape, self.atoms.shape[1])
        if columns is None:
            columns = max(1, round(math.sqrt(len(self.atoms) * shape[0] / shape[1])))
        check_scalar(columns, "columns", low=1, integer=True)
        images = to_range(self.atoms.reshape(-1, *shape))
        self.ax_ = axes_or_new(ax)
        self.figure_ = self.ax_.figure
        picture = mosaic(images, columns)
        self.ax_.imshow(picture, **{"cmap": cmap, "vmin": -1, "vmax": 1} | kwargs)
        self.ax_.set_axis_off()
        return self


def _score(estimator, sort, X, output, n_atoms):
    """What atoms are sorted by, largest first."""
    if sort == "none":
        return np.zeros(n_atoms)
    if sort == "use":
        if X is None:
            raise ValueError("sort='use' needs signals to judge it on: give X, got None.")
        score = np.abs(to_numpy(estimator.transform(X))).mean(axis=0)
    else:
        if not hasattr(estimator, "coef_"):
            raise ValueError(
                f"sort='weight' needs an estimator with a head, got {type(estimator).__name__}."
            )
        score = _weights(estimator, output)
    # halves of signed codes stand side by side
    return score.reshape(-1, n_atoms).max(axis=0)


def _weights(estimator, output):
    """Size of the head's weight of each entry of a code, or its weight for one output."""
    coef = to_numpy(estimator.coef_)
    coef = np.linalg.norm(coef, axis=2) if coef.ndim == 3 else coef
    if coef.shape[0] > 1 and coef.shape[1] * coef.shape[0] == estimator._n_features_out:
        halves = 2 if estimator.split_sign else 1  # one dictionary for each output
        own = coef.reshape(len(coef), halves, -1).transpose(1, 0, 2)
        if output is not None:
            keep = np.arange(len(coef)) == check_scalar(output, "output", low=0, integer=True)
            return np.where(keep[None, :, None], own, -np.inf).ravel()
        return np.abs(own).ravel()
    if output is None:
        return np.linalg.norm(coef, axis=0)
    check_scalar(output, "output", low=0, high=len(coef) - 1, integer=True)
    return coef[output]
