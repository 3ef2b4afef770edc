"""Initial learning rate of a training, given or chosen by trial, and its schedule."""

from dataclasses import dataclass

import numpy as np

from ..optim import schedules
from ..priors import is_plain_elastic_net
from . import passes
from .head_fit import fit_trial_head
from .prediction import scores_of

AUTO_RATES = (0.16, 0.01, 0.001)  # learning rates tried by "auto"; the first is the default
HEAD_RATE_FRACTION = 0.125  # learning rate of the head, relative to that of the atoms
STREAM_HEAD_RATE_FRACTION = 0.5  # the same for a stream, where the first head is not optimal
MIN_TRIED = 20  # samples from which rates are tried
MAX_TRIED = 5000  # samples up to which rates are tried; more samples overfit less
# epochs of a trial, at most, and those for smooth priors, whose codes take longer
_TRIAL_EPOCHS, _SMOOTH_EPOCHS = 20, 10
_N_FOLDS = 4
_CLEARLY = 0.5  # standard errors by which a rate must be better than the start
# folds on which rates are tried, by the numbers of samples up to which they are
_FOLDS_UP_TO = {200: 4, 1000: 2}


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
    if not MIN_TRIED <= samples.n_samples <= MAX_TRIED:
        return AUTO_RATES[0]
    if settings.linear_path_alone:  # no dictionary changes its predictions
        return AUTO_RATES[-1]
    # a copy, so that trials do not change the random numbers of the training
    rng = generator_from_state(rng.bit_generator.state)
    is_fast = is_plain_elastic_net(settings.prior)
    n_epochs = min(n_epochs, _TRIAL_EPOCHS if is_fast else _SMOOTH_EPOCHS)
    folds = samples.folds(_N_FOLDS, rng)[: _n_folds(samples.n_samples)]
    trials = {rate: [] for rate in AUTO_RATES}
    for fold in folds:
        train, held_out = samples.split(fold)
        fitted = fit_trial_head(state, train, settings, rng)
        for rate, found in trials.items():
            trial_rng = generator_from_state(rng.bit_generator.state)
            arguments = train, held_out, fitted, settings, trial_rng, n_epochs
            found.append(_run_trial(trainer, rate, *arguments))
    if trainer.verbose:
        for rate, found in trials.items():
            score = sum(one.score for one in found) / len(found)
            print(f"rate {rate:g}: score {score:.4f} on held-out samples", flush=True)
    return best_rate(trials)


@dataclass(frozen=True, eq=False)
class Trial:
    """Score on held-out samples after a trial training, and what each sample says for it."""

    score: float
    quality: np.ndarray  # higher is better
    weight: np.ndarray


def clear_winner(trials, usual, margin):
    """The key of `trials` with the best mean quality of held-out samples, if it is clear.

    `trials` maps candidates to their trials, all with the same samples held out. A candidate takes
    the place of the `usual` one only where it is better by `margin` standard errors of the mean
    difference.
    """
    weight = np.concatenate([one.weight for one in trials[usual]])
    quality = {k: np.concatenate([one.quality for one in found]) for k, found in trials.items()}
    best = max(trials, key=lambda key: np.average(quality[key], weights=weight))
    gain = quality[best] - quality[usual]
    mean = np.average(gain, weights=weight)
    spread = np.average((gain - mean) ** 2, weights=weight) ** 0.5
    return best if mean > margin * spread / len(gain) ** 0.5 else usual


def best_rate(trials):
    """The rate whose trials have the best mean quality of the held-out samples.

    The smallest one, which keeps the start, is best unless another is clearly better: by half a
    standard error of the difference, since larger ones may overfit.
    """
    return clear_winner(trials, AUTO_RATES[-1], _CLEARLY)


def _n_folds(n_samples):
    """Number of folds, of four, that are held out in turn: the fewer samples, the more."""
    return next((n for most, n in _FOLDS_UP_TO.items() if n_samples <= most), 1)


def _run_trial(trainer, rate, train, held_out, state, settings, rng, n_epochs):
    """`Trial` of a rate.

    The smallest rate hardly changes the initial state, which is evaluated in its place.
    """
    n_epochs = n_epochs if rate > AUTO_RATES[-1] else 0
    return trial(trainer, rate, train, held_out, state, settings, rng, n_epochs)


def trial(trainer, rate, train, held_out, state, settings, rng, n_epochs):
    """`Trial` of a training of a few epochs."""
    schedule = make_schedule(trainer.learning_rate, rate, n_epochs * train.steps_per_epoch())
    mix = schedules.MuSchedule(trainer.mu)
    for epoch in range(n_epochs):
        progress = epoch, n_epochs
        mu = mix.at(*progress)
        state, *_ = passes.learn_epoch(train, state, settings, schedule, mu, progress, rng)
    scores = scores_of(held_out, state, settings, trainer.targets)
    score = float(trainer.targets.score(scores, held_out.labels, held_out.weight))
    losses = passes.losses_of(state, held_out, settings)
    quality = trainer.targets.quality(scores, held_out.labels, losses)
    return Trial(score, quality, held_out.weight)


def generator_from_state(state):
    """NumPy generator with a given state of its bit generator."""
    rng = np.random.default_rng()
    rng.bit_generator.state = state
    return rng
