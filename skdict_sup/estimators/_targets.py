"""What users call y: labels or numbers, the targets that a loss makes of them, and the way back.

Inside, y is an array (n_samples, columns) of class numbers or of numbers, `labels` below. A record
of targets knows the loss, maps labels to its targets, and scores to predictions and to a score.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from .._array import astype_like, to_numpy
from .._validation import check_option, check_plain, warn
from ..losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES, Smoothed, check_loss, class_table


@dataclass(frozen=True, eq=False)
class ClassTargets:
    """Classes of a classification; labels are their numbers."""

    on_host: ClassVar = ("classes",)

    classes: np.ndarray
    loss: Any
    smoothing: float = 0.0

    @property
    def training_loss(self):
        """Loss of the training, with smoothed targets if any."""
        return Smoothed(self.loss, self.smoothing, self.table()) if self.smoothing else self.loss

    @property
    def n_outputs(self):
        """Number of scores."""
        return self.table().shape[1]

    def table(self):
        """Targets of the classes: one-hot rows, or signs."""
        return class_table(self.loss, len(self.classes))

    def encoder(self):
        """Function from rows of labels to targets of the loss."""
        table = self.table()
        return lambda labels: table[labels[:, 0].astype(int)]

    def labels(self, y, labelled):
        """Class numbers as a column, zero for samples without a label."""
        unknown = np.setdiff1d(y[labelled], self.classes)
        if len(unknown):
            raise ValueError(f"y must hold labels among {self.classes!r}, got {unknown!r} too.")
        number = np.zeros((len(y), 1))
        number[labelled, 0] = np.searchsorted(self.classes, y[labelled])
        return number

    def scaled_to(self, labels, weight):
        """The same targets: classes have no scale."""
        return self

    def weighted(self, weight, labels, class_weight):
        """Weights of samples times those of their classes."""
        if class_weight is None:
            return weight
        number = labels[:, 0].astype(int)
        present = np.unique(number[weight > 0])
        if isinstance(class_weight, str) and class_weight == "balanced":
            total = np.bincount(number, weights=weight, minlength=len(self.classes))
            factor = np.zeros(len(self.classes))
            factor[present] = weight.sum() / (len(present) * total[present])
        else:
            factor = compute_class_weight(
                class_weight, classes=self.classes, y=self.classes[number]
            )
        return weight * factor[number]

    def published(self):
        """Attributes that users see, by name."""
        return {"classes_": self.classes}

    def strata(self, labels):
        """Class numbers, by which samples are held out."""
        return labels[:, 0]

    def in_units(self, parameters):
        """Parameters of a head, as they are."""
        return parameters

    def predictions(self, scores):
        """Labels of scores in host memory."""
        return self.classes[winners(scores[:, 0] if scores.shape[1] == 1 else scores)]

    def score(self, scores, labels, weight):
        """Weighted accuracy."""
        winner = winners(scores[:, 0] if scores.shape[1] == 1 else scores)
        return accuracy_score(labels[:, 0].astype(int), winner, sample_weight=weight)


@dataclass(frozen=True, eq=False)
class RealTargets:
    """Numbers of a regression; the loss sees (labels - center) / spread."""

    on_host: ClassVar = ("center",)

    loss: Any
    center: Any = None
    spread: float = 1.0
    flat: bool = True  # whether y came as a vector

    @property
    def training_loss(self):
        """Loss of the training."""
        return self.loss

    @property
    def n_outputs(self):
        """Number of scores."""
        return len(self.center)

    @property
    def standardised(self):
        """Whether the loss wants targets of mean zero and unit variance."""
        return bool(getattr(self.loss, "standardised", False))

    def encoder(self):
        """Function from rows of labels to targets of the loss."""
        return lambda labels: (labels - self.center) / self.spread

    def scaled_to(self, labels, weight):
        """Targets with the center and spread of labels, if the loss wants them."""
        if not self.standardised:
            return replace(self, center=np.zeros(labels.shape[1]), spread=1.0)
        center = np.average(labels, axis=0, weights=weight)
        squares = np.average((labels - center) ** 2, axis=0, weights=weight).mean()
        spread = float(np.sqrt(squares)) if squares > 0 else 1.0
        return replace(self, center=center, spread=spread)

    def with_loss(self, loss, given):
        """Targets with another loss, `given` by users; it has to want them on the same scale."""
        after = replace(self, loss=loss)
        if after.standardised != self.standardised:
            raise ValueError(
                f"loss must take targets as in the first fit, "
                f"{'standardised' if self.standardised else 'as they are'}, to go on learning; "
                f"got {given!r}."
            )
        return after

    def check_columns(self, labels):
        """Raise unless there are as many outputs as in the first fit."""
        if labels.shape[1] != len(self.center):
            raise ValueError(
                f"y must have {len(self.center)} output(s) as in the first fit, "
                f"got {labels.shape[1]}."
            )

    def weighted(self, weight, labels, class_weight):
        """Weights of samples, as they are."""
        return weight

    def published(self):
        """Attributes that users see, by name: none."""
        return {}

    def strata(self, labels):
        """None: samples are held out at random."""
        return None

    def in_units(self, parameters):
        """Parameters of a head in the units of y."""
        intercept = parameters["intercept"]
        center = astype_like(self.center, intercept)
        found = {"coef": parameters["coef"] * self.spread}
        found["intercept"] = intercept * self.spread + center
        if "linear" in parameters:
            found["linear"] = parameters["linear"] * self.spread
        return parameters | found

    def predictions(self, scores):
        """Predictions of scores in the units of y, shaped like y."""
        values = self._values(scores)
        return values[:, 0] if self.flat else values

    def score(self, scores, labels, weight):
        """Weighted R2."""
        return r2_score(labels, self._values(scores), sample_weight=weight)

    def _values(self, scores):
        return self.loss.inverse_link(scores) if hasattr(self.loss, "inverse_link") else scores


def classification_loss(loss, n_classes, one_against_rest=False):
    """Loss of a classification, for a name or an object."""
    if not isinstance(loss, str):
        return check_loss(loss)
    check_option(loss, "loss", {"auto", *CLASSIFICATION_LOSSES})
    if loss == "auto":
        loss = "logistic" if n_classes == 2 or one_against_rest else "softmax"
    return CLASSIFICATION_LOSSES[loss]


def regression_loss(loss):
    """Loss of a regression, for a name or an object."""
    if not isinstance(loss, str):
        return check_loss(loss)
    check_option(loss, "loss", {"auto", *REGRESSION_LOSSES})
    return REGRESSION_LOSSES["square" if loss == "auto" else loss]


def read_classes(y, *, unlabelled=False):
    """Labels as a vector in host memory, and which samples have one.

    Where there are samples without a label, the number -1 stands for none.
    """
    check_plain(y, "y")
    y = column_or_1d(to_numpy(y), warn=True)
    assert_all_finite(y, input_name="y")
    labelled = np.ones(len(y), bool)
    if unlabelled and y.dtype.kind in "if":
        labelled = y != -1
        if not labelled.any():
            raise ValueError("y must hold labelled samples, got -1 alone.")
    check_classification_targets(y[labelled])
    return y, labelled


def classes_of(y, labelled, known=None):
    """Classes of labels, at least two; those that are known if given."""
    classes = np.unique(y[labelled]) if known is None else known
    if len(classes) < 2:
        also = "" if labelled.all() else " beside -1 (unlabelled, since mu is not 0)"
        raise ValueError(
            f"y must hold at least two classes, got one class only{also}: {classes!r}."
        )
    return classes


def warn_of_minus_one(classes):
    """Warn if -1, which elsewhere means "no label", is a class beside two or more others."""
    if classes.dtype.kind in "if" and len(classes) > 2 and -1 in classes:
        warn(
            f"y holds -1 beside {len(classes) - 1} other labels, and with mu=0 it is a class like "
            "any other; choose mu above 0 for samples without a label, or leave them out."
        )


def read_numbers(y, *, unlabelled=False):
    """Numbers in columns, zero where there are none; which samples have some; whether y is flat.

    Where there are samples without a label, NaN stands for none.
    """
    check_plain(y, "y")
    finite: Any = "allow-nan" if unlabelled else True
    y = check_array(
        to_numpy(y), ensure_2d=False, dtype="float64", ensure_all_finite=finite, input_name="y"
    )
    flat, y = y.ndim == 1, y.reshape(len(y), -1)
    missing = np.isnan(y)
    labelled = ~missing.all(axis=1)
    if not labelled.any():
        raise ValueError("y must hold labelled samples, got NaN alone.")
    if missing[labelled].any():
        raise ValueError(
            f"y must be NaN in all outputs of an unlabelled sample, got NaN in some of them "
            f"in {int(missing[labelled].any(axis=1).sum())} row(s)."
        )
    return np.where(missing, 0.0, y), labelled, flat


def check_rows(labels, X):
    """Raise unless there is a row of y for each signal."""
    if labels.shape[0] != X.shape[0]:
        raise ValueError(
            f"y must have one row per row of X: got {labels.shape[0]} rows of y for "
            f"{X.shape[0]} of X."
        )


def has_likelihood(estimator):
    """Whether the loss of a classifier turns scores into probabilities."""
    loss = estimator.loss
    names = CLASSIFICATION_LOSSES | {"auto": CLASSIFICATION_LOSSES["softmax"]}
    if not hasattr(names.get(loss) if isinstance(loss, str) else loss, "probabilities"):
        raise AttributeError(f"predict_proba is not available with loss={loss!r}.")
    return True


def winners(scores):
    """Class numbers of highest score."""
    return (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
