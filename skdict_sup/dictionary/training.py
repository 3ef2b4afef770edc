"""Whole passes over a data set: without labels, with labels, and what comes before either."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._array import astype_like, dense, is_numpy, is_sparse, take_rows, to_numpy
from . import online, projected, supervised

_HEAD_SAMPLES = 20_000  # signals whose codes are held to train the first head
_WARM_STEPS = 200  # over which the step sizes rise


@dataclass(frozen=True)
class Schedule:
    """Step sizes over a number of steps: a linear rise, then half a cosine down to zero.

    `rate` is the length of an atom's step, in units of its norm; `head_rate` the size of a step of
    the head on scaled codes.
    """

    rate: float
    head_rate: float
    n_steps: int

    def rates(self, done):
        """Step sizes after `done` steps."""
        rise = min(1.0, (done + 1) / min(_WARM_STEPS, max(1, self.n_steps // 5)))
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, done / self.n_steps)))
        return self.rate * rise * fall, self.head_rate * rise * fall


@dataclass(frozen=True, eq=False)
class Samples:
    """Signals with targets (a function of row numbers) and weights, drawn in mini-batches."""

    X: Any
    target_of: Callable
    weight: np.ndarray
    batch_size: int
    augment: Callable | None = None

    def rows(self, rows):
        """Signals, targets and weights at row numbers."""
        X = take_rows(self.X, rows)
        target, weight = self.target_of(rows), self.weight[rows]
        return X, astype_like(target, X), astype_like(weight, X)


def mini_batches(n_samples, batch_size, rng):
    """Row numbers of one pass in random order, in parts of nearly equal size."""
    n_batches = max(1, round(n_samples / batch_size))
    return np.array_split(rng.permutation(n_samples), n_batches)


def weighted_rows(X, target, weight):
    """Samples without those of weight zero."""
    used = weight > 0
    if used.all():
        return X, target, weight
    rows = np.flatnonzero(used)
    return take_rows(X, rows), target[rows], weight[rows]


def merge_repeated(X, target, weight, most=4096):
    """Rows in a canonical order with repeated ones merged, for host data of at most `most` rows.

    A sample of weight two and the same sample twice then give the same fit, and so does any order
    of the samples; larger data are left as they are, where sorting would cost more than it says.
    """
    small = X.shape[0] <= most and (is_numpy(X) or (is_sparse(X) and X.shape[1] <= most))
    if not small:
        return X, target, weight
    both = np.column_stack([dense(X).astype(np.float64), target])
    _, first, member = np.unique(both, axis=0, return_index=True, return_inverse=True)
    return X[first], target[first], np.bincount(member.ravel(), weights=weight)


def learner_of(reconstruction):
    """Module that learns without labels: closed updates where the loss is quadratic in atoms."""
    return online if reconstruction.name == "linear" else projected


def learn_unlabelled(X, state, settings, n_epochs, rng):
    """Pass over the signals with dictionary learning; yields (state, mean objective)."""
    learner = learner_of(settings.reconstruction)
    for _ in range(n_epochs):
        total = 0.0
        for rows in np.array_split(rng.permutation(X.shape[0]), -(-X.shape[0] // 4096)):
            state, objective = learner.learn(state, take_rows(X, rows), settings)
            total += float(objective.sum())
        yield state, total / X.shape[0]


def first_head(state, samples, settings, head_rate, rng):
    """State with a head trained on the codes of (at most 20 000) samples."""
    rows = rng.permutation(samples.X.shape[0])[:_HEAD_SAMPLES]
    X, target, weight = samples.rows(rows)
    _, code = supervised.encoded(X, state.dictionary, settings)
    features = supervised.features_of(code, settings.prior, settings.split_sign)
    n_batches = max(1, round(len(rows) / samples.batch_size))
    n_passes = max(5, -(-500 // n_batches))
    batches = [
        part for _ in range(n_passes) for part in mini_batches(len(rows), samples.batch_size, rng)
    ]
    return supervised.fit_head(state, features, target, weight, settings, batches, head_rate)


def scale_settings(settings, dictionary, samples, rng, nu):
    """Settings with the typical size of a code, and nu in its units.

    "auto" is one over the total weight of the samples, as is the ridge of a logistic regression
    with C=1 in scikit-learn, on codes of typical size one.
    """
    rows = rng.permutation(samples.X.shape[0])[:1000]
    _, code = supervised.encoded(take_rows(samples.X, rows), dictionary, settings)
    features = supervised.features_of(code, settings.prior, settings.split_sign)
    scale = supervised.code_scale_of(features)
    scaled_nu = 1 / float(samples.weight.sum()) if nu == "auto" else nu / scale**2
    return replace(settings, code_scale=scale, nu=scaled_nu)


def learn_labelled(state, samples, settings, rates_of, rng):
    """One pass of supervised steps: (state, mean loss, mean number of nonzeros)."""
    losses, sizes, n_nonzero = [], [], 0
    n_samples = samples.X.shape[0]
    for rows in mini_batches(n_samples, samples.batch_size, rng):
        X, target, weight = samples.rows(rows)
        X = dense(X)
        if samples.augment is not None:
            X = augmented(X, samples.augment, rng)
        rates = rates_of(state.moments[0].n_steps)
        state, loss, code = supervised.step(state, X, target, weight, settings, rates)
        losses.append(float(loss))
        sizes.append(float(samples.weight[rows].sum()))
        n_nonzero += int((to_numpy(code) != 0).sum())
    return state, float(np.average(losses, weights=sizes)), n_nonzero / n_samples


def augmented(X, augment, rng):
    """What `augment` makes of a batch, checked for shape, in the batch's library and dtype."""
    changed = astype_like(augment(X, rng), X)
    if changed.shape != X.shape:
        raise ValueError(
            f"augment must return signals of the shape it gets, {tuple(X.shape)}, "
            f"got {tuple(changed.shape)}."
        )
    return changed
