"""Epochs over labelled samples, their scales, and the trial of learning rates."""

from dataclasses import dataclass, replace

import numpy as np

from .._array import astype_like, namespace, to_numpy
from .._linalg import unit_norm
from .._records import as_observations
from . import coding_layer, step
from .data import batch_of

# lengths of the first step of the atom with the largest gradient, tried for plain gradient steps
_TRIAL_MOVES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
_TRIAL_STEPS = 20
_REVIVAL_FRACTION = 0.5  # fraction of the epochs after which unused atoms are replaced


def resolve_scales(settings, parameters, samples, rng, nu):
    """Settings with the scales of codes and signals, and with nu in units of scaled codes.

    With nu="auto" it is one over the total weight of the samples, the ridge of scikit-learn's
    logistic regression with C=1 on codes of unit scale.
    """
    signals = samples.X.rows(rng.permutation(samples.X.shape[0])[:1000])
    code = coding_layer.encode(parameters, signals, settings).code
    features = step.code_features(code, settings.prior, settings.split_sign)
    scale = step.code_scale_of(features)
    scaled_nu = 1 / float(samples.weight.sum()) if nu == "auto" else nu / scale**2
    X = signals.dense()
    mean_sq_norm = float(namespace(X).sum(X * X)) / X.shape[0] or 1.0
    # distributions are sparse: their norm is their scale, as it is that of regressions on them
    n_entries = X.shape[1] if settings.reconstruction.quadratic else 1
    return replace(
        settings,
        code_scale=scale,
        nu=scaled_nu,
        signal_scale=(mean_sq_norm / n_entries) ** 0.5,
        mean_sq_norm=mean_sq_norm,
    )


@dataclass(frozen=True)
class PassReport:
    """Statistics of one pass of supervised steps.

    They are the mean loss, the mean number of nonzeros per code, the number of nonzeros of each
    atom, and the largest amplification of a gradient.
    """

    loss: float
    n_nonzero: float
    n_uses: np.ndarray
    amplification: float


def varied_batch(samples, rows, n_features, dropout, rng):
    """Batch of some samples, augmented, and with dropout of the features of codes."""
    batch = samples.batch(rows)
    if samples.augment is not None:
        batch = replace(batch, X=samples.augmented(rows, rng))
    if dropout:
        is_kept = rng.random((len(rows), n_features)) >= dropout
        batch = replace(batch, mask=astype_like(is_kept / (1 - dropout), samples.X.like))
    return batch


def learn_labelled(state, samples, settings, learning_rates, rng, mu=0.0):
    """State after one pass of supervised steps, and its report."""
    losses, amplifications, weights, n_uses, n_seen = [], [], [], 0, 0
    n_features = state.dictionary.shape[0] * (2 if settings.split_sign else 1)
    for rows, pool_rows in samples.epoch_batches(rng):
        batch = varied_batch(samples, rows, n_features, settings.dropout, rng)
        if mu and pool_rows is not None:
            signals = batch_of(samples.pool, pool_rows)
            batch = replace(batch, reconstruction_signals=signals)
        rates = learning_rates(state.moments["dictionary"].n_steps)
        state, loss, code, amplification = step.step(state, batch, settings, rates, mu)
        losses.append(loss)
        amplifications.append(amplification)
        weights.append(float(samples.weight[rows].sum()))
        xp = namespace(code)
        n_uses = n_uses + xp.sum(xp.astype(code != 0, xp.int64), axis=0)
        n_seen = n_seen + len(rows)
    # statistics are copied from the device once, at the end, to avoid synchronisations
    losses, amplifications, n_uses = (
        to_numpy(part) for part in (xp.stack(losses), xp.stack(amplifications), n_uses)
    )
    loss = float(np.average(losses.astype(np.float64), weights=weights))
    n_nonzero = float(n_uses.sum()) / n_seen
    return state, PassReport(loss, n_nonzero, n_uses, float(amplifications.max()))


def learn_epoch(samples, state, settings, schedule, mu, progress, rng, learn=learn_labelled):
    """State after an epoch, its report, and the number of unused atoms that were replaced.

    `progress` is (number of completed epochs, total number of epochs), and `learn` makes the pass.
    """
    state, report = learn(state, samples, settings, schedule.learning_rates, rng, mu)
    epoch, n_epochs = progress
    if epoch + 1 >= _REVIVAL_FRACTION * n_epochs:
        return state, report, 0
    state, n_revived = revive_atoms(state, samples, settings, report.n_uses, rng)
    return state, report, n_revived


def check_convergent(report, learning_rate):
    """Raise if the loss of a pass is infinite or NaN."""
    if not np.isfinite(report.loss):
        raise ValueError(
            "learning_rate must be small enough for the loss to stay finite; at a rate of "
            f"{learning_rate:g} the mean loss of a pass was {report.loss:g}."
        )


def losses_of(state, samples, settings):
    """Loss of each sample, without the ridge, in host memory."""
    batch = samples.batch(np.arange(samples.X.shape[0]))
    return to_numpy(step.sample_losses(state, batch, settings)).astype(np.float64)


def revive_atoms(state, samples, settings, n_uses, rng):
    """State with unused atoms replaced by the signals with the largest losses.

    Their coefficients in the head are zero, so that they change scores through other codes only.
    """
    dead = np.flatnonzero(n_uses == 0)
    if not len(dead):
        return state, 0
    rows = rng.permutation(samples.X.shape[0])[: max(1000, 4 * len(dead))]
    batch = samples.batch(rows)
    losses = to_numpy(step.sample_losses(state, batch, settings))
    signals = coding_layer.project(state.parameters, batch.X)
    signals = to_numpy(as_observations(signals).values)
    order = np.argsort(-losses, kind="stable")
    order = order[np.abs(signals[order]).max(axis=1) > 0][: len(dead)]
    dead = dead[: len(order)]
    new_atoms = unit_norm(astype_like(signals[order], state.dictionary))
    new_atoms = namespace(new_atoms).abs(new_atoms) if settings.positive_dictionary else new_atoms
    return step.replace_atoms(state, dead, new_atoms, settings), len(dead)


def learning_rate_by_trial(state, samples, settings, rng):
    """Learning rate of plain gradient steps that gives the smallest loss after a few steps.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", "A few tricks": "try different learning
    steps for a few iterations before choosing one".
    """
    n = samples.X.shape[0]
    parts = [rng.permutation(n)[: samples.resolved_batch_size] for _ in range(_TRIAL_STEPS)]
    validation = samples.batch(rng.permutation(n)[:1000])
    first_batch = samples.batch(parts[0])
    _, gradients, *_ = step.loss_and_gradients(state, first_batch, settings)
    largest_norm = float(np.linalg.norm(to_numpy(gradients["dictionary"]), axis=1).max())
    best = (np.inf, 0.0)
    for move in _TRIAL_MOVES:
        rate, trial = move / (largest_norm or 1.0), state
        for rows in parts:
            trial = step.step(trial, samples.batch(rows), settings, (rate, rate))[0]
        loss = float(step.loss_and_gradients(trial, validation, settings)[0])
        best = min(best, (loss if np.isfinite(loss) else np.inf, rate))
    return best[1]
