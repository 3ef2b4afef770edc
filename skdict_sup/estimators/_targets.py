"""Conversion of y to targets of a loss, and of scores to predictions.

Internally y is an array (n_samples, n_columns) of class numbers or of numbers, `labels` below. A
record of targets has the loss, encodes labels as targets, and evaluates scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.class_weight import compute_class_weight

from .._array import astype_like
from .._validation import check_option, check_scalar, warn
from ..losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES, Smoothed, check_loss, class_table
from ._labels import is_minus_one


@dataclass(frozen=True, eq=False)
class ClassTargets:
    """Targets of a classification; labels are class numbers."""

    stays_on_host: ClassVar = ("classes",)

    classes: np.ndarray
    loss: Any
    smoothing: float = 0.0

    @property
    def training_loss(self):
        """Loss of the training, with label smoothing if there is any."""
        return (
            Smoothed(self.loss, self.smoothing, self.class_targets())
            if self.smoothing
            else self.loss
        )

    @property
    def n_outputs(self):
        """Number of scores."""
        return self.class_targets().shape[1]

    def class_targets(self):
        """Targets of the classes: one-hot rows, or signs for margin losses."""
        return class_table(self.loss, len(self.classes))

    def label_encoder(self):
        """Function from rows of labels to targets of the loss."""
        class_targets = self.class_targets()
        return lambda labels: class_targets[labels[:, 0].astype(int)]

    def are_missing(self, y):
        """Whether no sample has a label."""
        return bool(is_minus_one(y).all())

    def labels(self, y, labelled):
        """Class numbers as a column, zero for samples without a label."""
        unknown = np.setdiff1d(y[labelled], self.classes)
        if len(unknown):
            raise ValueError(
                f"y must contain only labels among {self.classes!r}, got {unknown!r} too; "
                "the first partial_fit takes all that will come: partial_fit(X, y, classes=...)."
            )
        number = np.zeros((len(y), 1))
        number[labelled, 0] = np.searchsorted(self.classes, y[labelled])
        return number

    def fit_scale(self, labels, weight):
        """Return the targets unchanged: classes have no scale."""
        return self

    def warn_of_first(self, labels):
        """Do nothing: classes have no scale."""

    def with_class_weight(self, weight, labels, class_weight):
        """Sample weights multiplied by class weights."""
        if class_weight is None:
            return weight
        number = labels[:, 0].astype(int)
        present = np.unique(number[weight > 0])
        if isinstance(class_weight, str) and class_weight == "balanced":
            total = np.bincount(number, weights=weight, minlength=len(self.classes))
            factor = np.zeros(len(self.classes))
            factor[present] = weight.sum() / (len(present) * total[present])
        else:
            _check_class_weight(class_weight)
            factor = compute_class_weight(
                class_weight, classes=self.classes, y=self.classes[number]
            )
        return weight * factor[number]

    def attributes(self):
        """Public attributes of the estimator, by name."""
        return {"classes_": self.classes}

    def strata(self, labels):
        """Class numbers, for a stratified split."""
        return labels[:, 0]

    def to_data_units(self, parameters):
        """Return the parameters of a head unchanged."""
        return parameters

    def to_units(self, scores):
        """Return the scores unchanged: classes have no units."""
        return scores

    def predictions(self, scores):
        """Predicted labels, from scores in host memory."""
        return self.classes[predicted_classes(scores[:, 0] if scores.shape[1] == 1 else scores)]

    def quality(self, scores, labels, losses):
        """Mean of correctness and likelihood exp(-loss) of each sample: less noisy than either."""
        predicted = predicted_classes(scores[:, 0] if scores.shape[1] == 1 else scores)
        return 0.5 * ((predicted == labels[:, 0]) + np.exp(-losses))

    def score(self, scores, labels, weight):
        """Weighted accuracy."""
        predicted = predicted_classes(scores[:, 0] if scores.shape[1] == 1 else scores)
        return accuracy_score(labels[:, 0].astype(int), predicted, sample_weight=weight)


@dataclass(frozen=True, eq=False)
class RealTargets:
    """Targets of a regression, (labels - center) / spread."""

    stays_on_host: ClassVar = ("center",)

    loss: Any
    center: Any = None
    spread: float = 1.0
    flat: bool = True  # whether y was a vector

    @property
    def training_loss(self):
        """Loss of the training, the loss itself."""
        return self.loss

    @property
    def n_outputs(self):
        """Number of scores."""
        return len(self.center)

    @property
    def standardised(self):
        """Whether the loss requires targets of mean zero and unit variance."""
        return bool(getattr(self.loss, "standardised", False))

    def label_encoder(self):
        """Function from rows of labels to targets of the loss."""
        return lambda labels: (labels - self.center) / self.spread

    def fit_scale(self, labels, weight):
        """Targets with center and spread of the labels, if the loss requires standardisation."""
        if not self.standardised:
            return replace(self, center=np.zeros(labels.shape[1]), spread=1.0)
        center = np.average(labels, axis=0, weights=weight)
        squares = np.average((labels - center) ** 2, axis=0, weights=weight).mean()
        spread = float(np.sqrt(squares)) if squares > 0 else 1.0
        return replace(self, center=center, spread=spread)

    def are_missing(self, y):
        """Whether no sample has a label."""
        return y.dtype.kind == "f" and bool(np.isnan(y).all())

    def with_loss(self, loss, loss_name):
        """Targets with another loss; raises unless both losses or none require standardisation."""
        targets = replace(self, loss=loss)
        if targets.standardised != self.standardised:
            raise ValueError(
                f"loss must take targets as in the first fit, "
                f"{'standardised' if self.standardised else 'unchanged'}, to continue learning; "
                f"got {loss_name!r}."
            )
        return targets

    def check_columns(self, labels):
        """Raise unless there are as many outputs as in the first fit."""
        if labels.shape[1] != len(self.center):
            raise ValueError(
                f"y must have {len(self.center)} output(s) as in the first fit, "
                f"got {labels.shape[1]}."
            )

    def warn_of_first(self, labels):
        """Warn if the first labels of a stream have no spread, by which later ones are scaled."""
        if self.standardised and (labels == labels[:1]).all():
            warn(
                "y of the first partial_fit has one value alone, so that its spread is not known "
                "and targets are not scaled: begin with more samples, some hundred if possible."
            )

    def with_class_weight(self, weight, labels, class_weight):
        """Return the sample weights unchanged."""
        return weight

    def attributes(self):
        """Public attributes of the estimator: none."""
        return {}

    def strata(self, labels):
        """None, for a random split."""
        return None

    def to_data_units(self, parameters):
        """Parameters of a head, in the units of y."""
        intercept = parameters["intercept"]
        center = astype_like(self.center, intercept)
        scaled = {"coef": parameters["coef"] * self.spread}
        scaled["intercept"] = intercept * self.spread + center
        if "linear" in parameters:
            scaled["linear"] = parameters["linear"] * self.spread
        return parameters | scaled

    def to_units(self, scores):
        """Scores in the units of y, from those in the units of the loss."""
        return scores * self.spread + self.center

    def predictions(self, scores):
        """Predictions shaped like y, from scores in the units of y."""
        return self.shaped(self._values(scores))

    def shaped(self, values):
        """Values (n_samples, n_outputs, ...), without the second axis if y was a vector."""
        return values[:, 0, ...] if self.flat else values

    def quality(self, scores, labels, losses):
        """Negative loss of each sample, which is as exact as R2."""
        return -losses

    def score(self, scores, labels, weight):
        """Weighted R2."""
        return r2_score(labels, self._values(scores), sample_weight=weight)

    def _values(self, scores):
        """Predictions from scores, by the inverse link of the loss if it has one."""
        return self.loss.inverse_link(scores) if hasattr(self.loss, "inverse_link") else scores


def _check_class_weight(class_weight):
    """Raise unless class weights are a dictionary of finite numbers >= 0."""
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            "class_weight must be None, 'balanced' or a dictionary of weights by class, got "
            f"{class_weight!r}."
        )
    for label, value in class_weight.items():
        check_scalar(value, f"class_weight[{label!r}]", low=0.0)


def classification_loss(loss, n_classes, one_against_rest=False):
    """Loss object of a classification, from a name or an object."""
    if not isinstance(loss, str):
        return check_loss(loss)
    check_option(loss, "loss", {"auto", *CLASSIFICATION_LOSSES})
    if loss == "auto":
        loss = "logistic" if n_classes == 2 or one_against_rest else "softmax"
    return CLASSIFICATION_LOSSES[loss]


def regression_loss(loss):
    """Loss object of a regression, from a name or an object."""
    if not isinstance(loss, str):
        return check_loss(loss)
    check_option(loss, "loss", {"auto", *REGRESSION_LOSSES})
    return REGRESSION_LOSSES["square" if loss == "auto" else loss]


def check_rows(labels, X):
    """Raise unless y has as many rows as X."""
    if labels.shape[0] != X.shape[0]:
        raise ValueError(
            f"y must have one row per row of X: got {labels.shape[0]} rows of y for "
            f"{X.shape[0]} of X."
        )


def has_loss(encoder):
    """Return True if an encoder has a linear model, else raise."""
    if encoder.loss is None:
        raise AttributeError("an encoder with loss=None has no linear model")
    return True


def has_likelihood(estimator):
    """Return True if the loss of a classifier defines probabilities, else raise."""
    loss = estimator.loss
    names = CLASSIFICATION_LOSSES | {"auto": CLASSIFICATION_LOSSES["softmax"]}
    if not hasattr(names.get(loss) if isinstance(loss, str) else loss, "probabilities"):
        raise AttributeError(f"predict_proba is not available with loss={loss!r}.")
    return True


def predicted_classes(scores):
    """Class numbers with the highest score."""
    return (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
