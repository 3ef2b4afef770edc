"""Signals that are centred, scaled and extended by a constant feature before they are coded."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ._array import astype_like, device_of, namespace, to_numpy
from ._records import Observations
from ._signals import Signals, Wrapped

_ROUNDING = 10.0  # multiples of the rounding error of a mean below which a spread counts as zero


@dataclass(frozen=True, eq=False)
class Preparation:
    """Affine map of signals, ((x - mean) / scale, offset), before they are coded.

    `mean` and `scale` are (n_features,) or None; an `offset` of zero adds no feature.
    """

    stays_on_host: ClassVar = ()

    mean: Any = None
    scale: Any = None
    offset: float = 0.0

    @property
    def n_added(self):
        """Number of features that are added."""
        return int(self.offset != 0)

    def apply(self, X):
        """Prepared signals, of an array or of `Observations`, in which zeros stand for missing."""
        if isinstance(X, Observations):
            return self._apply_observed(X)
        xp = namespace(X)
        if self.mean is not None:
            X = X - astype_like(self.mean, X)[None, :]
        if self.scale is not None:
            X = X / astype_like(self.scale, X)[None, :]
        if not self.offset:
            return X
        return xp.concat([X, self._column(X, self.offset)], axis=1)

    def _apply_observed(self, X):
        values, weight = self.apply(X.values), X.weight
        if weight is None:
            return Observations(values)
        xp = namespace(values)
        if self.offset:
            weight = xp.concat([weight, self._column(weight, 1.0)], axis=1)
        return Observations(xp.where(weight > 0, values, xp.zeros_like(values)), weight)

    def invert(self, X):
        """Signals in the units of the data, of an array of prepared ones."""
        X = X[:, : X.shape[1] - self.n_added]
        X = X if self.scale is None else X * astype_like(self.scale, X)[None, :]
        return X if self.mean is None else X + astype_like(self.mean, X)[None, :]

    def linear_in_data_units(self, weights):
        """Weights (n_outputs, n_features) of signals in units of the data, and a shift of scores.

        They predict what `weights` (n_outputs, n_features + n_added) do of prepared signals.
        """
        xp, n_features = namespace(weights), weights.shape[1] - self.n_added
        plain = weights[:, :n_features]
        if self.scale is not None:
            plain = plain / astype_like(self.scale, weights)[None, :]
        shift = self.offset * xp.sum(weights[:, n_features:], axis=1)
        if self.mean is not None:
            shift = shift - plain @ astype_like(self.mean, weights)
        return plain, shift

    def _column(self, array, value):
        """Column of one value, beside an array."""
        xp, shape = namespace(array), (array.shape[0], 1)
        return xp.full(shape, value, dtype=array.dtype, device=device_of(array))


@dataclass(frozen=True, eq=False)
class PreparedSignals(Wrapped):
    """Signals of a source, prepared batch by batch: sparse ones are never dense as a whole."""

    preparation: Preparation

    @property
    def shape(self):
        """(n_samples, n_features), with the feature that is added."""
        n_samples, n_features = self.source.shape
        return n_samples, n_features + self.preparation.n_added

    @property
    def has_weights(self):
        """Whether entries may be missing or have weights."""
        return self.source.has_weights

    def rows(self, rows):
        """Select signals."""
        return PreparedSignals(self.source.rows(rows), self.preparation)

    def dense(self):
        """Array of all signals, with zeros in place of missing entries."""
        return self.observed().values

    def observed(self):
        """All signals, with their weights if they have any."""
        return self.preparation.apply(self.source.observed())

    def on_host(self):
        """The signals in host memory."""
        return PreparedSignals(self.source.on_host(), self.preparation)


def prepared(X: Signals, preparation: Preparation | None) -> Signals:
    """Signals with a preparation, or the signals themselves without one."""
    return X if preparation is None else PreparedSignals(X, preparation)


def source_of(X: Signals) -> Signals:
    """Signals in the units of the data, of signals that may be prepared."""
    return X.source if isinstance(X, PreparedSignals) else X


def fit_preparation(X: Signals, weight, *, standardise=False, offset=False, centred=True):
    """Preparation from the weighted statistics of signals, or None if nothing is to be done.

    Standardised features have mean zero and unit variance; with ``centred=False``, which keeps
    zeros of sparse signals, unit mean square. The offset is the root mean square of an entry of
    the signals so prepared, so that its part in a signal does not depend on their scale.
    """
    if not (standardise or offset):
        return None
    weight, n_features = np.asarray(weight, np.float64), X.shape[1]
    sums, total = np.zeros((2, n_features)), np.zeros(n_features)
    start: Any = None
    for rows in X._slices():
        observed = X.observations(rows)
        values = to_numpy(observed.values).astype(np.float64)
        factor = np.broadcast_to(weight[rows, None], values.shape)
        if observed.weight is not None:
            factor = factor * (to_numpy(observed.weight) > 0)
        if start is None:  # sums of deviations from the first means do not cancel
            start = _mean(factor * values, factor) if centred else np.zeros(n_features)
        deviation = values - start
        sums += [(factor * deviation).sum(axis=0), (factor * deviation**2).sum(axis=0)]
        total += factor.sum(axis=0)
    total = np.where(total > 0, total, 1.0)
    means, squares = sums / total
    variance = np.maximum(squares - means**2, 0.0) if centred else squares
    means = start + means
    mean_square = float(np.mean(variance + (means**2 if centred else 0.0)))
    if not standardise:
        return Preparation(offset=mean_square**0.5 or 1.0)
    spread = variance**0.5
    floor = _ROUNDING * float(np.finfo(str(X.dtype).split(".")[-1]).eps) * np.abs(means)
    scale = np.where(spread > floor, spread, 1.0)
    mean = astype_like(means, X.like) if centred else None
    return Preparation(mean, astype_like(scale, X.like), 1.0 if offset else 0.0)


def _mean(products, factor):
    """Weighted means of the features, from weighted values."""
    total = factor.sum(axis=0)
    return products.sum(axis=0) / np.where(total > 0, total, 1.0)
