"""Which choices a supervised estimator leaves open, for its parameters and for the data."""

from itertools import product
from typing import Any

import numpy as np

from .._array import to_numpy
from .._validation import warn
from ..priors import is_plain_elastic_net, is_unresolved
from ..supervised.rate_search import MAX_TRIED, MIN_TRIED

_LAMS = (None, "0.05*lam_max", "0.5*lam_max")  # "auto" of an elastic net is 0.2 * lam_max
_MIN_EPOCHS = 10  # epochs of a fit from which choices are worth their time
_MAX_LOW = 32  # features, at most, of low-dimensional signals
_MAX_OFFSET = 100  # features up to which a constant feature is tried
_UNLIKE = 30.0  # ratio of the scales of features from which they are unlike
_SIDE = 0.1  # part of the features, at least, on each side of a gap between scales
_MAX_DENSE = 20_000_000  # entries of the signals up to which a linear path is tried
_MAX_MEASURED = 1500  # signals, at most, whose scales are compared
_STANDARDISE = (
    'standardise="auto" tries to standardise them, but not in partial_fit, in fits of fewer than '
    f"{_MIN_EPOCHS} epochs or {MIN_TRIED} samples, nor with a number as lam: pass "
    "standardise=True, or put a StandardScaler before the estimator (standardise=False keeps "
    "them, without this warning)."
)
_ALIKE = 0.05  # relative difference up to which features have the scales of standardised ones


def refuse_preparations(estimator):
    """Raise if a preparation of the signals does not go with the other parameters."""
    for name in ("standardise", "fit_offset"):
        if getattr(estimator, name) is not True:
            continue
        if estimator.transfer == "softmax":
            raise ValueError(
                f"{name}=True requires transfer='linear': prepared distributions are none; got "
                "transfer='softmax'."
            )
        if estimator.head == "bilinear":
            raise ValueError(
                f"{name}=True requires head='linear': a bilinear head sees the signals as they "
                "are, got head='bilinear'; scale them before the fit."
            )
    if estimator.fit_offset is True and estimator.n_projected is not None:
        raise ValueError(
            "fit_offset=True requires n_projected=None: a projection mixes the constant with the "
            f"features; got n_projected={estimator.n_projected}."
        )


def may_have_linear_path(estimator, X):
    """Whether fit_linear="auto" is chosen on held-out samples, rather than by the transfer."""
    entries = X.shape[0] * X.shape[1]
    is_plain = estimator.head == "linear" and estimator.n_projected is None
    is_plain = is_plain and estimator.transfer == "linear"
    is_small = entries <= _MAX_DENSE and X.shape[0] <= MAX_TRIED and not estimator.allow_nan
    return is_plain and is_small and estimator.max_iter >= _MIN_EPOCHS


def candidates(estimator, samples, prior, *, stream):
    """Pairs (standardise, fit_offset) that are tried, and values of lam (None is the prior's)."""
    given = {
        name: (value is True,)
        for name in ("standardise", "fit_offset")
        if (value := getattr(estimator, name)) != "auto"
    }
    values: dict[str, Any] = {"standardise": (False,), "fit_offset": (False,), "lam": (None,)}
    if not stream and _may_try(estimator, samples, prior):
        values |= _tried(samples.X, prior)
    elif "standardise" not in given and estimator.n_projected is None:
        warn_of_unlike_features(estimator, samples.X, _STANDARDISE)
    values |= given
    return list(product(values["standardise"], values["fit_offset"])), values["lam"]


def _may_try(estimator, samples, prior):
    """Whether the parameters and the number of samples allow for trials."""
    # what a user has in the units of the signals, or asks of the codes, must stay what it is
    is_free = (
        is_unresolved(prior)
        and isinstance(estimator.init, str)
        and estimator.n_projected is None
        and estimator._limits() is None
        and not estimator.positive_dictionary
    )
    is_plain = estimator.transfer == "linear" and estimator.head == "linear"
    is_long = estimator.max_iter >= _MIN_EPOCHS and samples.n_samples >= MIN_TRIED
    is_tried = is_long and estimator.learning_rate != "mairal"
    return is_free and is_plain and is_tried and not samples.X.is_sparse


def warn_of_unlike_features(estimator, X, cure):
    """Warn if a few features decide the codes of atoms that are taken from the signals."""
    is_plain = estimator.transfer == "linear" and isinstance(estimator.init, str)
    if is_plain and not X.is_sparse and _are_unlike(_scales(X)[0]):
        warn(
            f"Features have unlike scales, by factors of more than {_UNLIKE:.0f}, and the largest "
            f"decide the codes. {cure}"
        )


def _are_unlike(scale):
    """Whether half of the features are far below the largest, or two groups far apart.

    Scales of pixels are a continuum, with few large and few small ones.
    """
    scale, n = np.sort(scale), len(scale)
    side = max(1, int(np.ceil(_SIDE * n)))
    gaps = (scale[1:] / scale[:-1])[side - 1 : n - side]
    return bool(scale[-1] > _UNLIKE * scale[(n - 1) // 2] or (gaps > _UNLIKE).any())


def _tried(X, prior):
    """Values that are tried for signals, by name."""
    n_samples, n_features = X.shape
    scale, mean = _scales(X)
    is_unlike = _are_unlike(scale)
    standardise = (False, True)
    if not is_plain_elastic_net(prior):  # whose codes take longer than trials are worth
        return {"standardise": standardise if is_unlike else (False,)}
    if n_samples > MAX_TRIED and n_features > _MAX_LOW:
        return {"standardise": standardise if is_unlike else (False,)}
    noise = 3 / min(n_samples, _MAX_MEASURED) ** 0.5  # what a part of the signals may differ by
    limit = (_ALIKE + noise) * float(np.median(scale))
    is_standardised = (np.abs(scale - np.median(scale)) < limit).all()
    is_standardised = is_standardised and (np.abs(mean) < limit).all()
    return {
        "standardise": (False,) if is_standardised else standardise,
        "fit_offset": (False, True) if n_features <= _MAX_OFFSET else (False,),
        "lam": _LAMS if prior.lam == "auto" else (None,),
    }


def _scales(X):
    """Root mean square and mean of each feature that is not zero, of a part of the signals."""
    rows = X.observations(slice(None, None, -(-X.shape[0] // _MAX_MEASURED)))
    values = to_numpy(rows.values).astype(np.float64)
    scale, mean = (values**2).mean(axis=0) ** 0.5, values.mean(axis=0)
    is_used = scale > 0
    return (scale[is_used], mean[is_used]) if is_used.any() else (np.ones(1), np.zeros(1))
