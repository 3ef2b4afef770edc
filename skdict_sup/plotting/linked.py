"""Display of two linked dictionaries: atoms of the signals and atoms of the targets."""

import math
from typing import Any, Self

import numpy as np

from .._array import to_numpy
from .._typing import Array
from ._axes import axes_or_new, check_image_shape, check_shows
from .dictionaries import DictionaryDisplay


class LinkedDictionariesDisplay:
    """Atoms of the signals beside the linked atoms of the targets.

    A regressor with several targets has a second dictionary, the columns of `coef_`: if the code
    of a signal uses an atom, the prediction uses the linked atom of the targets.

    Parameters
    ----------
    inputs : array of shape (n_atoms, n_features)
        Atoms of the signals.
    outputs : array of shape (n_atoms, n_outputs)
        Atoms of the targets.
    input_shape, output_shape : tuple of int or None, default=None
        Shapes of the images of atoms; None means a square (gray or colour) or a row.

    Attributes
    ----------
    ax_ : array of two matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the axes.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", "Linked Dictionaries".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdict_sup import SupervisedDictionaryRegressor
    >>> from skdict_sup.plotting import LinkedDictionariesDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> model = SupervisedDictionaryRegressor(9, max_iter=1, random_state=0)
    >>> model = model.fit(X[:, :32], X[:, 32:])
    >>> display = LinkedDictionariesDisplay.from_estimator(
    ...     model, input_shape=(4, 8), output_shape=(4, 8)
    ... )
    >>> display.outputs.shape
    (9, 32)
    """

    def __init__(
        self, inputs: Array, outputs: Array, input_shape: Any = None, output_shape: Any = None
    ):
        self.inputs = inputs
        self.outputs = outputs
        self.input_shape = input_shape
        self.output_shape = output_shape

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        input_shape: Any = None,
        output_shape: Any = None,
        n_atoms: int | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw both dictionaries of a fitted regressor, largest weights first.

        Parameters
        ----------
        estimator : SupervisedDictionaryRegressor
            Fitted regressor with a linear head.
        input_shape, output_shape : tuple of int or None, default=None
            Shapes of the images of atoms; None means a square (gray or colour) or a row.
        n_atoms : int or None, default=None
            Number of atoms to draw; None draws all.
        ax : sequence of two matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.
        **kwargs : dict
            Options of `plot`.

        Returns
        -------
        LinkedDictionariesDisplay
            The display, already drawn.
        """
        check_shows(estimator, "coef_", "components_")
        coef, inputs = to_numpy(estimator.coef_), to_numpy(estimator.components_)
        if coef.ndim != 2 or coef.shape[1] != len(inputs):
            raise ValueError(
                f"estimator must have one weight per atom and output, got coef_ of shape "
                f"{coef.shape} for {len(inputs)} atoms."
            )
        order = np.argsort(-np.linalg.norm(coef, axis=0), kind="stable")[:n_atoms]
        shapes = (
            check_image_shape(input_shape, inputs.shape[1], "input_shape"),
            check_image_shape(output_shape, coef.shape[0], "output_shape"),
        )
        return cls(inputs[order], coef.T[order], *shapes).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, *, columns: int | None = None, cmap: Any = "gray") -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : sequence of two matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.
        columns : int or None, default=None
            Number of atoms in a row; None makes the grids about square.
        cmap : str or matplotlib Colormap, default="gray"
            Colour map for atoms without channels.

        Returns
        -------
        LinkedDictionariesDisplay
            The display.
        """
        if ax is None:
            figure: Any = axes_or_new(None).figure
            figure.clear()
            figure.set_size_inches(8, 4.3)
            ax = figure.subplots(1, 2)
        columns = columns or max(1, round(math.sqrt(len(self.inputs))))
        parts = (
            ("signals", self.inputs, self.input_shape),
            (
                "targets",
                self.outputs,
                self.output_shape,
            ),
        )
        for one, (name, atoms, shape) in zip(ax, parts, strict=True):
            DictionaryDisplay(atoms, shape).plot(one, columns=columns, cmap=cmap)
            one.set_title(f"atoms of the {name}")
        self.ax_ = np.asarray(ax)
        self.figure_ = ax[0].figure
        return self
