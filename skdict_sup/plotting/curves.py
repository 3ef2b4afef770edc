"""Displays of training curves and of codes as a function of lam."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from .._array import to_numpy
from .._typing import Array
from .._validation import check_matrix, check_scalar
from ..coding import lam_max
from ..path import codes_path
from ._axes import axes_or_new, check_shows

_MIN_LAM = 1e-2  # end of a path, as a fraction of lam_max
_MAX_LABELS = 8  # atoms of a path that are named in the legend


class LossCurveDisplay:
    """Training loss by epoch, with the validation score if there is one.

    Parameters
    ----------
    loss_curve : list of float
        Mean loss of each epoch.
    validation_scores : list of float or None, default=None
        Validation score of each epoch.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the loss.
    score_ax_ : matplotlib Axes or None
        Axes of the validation score, with the same epochs.
    figure_ : matplotlib Figure
        Figure of the axes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdict_sup import SupervisedDictionaryClassifier
    >>> from skdict_sup.plotting import LossCurveDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> model = SupervisedDictionaryClassifier(10, max_iter=3, random_state=0).fit(X, y)
    >>> len(LossCurveDisplay.from_estimator(model).loss_curve)
    3
    """

    def __init__(
        self, loss_curve: Sequence[float], validation_scores: Sequence[float] | None = None
    ):
        self.loss_curve = loss_curve
        self.validation_scores = validation_scores

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the training curve of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with a `loss_curve_`.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.
        **kwargs : dict
            Options of `Axes.plot` for the loss.

        Returns
        -------
        LossCurveDisplay
            The display, already drawn.
        """
        check_shows(estimator, "loss_curve_")
        scores = list(getattr(estimator, "validation_scores_", [])) or None
        return cls(list(estimator.loss_curve_), scores).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.
        **kwargs : dict
            Options of `Axes.plot` for the loss.

        Returns
        -------
        LossCurveDisplay
            The display.
        """
        self.ax_ = axes_or_new(ax)
        self.figure_, self.score_ax_ = self.ax_.figure, None
        epochs = np.arange(1, len(self.loss_curve) + 1)
        settings: dict[str, Any] = {"label": "training loss"} | kwargs
        (line,) = self.ax_.plot(epochs, self.loss_curve, **settings)
        self.ax_.set(xlabel="epoch", ylabel="training loss")
        if self.validation_scores:
            self.score_ax_ = self.ax_.twinx()
            (other,) = self.score_ax_.plot(
                epochs[: len(self.validation_scores)],
                self.validation_scores,
                color="C1",
                label="validation score",
            )
            self.score_ax_.set_ylabel("validation score")
            place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}
            self.ax_.legend(handles=[line, other], frameon=False, **place)  # above the curves
        return self


class LamPathDisplay:
    """Entries of the code of one signal as a function of lam, or of a factor of an array lam.

    Parameters
    ----------
    lams : array of shape (n_lams,)
        Values of lam, in decreasing order.
    codes : array of shape (n_lams, n_components)
        Code for each value.
    is_factor : bool, default=False
        Whether the values are factors of an array lam, which has a weight for each atom.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the last plot.
    figure_ : matplotlib Figure
        Figure of the axes.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup import SparseCoder
    >>> from skdict_sup.plotting import LamPathDisplay
    >>> x = np.array([3.0, -1.0, 0.5])
    >>> coder = SparseCoder(np.eye(3)).fit(x[None, :])
    >>> display = LamPathDisplay.from_estimator(coder, x, lams=[2.0, 0.1])
    >>> display.codes.round(3)
    array([[ 1. ,  0. ,  0. ],
           [ 2.9, -0.9,  0.4]])
    """

    def __init__(self, lams: Array, codes: Array, is_factor: bool = False):
        self.lams = lams
        self.codes = codes
        self.is_factor = is_factor

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        x: Array,
        *,
        lams: Array | None = None,
        n_lams: int = 60,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the path of a signal, with the dictionary and the prior of an estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with a linear transfer and a prior that has a lam.
        x : array of shape (n_features,)
            Signal.
        lams : array of shape (n_lams,) or None, default=None
            Values of lam; None means `n_lams` values from lam_max down to a hundredth of it. If
            the prior has an array lam, these are factors that multiply it.
        n_lams : int, default=60
            Number of values if `lams` is None.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.
        **kwargs : dict
            Options of `Axes.plot`.

        Returns
        -------
        LamPathDisplay
            The display, already drawn.
        """
        check_shows(estimator, "components_", "prior_")
        signal = check_matrix(np.atleast_2d(to_numpy(x)).astype(float), "x")
        if len(signal) > 1:
            raise ValueError(
                f"x must be one signal, of shape (n_features,), got shape {tuple(signal.shape)}; "
                "pass x[0] for the path of the first signal."
            )
        signal, dictionary = _as_coded(estimator, signal)
        settings = estimator.prior_.get_params()
        if lams is None:
            check_scalar(n_lams, "n_lams", low=2, integer=True)
            prior = estimator.prior_ if np.ndim(settings["lam"]) else "elastic_net"
            top = float(lam_max(signal, dictionary, prior)[0])
            top = top if 0 < top < np.inf else 1.0
            lams = np.geomspace(top, _MIN_LAM * top, n_lams)
        lams = np.sort(np.asarray(lams, float))[::-1]
        path = codes_path(signal, dictionary, lams, prior=estimator.prior_)
        codes = np.concatenate([solution.code for solution in path])
        return cls(lams, codes, bool(np.ndim(settings["lam"]))).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None creates a figure.
        **kwargs : dict
            Options of `Axes.plot`.

        Returns
        -------
        LamPathDisplay
            The display.
        """
        self.ax_ = axes_or_new(ax)
        self.figure_ = self.ax_.figure
        largest = np.abs(self.codes).max(axis=0)
        for rank, atom in enumerate(np.argsort(-largest, kind="stable")):
            if largest[atom] == 0:
                break
            style: dict[str, Any] = {"label": f"atom {atom}"}
            if rank >= _MAX_LABELS:  # one entry of the legend for all of them
                label = "other atoms" if rank == _MAX_LABELS else "_other"
                style = {"label": label, "color": "0.8", "zorder": 0}
            self.ax_.plot(self.lams, self.codes[:, atom], **style | kwargs)
        xlabel = "factor of lam" if self.is_factor else "lam"
        self.ax_.set(xscale="log", xlabel=xlabel, ylabel="entry of the code")
        self.ax_.invert_xaxis()
        if (largest > 0).any():
            place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}  # beside the curves
            self.ax_.legend(frameon=False, fontsize="small", **place)
        return self


def _as_coded(estimator, signal):
    """Signal as an estimator prepares it to be coded, and the whole atoms, in float64."""
    dictionary = to_numpy(estimator.components_).astype(float)
    signal = signal - to_numpy(estimator.mean_) if hasattr(estimator, "mean_") else signal
    signal = signal / to_numpy(estimator.scale_) if hasattr(estimator, "scale_") else signal
    if not hasattr(estimator, "offset_components_"):
        return signal, dictionary
    signal = np.column_stack([signal, [estimator.offset_]])
    return signal, np.column_stack([dictionary, to_numpy(estimator.offset_components_)])
