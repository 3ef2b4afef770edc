"""What a classifier makes of labels: numbers, weights, targets of its loss."""

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from .._validation import check_option, check_scalar
from ..losses import CLASSIFICATION_LOSSES, Smoothed, check_loss, class_table
from ._advice import warn_of_minus_one
from ._base import in_one_step

_LOSSES = CLASSIFICATION_LOSSES | {"auto": CLASSIFICATION_LOSSES["softmax"]}


class ClassTargets:
    """Labels and the loss of a supervised classifier; goes before its base."""

    def _labels(self, y, *, reset):
        """Class numbers as a column, and which samples have one."""
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        labelled = np.ones(len(y), bool)
        if self._mixes() and y.dtype.kind in "if":
            labelled = y != -1
            if not labelled.any():
                raise ValueError("y must hold labelled samples, got -1 alone.")
        given = y[labelled]
        check_classification_targets(given)
        if reset:
            known = getattr(self, "_known_classes", None)
            self.classes_ = np.unique(given) if known is None else known
            if len(self.classes_) < 2:
                unlabelled = "" if labelled.all() else " beside -1 (unlabelled, since mu is not 0)"
                raise ValueError(
                    f"y must hold at least two classes, got one class only{unlabelled}: "
                    f"{self.classes_!r}."
                )
            if known is None and not self._mixes() and y.dtype.kind in "if":
                warn_of_minus_one(self.classes_)
        unknown = np.setdiff1d(given, self.classes_)
        if len(unknown):
            raise ValueError(f"y must hold labels among {self.classes_!r}, got {unknown!r} too.")
        number = np.zeros((len(y), 1))
        number[labelled, 0] = np.searchsorted(self.classes_, given)
        return number, labelled

    @in_one_step
    def _publish(self, *args):
        vars(self).pop("_known_classes", None)  # it matters only while the first partial_fit runs
        super()._publish(*args)

    def _class_weighted(self, weight, labels):
        if self.class_weight is None:
            return weight
        number = labels[:, 0].astype(int)
        present = np.unique(number[weight > 0])
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            total = np.bincount(number, weights=weight, minlength=len(self.classes_))
            factor = np.zeros(len(self.classes_))
            factor[present] = weight.sum() / (len(present) * total[present])
        else:
            factor = compute_class_weight(
                self.class_weight, classes=self.classes_, y=self.classes_[number]
            )
        return weight * factor[number]

    def _check_training(self):
        super()._check_training()
        check_option(self.multi_class, "multi_class", {"shared", "ovr"})
        check_scalar(self.label_smoothing, "label_smoothing", low=0.0, high=0.99)

    def _blocks(self):
        return self.multi_class == "ovr"

    def _plain_loss(self):
        """Loss without smoothing."""
        if not isinstance(self.loss, str):
            return check_loss(self.loss)
        check_option(self.loss, "loss", {"auto", *CLASSIFICATION_LOSSES})
        if self.loss == "auto":
            binary = len(self.classes_) == 2 or self._blocks()
            return CLASSIFICATION_LOSSES["logistic" if binary else "softmax"]
        return CLASSIFICATION_LOSSES[self.loss]

    def _loss(self):
        loss = self._plain_loss()
        if not self.label_smoothing:
            return loss
        return Smoothed(loss, self.label_smoothing, self._table())

    def _table(self):
        """Targets of the classes: one-hot rows, or signs."""
        return class_table(self._plain_loss(), len(self.classes_))

    def _targets(self, labels):
        """Function from row numbers to targets of the loss."""
        number, table = labels[:, 0].astype(int), self._table()
        return lambda rows: table[number[rows]]

    def _strata(self, labels):
        return labels[:, 0]

    def _score(self, scores, labels, weight):
        if scores.shape[1] == 1:
            scores = scores[:, 0]
        return accuracy_score(labels[:, 0].astype(int), winners(scores), sample_weight=weight)


def has_likelihood(estimator):
    """Whether the loss of a classifier turns scores into probabilities."""
    loss = estimator.loss
    if not hasattr(_LOSSES.get(loss) if isinstance(loss, str) else loss, "probabilities"):
        raise AttributeError(f"predict_proba is not available with loss={loss!r}.")
    return True


def winners(scores):
    """Class numbers of highest score."""
    return (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
