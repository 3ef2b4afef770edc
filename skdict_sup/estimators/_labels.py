"""Reading of y: labels of classes or numbers, and which samples have none."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from .._array import to_numpy
from .._validation import check_plain, warn

_LARGEST = 1e150  # magnitude of numbers to be predicted: sums of squares must be finite


def read_classes(y, *, unlabelled=False):
    """Labels as a vector in host memory, and a mask of the labelled samples.

    With `unlabelled`, the number -1 marks samples without a label.
    """
    check_plain(y, "y")
    y = column_or_1d(to_numpy(y), warn=True)
    assert_all_finite(y, input_name="y")
    labelled = np.ones(len(y), bool)
    if unlabelled:
        if is_text_of_minus_one(y).any():
            raise ValueError(
                "y must mark samples without a label by the number -1, got the string '-1'; pass "
                "an array of objects, np.where(y == '-1', -1, y.astype(object)), or give the "
                "class '-1' another name."
            )
        labelled = ~is_minus_one(y)
        if not labelled.any():
            raise ValueError("y must contain labelled samples, got only -1.")
    _check_kind(y[labelled])
    check_classification_targets(y[labelled])
    return y, labelled


def is_minus_one(y):
    """Which labels are the number -1; in an array of objects, too."""
    if y.dtype.kind == "O":
        return _for_each(y, lambda label: isinstance(label, Real) and label == -1)
    return y == -1 if y.dtype.kind in "if" else np.zeros(y.shape, bool)


def is_text_of_minus_one(y):
    """Which labels are the string "-1"."""
    if y.dtype.kind == "O":
        return _for_each(y, lambda label: isinstance(label, str) and label == "-1")
    return y == "-1" if y.dtype.kind == "U" else np.zeros(y.shape, bool)


def _for_each(y, is_so):
    """Whether a predicate holds, for each object of an array."""
    return np.array([is_so(label) for label in y.ravel()], bool).reshape(y.shape)


def _check_kind(y):
    """Raise if strings stand beside other labels, with which they cannot be sorted."""
    if y.dtype.kind != "O" or len({isinstance(label, str) for label in y}) < 2:
        return
    names = sorted({type(label).__name__ for label in y})
    cure = "; samples without a label, marked by -1, require mu above 0"
    raise ValueError(
        f"y must contain labels of one type, got {' and '.join(names)}"
        f"{cure if is_minus_one(y).any() else ''}."
    )


def classes_of(y, labelled, known=None, *, in_parts=False):
    """Classes of the labels, or the known classes; raises unless there are two or more."""
    classes = np.unique(y[labelled]) if known is None else known
    if len(classes) < 2:
        cure = " Name those of later samples: partial_fit(X, y, classes=...)." if in_parts else ""
        also = "" if labelled.all() else " beside -1 (unlabelled, since mu is not 0)"
        raise ValueError(
            f"y must contain at least two classes, got one class only{also}: {classes!r}.{cure}"
        )
    return classes


def refuse_other_classes(known, classes):
    """Raise if the classes that a later call names are not those of the first one."""
    if known is not None and not np.array_equal(known, classes):
        raise ValueError(
            f"classes must be those of the first call, {classes!r}, or None, got {known!r}; other "
            "classes need a new estimator."
        )


def warn_of_minus_one(classes):
    """Warn if -1, which often means "no label", is one of three or more classes."""
    is_text = is_text_of_minus_one(classes).any()
    if len(classes) > 2 and (is_text or is_minus_one(classes).any()):
        shown = repr("-1" if is_text else -1)
        warn(
            f"y contains {shown} beside {len(classes) - 1} other labels, and with mu=0 it is a "
            "class like any other; choose mu above 0 for samples without a label, or remove them."
        )


def read_numbers(y, *, unlabelled=False):
    """Numbers as columns, a mask of the labelled samples, and whether y is a vector.

    With `unlabelled`, NaN marks samples without a label, whose numbers are then zero.
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
        raise ValueError("y must contain labelled samples, got only NaN.")
    if missing[labelled].any():
        raise ValueError(
            f"y must be NaN in all outputs of an unlabelled sample, got NaN in some of them "
            f"in {int(missing[labelled].any(axis=1).sum())} row(s)."
        )
    y = np.where(missing, 0.0, y)
    if np.abs(y).max() > _LARGEST:
        raise ValueError(
            f"y must have numbers whose squares are floats, of magnitudes up to {_LARGEST:g}, got "
            f"{np.abs(y).max():g}; divide y by its largest magnitude."
        )
    return y, labelled, flat
