"""Display of a dictionary as a grid of images."""

import math
from typing import Any, Self

import numpy as np

from .._array import to_numpy
from .._typing import Array
from .._validation import check_option, check_scalar
from ..estimators._pictures import atom_scores, image_shape_of, mosaic, to_range
from ._axes import axes_or_new, check_image_shape, check_shows

_ORDERS = ("auto", "use", "weight", "none")


class DictionaryDisplay:
    """Atoms of a dictionary as a grid of images.

    Use :meth:`from_estimator` to create it; the constructor takes the computed arrays.

    Parameters
    ----------
    atoms : array of shape (n_atoms, n_features)
        Atoms in the order in which they are drawn, row by row.
    image_shape : tuple of int or None, default=None
        Height and width (and channels) of an atom; None means a square (gray or colour) or a row.
    order : array of shape (n_atoms,) or None, default=None
        Indices of the atoms in the dictionary.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the axes.

    See Also
    --------
    LinkedDictionariesDisplay : Atoms of the signals beside the atoms of the targets.

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
            Fitted estimator with `components_`.
        image_shape : tuple of int or None, default=None
            Height and width (and channels) of an atom; None means a patch of an estimator of
            images, else a square if possible, else a row.
        sort : {"auto", "use", "weight", "none"}, default="auto"
            Order of the atoms: by the mean magnitude of their entries in the codes of X ("use"),
            by the magnitude of their weights in the linear model ("weight"), or unchanged
            ("none"). "auto" is "use" if X is given, else "weight" if there is a linear model, else
            "none".
        X : array of shape (n_samples, n_features) or None, default=None
            Signals whose codes define "use".
        output : int or None, default=None
            Class or target whose weights are used for "weight", largest first; None means the norm
            of the weights over all outputs.
        n_atoms : int or None, default=None
            Number of atoms to draw; None draws all.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.
        **kwargs : dict
            Options of `plot`.

        Returns
        -------
        DictionaryDisplay
            The display, already drawn.
        """
        check_shows(estimator, "components_")
        check_option(sort, "sort", set(_ORDERS))
        atoms = to_numpy(estimator.components_)
        if sort == "auto":
            sort = "use" if X is not None else "weight"
            sort = "none" if X is None and not hasattr(estimator, "coef_") else sort
        score = _score(estimator, sort, X, output, len(atoms))
        order = np.argsort(-score, kind="stable")
        if n_atoms is not None:
            order = order[: check_scalar(n_atoms, "n_atoms", low=1, integer=True)]
        if image_shape is None and hasattr(estimator, "patch_size_"):
            image_shape = image_shape_of(estimator)
        shape = check_image_shape(image_shape, atoms.shape[1])
        return cls(atoms[order], shape, order).plot(ax=ax, **kwargs)

    def plot(
        self, ax: Any = None, *, columns: int | None = None, cmap: Any = "gray", **kwargs: Any
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.
        columns : int or None, default=None
            Number of atoms in a row; None makes the grid about square.
        cmap : str or matplotlib Colormap, default="gray"
            Colour map for atoms without channels. Each atom is scaled by its largest entry, and
            zero is in the middle.
        **kwargs : dict
            Options of `Axes.imshow`.

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
    """Score of each atom; atoms are sorted by it, largest first."""
    if sort == "none":
        return np.zeros(n_atoms)
    if sort == "use":
        if X is None:
            raise ValueError("sort='use' needs signals: X must be given, got None.")
        if hasattr(estimator, "patch_size_"):
            raise ValueError(
                "X must be None for estimators of images, which do not code its rows, got "
                f"{type(estimator).__name__}: leave X out, which draws the atoms in their order."
            )
        score = np.abs(to_numpy(estimator.transform(X))).mean(axis=0)
    else:
        if not hasattr(estimator, "coef_"):
            raise ValueError(
                f"sort='weight' needs an estimator with coef_, got {type(estimator).__name__}."
            )
        return atom_scores(estimator, output)
    # the two halves of split codes are concatenated
    return score.reshape(-1, n_atoms).max(axis=0)
