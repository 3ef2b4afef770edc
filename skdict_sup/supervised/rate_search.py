"""Initial learning rate of a training, given or chosen by trial, and its schedule."""

from dataclasses import replace

import numpy as np

from ..optim import schedules
from . import passes
from .head_fit import fit_head
from .prediction import evaluate

AUTO_RATES = (0.16, 0.01, 0.001)  # learning rates tried by "auto"; the first is the default
HEAD_RATE_FRACTION = 0.125  # learning rate of the head, relative to that of the atoms
STREAM_HEAD_RATE_FRACTION = 0.5  # the same for a stream, where the first head is not optimal
_MIN_TRIED = 20  # samples from which rates are tried
_MAX_TRIED = 5000  # samples up to which rates are tried; more samples overfit less
_TRIAL_EPOCHS = 20  # epochs of a trial, at most
_MAX_CROSS_VALIDATED = 1000  # samples up to which all four folds are tried, instead of one


def make_schedule(learning_rate, initial_rate, n_steps):
    """Schedule of learning rates that starts at `initial_rate`."""
    if learning_rate == "mairal":
        return schedules.InverseTime(initial_rate, n_steps)
    return schedules.Cosine(initial_rate, HEAD_RATE_FRACTION * initial_rate, n_steps)


def stream_schedule(rate):
    """Schedule of learning rates for samples that arrive in parts."""
    return schedules.Stream(rate, STREAM_HEAD_RATE_FRACTION * rate)


def initial_learning_rate(trainer, samples, state, settings, rng, n_epochs):
    """Initial learning rate, chosen by trial if `trainer.learning_rate` is a name."""
    if trainer.learning_rate == "mairal":
        return passes.learning_rate_by_trial(state, samples, settings, rng)
    if trainer.learning_rate != "auto":
        return trainer.learning_rate
    if not _MIN_TRIED <= samples.n_samples <= _MAX_TRIED:
        return AUTO_RATES[0]
    # a copy, so that trials do not change the random numbers of the training
    rng = generator_from_state(rng.bit_generator.state)
    n_epochs, totals = min(n_epochs, _TRIAL_EPOCHS), np.zeros((len(AUTO_RATES), 2))
    splits = _validation_splits(samples, rng)
    for train, held_out in splits:
        fitted = fit_head(state, train, settings, rng)
        for number, rate in enumerate(AUTO_RATES):
            trial_rng = generator_from_state(rng.bit_generator.state)
            totals[number] += _run_trial(
                trainer, rate, train, held_out, fitted, settings, trial_rng, n_epochs
            )
    if trainer.verbose:
        for rate, (score, _) in zip(AUTO_RATES, totals / len(splits), strict=True):
            print(f"rate {rate:g}: score {score:.4f} on held-out samples", flush=True)
    return max(zip(totals[:, 0], -totals[:, 1], AUTO_RATES, strict=True))[-1]


def _validation_splits(samples, rng):
    """Pairs (training samples, held-out quarter): four folds, or one if there are many samples."""
    quarters = np.array_split(rng.permutation(samples.n_samples), 4)
    splits = []
    for number in range(4 if samples.n_samples <= _MAX_CROSS_VALIDATED else 1):
        train_rows = np.concatenate([q for k, q in enumerate(quarters) if k != number])
        held_out = replace(samples.subset(quarters[number]), pool=None)
        splits.append((samples.subset(train_rows), held_out))
    return splits


def _run_trial(trainer, rate, train, held_out, state, settings, rng, n_epochs):
    """Score and loss on held-out samples after a trial training.

    The smallest rate hardly changes the initial state, which is evaluated in its place.
    """
    schedule = make_schedule(trainer.learning_rate, rate, n_epochs * train.steps_per_epoch())
    mix = schedules.MuSchedule(trainer.mu)
    for epoch in range(n_epochs if rate > AUTO_RATES[-1] else 0):
        progress = epoch, n_epochs
        mu = mix.at(*progress)
        state, *_ = passes.learn_epoch(train, state, settings, schedule, mu, progress, rng)
    loss = passes.mean_loss(state, held_out, settings)
    return evaluate(held_out, state, settings, trainer.targets), loss


def generator_from_state(state):
    """NumPy generator with a given state of its bit generator."""
    rng = np.random.default_rng()
    rng.bit_generator.state = state
    return rng
