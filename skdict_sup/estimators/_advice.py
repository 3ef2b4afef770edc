"""Warnings about settings that are allowed, and hardly ever meant."""

import numpy as np

from .._array import to_numpy
from .._validation import warn
from ..priors import weight_of

_JUDGES = 1000  # signals at most
_NEARLY_ALL = 0.9


def warn_of_zero_codes(prior, X, dictionary):
    """Warn if lam makes the codes of nearly all signals zero."""
    lam = weight_of(prior, 0.0)
    if lam <= 0:
        return
    signals = X[:: -(-X.shape[0] // _JUDGES), :]
    tops = to_numpy(prior.lam_max(signals @ dictionary.T)).astype(float)
    tops = tops[tops > 0]  # codes of signals of zero are zero for any lam
    share = (tops <= lam).mean() if len(tops) else 0.0
    if share < _NEARLY_ALL:
        return
    median = float(np.median(tops))
    warn(
        f"lam={lam:.4g} makes {share:.0%} of the training codes zero: codes are zero from lam_max "
        f"upwards, whose median is {median:.4g}. lam='auto' would be "
        f"{prior.automatic(median)['lam']:.4g}."
    )


def warn_of_minus_one(classes):
    """Warn if -1, which elsewhere means "no label", is a class beside two or more others."""
    if len(classes) > 2 and -1 in classes:
        warn(
            f"y holds -1 beside {len(classes) - 1} other labels, and with mu=0 it is a class like "
            "any other; choose mu above 0 for samples without a label, or leave them out."
        )
