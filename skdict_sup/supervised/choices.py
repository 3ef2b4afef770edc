"""What is done to signals before they are coded, and lam, chosen by trial trainings."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import start
from .rate_search import AUTO_RATES, MIN_TRIED, clear_winner, generator_from_state, trial

_MAX_TRIED = 1500  # samples, at most, on which candidates are tried
_MAX_FEW = 400  # samples up to which two folds are held out in turn
_FIRST_EPOCHS, _SECOND_EPOCHS = 5, 30  # epochs of trials of preparations, and of values of lam
_START_EPOCHS = 5  # passes of an unsupervised start in a trial, at most
_N_FOLDS = 4
_CLEARLY = 1.0  # standard errors by which a lam must be better than the first


@dataclass(frozen=True)
class Candidate:
    """One way to prepare signals, and a weight lam (None is that of the prior)."""

    standardise: bool = False
    offset: bool = False
    lam: Any = None

    def __str__(self):
        lam = "as given" if self.lam is None else self.lam
        return f"standardise={self.standardise}, fit_offset={self.offset}, lam {lam}"

    def settings(self, samples, settings):
        """Settings with the preparation, fitted to samples, and the prior of the candidate."""
        settings = start.prepared_for(samples, settings, self.standardise, self.offset)
        if self.lam is None:
            return settings
        prior = type(settings.prior)(**settings.prior.get_params() | {"lam": self.lam})
        return replace(settings, prior=prior)


def choose(preparations, lams, samples, settings, options, trainer, rng, n_epochs):
    """The candidate whose trial trainings have the best quality on held-out samples.

    First preparations are tried, for a few epochs; then values of lam with the best preparation,
    for more epochs, since larger ones learn more slowly, and with other samples held out. The
    first lam is kept unless another is clearly better.
    """
    candidates = [Candidate(*flags) for flags in preparations]
    if len(candidates) * len(lams) == 1 or samples.n_samples < MIN_TRIED:
        return candidates[0]
    if samples.n_samples > _MAX_TRIED:
        samples = samples.subset(np.sort(rng.permutation(samples.n_samples)[:_MAX_TRIED]))
    folds, n_held_out = samples.folds(_N_FOLDS, rng), 2 if samples.n_samples <= _MAX_FEW else 1
    parts = [samples.split(fold) for fold in folds]
    arguments = settings, options, trainer, rng
    epochs = min(n_epochs, _FIRST_EPOCHS), min(n_epochs, _SECOND_EPOCHS)
    best = _best(candidates, parts[:n_held_out], 0.0, *arguments, epochs[0])
    candidates = [replace(best, lam=lam) for lam in lams]
    others = parts[n_held_out : 2 * n_held_out]
    return _best(candidates, others, _CLEARLY, *arguments, epochs[1])


def _best(candidates, parts, margin, settings, options, trainer, rng, n_epochs):
    """The candidate with the best held-out quality, or the first unless another is clearly better.

    `margin` is by how many standard errors it must be.
    """
    if len(candidates) == 1:
        return candidates[0]
    trials = {}
    for candidate in candidates:
        trials[candidate] = found = [
            _tried(candidate, train, held_out, settings, options, trainer, _copy(rng), n_epochs)
            for train, held_out in parts
        ]
        if trainer.verbose:
            score = np.mean([one.score for one in found])
            print(
                f"{candidate}: score {score:.4f} on held-out samples after {n_epochs} epochs",
                flush=True,
            )
    return clear_winner(trials, candidates[0], margin)


def _copy(rng):
    """A generator with the state of another, so that all trials draw the same numbers."""
    return generator_from_state(rng.bit_generator.state)


def _tried(candidate, train, held_out, settings, options, trainer, rng, n_epochs):
    """`Trial` of a trial training."""
    settings = candidate.settings(train, settings)
    train, held_out = (part.prepared(settings.preparation) for part in (train, held_out))
    if options.init_max_iter == "auto":
        options = replace(options, init_max_iter=_START_EPOCHS)
    state, settings = start.trial_state_and_settings(train, settings, options, rng)
    rate = AUTO_RATES[0] if trainer.learning_rate == "auto" else trainer.learning_rate
    if trainer.learning_rate == "auto" and settings.linear_path_alone:
        n_epochs = 0  # the fit would keep the start
    return trial(trainer, rate, train, held_out, state, settings, rng, n_epochs)
