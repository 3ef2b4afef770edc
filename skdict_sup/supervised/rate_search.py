"""The step size that a training begins with: given, or chosen by trial."""

from dataclasses import replace

import numpy as np

from ..optim import schedules
from . import passes
from .head_fit import first_head
from .prediction import score_of

RATES, HEAD_SHARE = (0.16, 0.01, 0.001), 0.125  # "auto": an atom's steps, the head's part of them
STREAM_SHARE = 0.5  # of a stream, whose head is not the best one to begin with
_FEWEST_TRIED = 20  # samples from which rates are tried
_MOST_TRIED = 5000  # samples up to which rates are tried; beyond there is less to overfit
_TRIAL_EPOCHS = 20  # at most
_ALL_JUDGE = 1000  # samples up to which each of them is left out once


def schedule_for(learning_rate, rate, n_steps):
    """Step sizes over a training that begins with `rate`."""
    if learning_rate == "mairal":
        return schedules.InverseTime(rate, n_steps)
    return schedules.Cosine(rate, HEAD_SHARE * rate, n_steps)


def stream_schedule(rate):
    """Step sizes of samples that come in parts."""
    return schedules.Stream(rate, STREAM_SHARE * rate)


def rate_for(trainer, samples, state, settings, rng, n_epochs):
    """Step size to begin with, chosen by trial where `trainer.learning_rate` is a name."""
    if trainer.learning_rate == "mairal":
        return passes.chosen_rate(state, samples, settings, rng)
    if trainer.learning_rate != "auto":
        return trainer.learning_rate
    if not _FEWEST_TRIED <= samples.n_samples <= _MOST_TRIED:
        return RATES[0]
    rng = generator_at(rng.bit_generator.state)  # the given one stays as if nothing were tried
    n_epochs, totals = min(n_epochs, _TRIAL_EPOCHS), np.zeros((len(RATES), 2))
    pairs = _left_out(samples, rng)
    for train, left_out in pairs:
        begin = first_head(state, train, settings, rng)
        for number, rate in enumerate(RATES):
            trial = generator_at(rng.bit_generator.state)
            totals[number] += _trial(
                trainer, rate, train, left_out, begin, settings, trial, n_epochs
            )
    if trainer.verbose:
        for rate, (score, _) in zip(RATES, totals / len(pairs), strict=True):
            print(f"rate {rate:g}: score {score:.4f} on samples left out", flush=True)
    return max(zip(totals[:, 0], -totals[:, 1], RATES, strict=True))[-1]


def _left_out(samples, rng):
    """Pairs of three quarters of the samples and the quarter left out; one pair if many."""
    quarters = np.array_split(rng.permutation(samples.n_samples), 4)
    pairs = []
    for number in range(4 if samples.n_samples <= _ALL_JUDGE else 1):
        rest = np.concatenate([q for k, q in enumerate(quarters) if k != number])
        pairs.append((samples.part(rest), replace(samples.part(quarters[number]), pool=None)))
    return pairs


def _trial(trainer, rate, train, left_out, state, settings, rng, n_epochs):
    """Score and loss of a training on the samples left out of it.

    The smallest rate hardly leaves the start, which is taken for it.
    """
    schedule = schedule_for(trainer.learning_rate, rate, n_epochs * train.n_steps())
    mix = schedules.Mix(trainer.mu)
    for epoch in range(n_epochs if rate > RATES[-1] else 0):
        progress = epoch, n_epochs
        mu = mix.at(*progress)
        state, *_ = passes.epoch_of(train, state, settings, schedule, mu, progress, rng)
    loss = passes.mean_loss(state, left_out, settings)
    return score_of(left_out, state, settings, trainer.targets), loss


def generator_at(state):
    """NumPy generator in a state of its bits."""
    rng = np.random.default_rng()
    rng.bit_generator.state = state
    return rng
