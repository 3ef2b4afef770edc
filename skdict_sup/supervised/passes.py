"""Whole passes over labelled samples, and what is tried before them."""

from dataclasses import dataclass, replace

import numpy as np

from .._array import astype_like, namespace, to_numpy
from .._linalg import unit_norm
from . import coding_layer, step
from .data import augmented

_TRIALS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)  # first moves of atoms, to choose a rate from
_TRIAL_STEPS = 20
_REVIVING = 0.5  # part of the epochs in which dead atoms start again


def scale_settings(settings, parameters, samples, rng, nu):
    """Settings with the typical sizes of codes and signals, and nu in their units.

    "auto" is one over the total weight of the samples, as is the ridge of a logistic regression
    with C=1 in scikit-learn, on codes of typical size one.
    """
    signals = samples.X.rows(rng.permutation(samples.X.shape[0])[:1000])
    code = coding_layer.encoded(parameters, signals, settings).code
    features = step.features_of(code, settings.prior, settings.split_sign)
    scale = step.code_scale_of(features)
    scaled_nu = 1 / float(samples.weight.sum()) if nu == "auto" else nu / scale**2
    X = signals.dense()
    energy = float(namespace(X).sum(X * X)) / X.shape[0] or 1.0
    return replace(
        settings,
        code_scale=scale,
        nu=scaled_nu,
        signal_scale=(energy / X.shape[1]) ** 0.5,
        energy_scale=energy,
    )


@dataclass(frozen=True)
class Report:
    """What one pass of supervised steps was like; `uses` counts the nonzeros of each atom."""

    loss: float
    n_nonzero: float
    uses: np.ndarray
    amplification: float


def learn_labelled(state, samples, settings, rates_of, rng, mu=0.0):
    """One pass of supervised steps: (state, Report)."""
    losses, amplifications, sizes, uses, n_seen = [], [], [], 0, 0
    n_features = state.dictionary.shape[0] * (2 if settings.split_sign else 1)
    for rows, others in samples.epoch(rng):
        batch = samples.batch(rows)
        X = batch.X
        if samples.augment is not None:
            X = augmented(X, samples.augment, rng)
        if settings.dropout:
            kept = rng.random((len(rows), n_features)) >= settings.dropout
            batch = replace(batch, mask=astype_like(kept / (1 - settings.dropout), X))
        if mu and others is not None:
            batch = replace(batch, others=samples.pool.batch(others))
        rates = rates_of(state.moments["dictionary"].n_steps)
        batch = replace(batch, X=X)
        state, loss, code, amplification = step.step(state, batch, settings, rates, mu)
        losses.append(loss)
        amplifications.append(amplification)
        sizes.append(float(samples.weight[rows].sum()))
        xp = namespace(code)
        uses, n_seen = uses + xp.sum(xp.astype(code != 0, xp.int64), axis=0), n_seen + len(rows)
    # what an epoch was like is asked of a device once, at its end
    losses, amplifications, uses = (
        to_numpy(part) for part in (xp.stack(losses), xp.stack(amplifications), uses)
    )
    loss = float(np.average(losses.astype(np.float64), weights=sizes))
    return state, Report(loss, float(uses.sum()) / n_seen, uses, float(amplifications.max()))


def epoch_of(samples, state, settings, schedule, mu, progress, rng):
    """State after an epoch, what it was like, and the number of atoms that started again.

    `progress` is (epochs before, epochs in all).
    """
    state, report = learn_labelled(state, samples, settings, schedule.rates, rng, mu)
    epoch, n_epochs = progress
    if epoch + 1 >= _REVIVING * n_epochs:
        return state, report, 0
    state, n_revived = revived(state, samples, settings, report.uses, rng)
    return state, report, n_revived


def check_convergent(report, rate):
    """Raise if the loss of a pass that began at a rate became infinite or NaN."""
    if not np.isfinite(report.loss):
        raise ValueError(
            "learning_rate must be small enough for the loss to stay finite; at a rate of "
            f"{rate:g} the mean loss of a pass was {report.loss:g}."
        )


def mean_loss(state, samples, settings):
    """Weighted mean loss of samples, without the ridge."""
    batch = samples.batch(np.arange(samples.X.shape[0]))
    return float(np.average(to_numpy(step.losses(state, batch, settings)), weights=samples.weight))


def revived(state, samples, settings, uses, rng):
    """State with atoms that no code used replaced by the signals that the head does worst on.

    The head starts with zeros for them: no score changes but through the other codes.
    """
    dead = np.flatnonzero(uses == 0)
    if not len(dead):
        return state, 0
    rows = rng.permutation(samples.X.shape[0])[: max(1000, 4 * len(dead))]
    batch = samples.batch(rows)
    losses = to_numpy(step.losses(state, batch, settings))
    signals = to_numpy(coding_layer.seen(state.parameters, batch.X))
    order = np.argsort(-losses, kind="stable")
    order = order[np.abs(signals[order]).max(axis=1) > 0][: len(dead)]
    dead = dead[: len(order)]
    fresh = unit_norm(astype_like(signals[order], state.dictionary))
    fresh = namespace(fresh).abs(fresh) if settings.positive_dictionary else fresh
    return step.with_atoms(state, dead, fresh, settings), len(dead)


def chosen_rate(state, samples, settings, rng):
    """Step size along plain gradients with the least loss after a few steps.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", "A few tricks": "try different learning
    steps for a few iterations before choosing one".
    """
    n = samples.X.shape[0]
    parts = [rng.permutation(n)[: samples.n_per_step] for _ in range(_TRIAL_STEPS)]
    judge, first = samples.batch(rng.permutation(n)[:1000]), samples.batch(parts[0])
    _, found, *_ = step.loss_and_gradients(state, first, settings)
    steepest = float(np.linalg.norm(to_numpy(found["dictionary"]), axis=1).max())
    best = (np.inf, 0.0)
    for move in _TRIALS:
        rate, trial = move / (steepest or 1.0), state
        for rows in parts:
            trial = step.step(trial, samples.batch(rows), settings, (rate, rate))[0]
        loss = float(step.loss_and_gradients(trial, judge, settings)[0])
        best = min(best, (loss if np.isfinite(loss) else np.inf, rate))
    return best[1]
