"""The task of an encoder that is trained with labels: its targets and its linear model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from .._array import astype_like, to_numpy
from .._validation import check_plain
from ..losses import CLASSIFICATION_LOSSES, Square, class_table
from ..supervised.data import Batch
from ..supervised.head_fit import Head, Side
from ..supervised.heads import LinearHead
from ..supervised.step import SupervisedSettings, code_scale_of
from ._classes import winners

TASKS = {"square": Square(), **CLASSIFICATION_LOSSES}


@dataclass(frozen=True, eq=False)
class Task:
    """A loss, and what takes the users' targets to its own and back."""

    loss: Any
    classes: Any = None
    center: Any = None
    spread: float = 1.0
    flat: bool = True

    def targets(self, y, n_samples):
        """Targets of the loss, in columns."""
        if self.classes is None:
            y = _numbers(y)
            columns = (y.reshape(len(y), -1) - self.center) / self.spread
        else:
            y = _labels(y)
            unknown = np.setdiff1d(y, self.classes)
            if len(unknown):
                raise ValueError(
                    f"y must hold labels among {self.classes!r}, got {unknown!r} too."
                )
            table = class_table(self.loss, len(self.classes))
            columns = table[np.searchsorted(self.classes, y)]
        if len(columns) != n_samples:
            raise ValueError(
                f"y must have one row per row of X: got {len(columns)} rows of y for {n_samples} "
                "of X."
            )
        return columns

    def predictions(self, scores):
        """What users predict, from scores."""
        scores = to_numpy(scores)
        if self.classes is not None:
            return self.classes[winners(scores[:, 0] if scores.shape[1] == 1 else scores)]
        values = scores * self.spread + self.center
        return values[:, 0] if self.flat else values


def task_of(name, y):
    """Task of a loss for the targets of a first fit."""
    if y is None:
        raise ValueError(f"loss={name!r} requires y to be passed, but the target y is None.")
    if name == "square":
        y = _numbers(y)
        columns = y.reshape(len(y), -1)
        spread = float(columns.std(axis=0).max()) or 1.0
        return Task(TASKS[name], None, columns.mean(axis=0), spread, y.ndim == 1)
    classes = np.unique(_labels(y))
    if len(classes) < 2:
        raise ValueError(f"y must hold at least two classes, got one class only: {classes!r}.")
    return Task(TASKS[name], classes)


def first_settings(task, code):
    """Settings of a head on codes, with the ridge of C=1 on codes of typical size one."""
    scale = code_scale_of(code)
    return SupervisedSettings(None, None, None, task.loss, nu=1 / code.shape[0], code_scale=scale)


def zero_head(targets, dictionary):
    """Parameters of a head of zeros."""
    return LinearHead().start(dictionary, targets.shape[1], *dictionary.shape)


def best_head(parameters, code, targets, settings):
    """Parameters of the best head on codes."""
    target = astype_like(targets, code)
    batch = Batch(None, target, 0 * target[:, 0] + 1)
    head = Head(parameters, settings)
    side = Side(batch, None, code / settings.code_scale)
    return head.arrays(head.polished(head.fitted(head.vector(parameters), side), side))


def _labels(y):
    check_plain(y, "y")
    y = column_or_1d(to_numpy(y), warn=True)
    check_classification_targets(y)
    return y


def _numbers(y):
    check_plain(y, "y")
    return check_array(to_numpy(y), ensure_2d=False, dtype=np.float64, input_name="y")
