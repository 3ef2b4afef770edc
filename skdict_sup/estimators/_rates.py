"""The step size that a training begins with: given, or found by trial."""

import numpy as np

from .._array import take_rows
from ..optim import schedules
from ..supervised import passes
from ..supervised.head_fit import first_head

RATES, HEAD_SHARE = (0.16, 0.01, 0.001), 0.125  # "auto": an atom's steps, the head's part of them
STREAM_SHARE = 0.5  # of a stream, whose head is not the best one to begin with
_TRIED = 20, 5000  # samples between which a rate is tried; beyond there is less to overfit
_TRIAL_EPOCHS = 20  # at most
_ALL_JUDGE = 1000  # samples up to which each of them is left out once
_REVIVING = 0.5  # part of the epochs in which dead atoms start again


class TriedRates:
    """Choice of the step size, for estimators that train."""

    def _rate(self, samples, state, settings, rng, n_epochs):
        """Step size to begin with, chosen by trial where it is to be chosen."""
        if self.learning_rate == "mairal":
            return passes.chosen_rate(state, self._passes(*samples), settings, rng)
        if self.learning_rate != "auto":
            return self.learning_rate
        if not _TRIED[0] <= samples[0].shape[0] <= _TRIED[1]:
            return RATES[0]
        rng = generator_at(rng.bit_generator.state)  # which goes on as if nothing had been tried
        n_epochs, found = min(n_epochs, _TRIAL_EPOCHS), np.zeros((len(RATES), 2))
        pairs = self._left_out(samples, rng)
        for train, left_out in pairs:
            begin = first_head(state, self._passes(*train), settings, rng)
            for number, rate in enumerate(RATES):
                trial = generator_at(rng.bit_generator.state)
                given = train, left_out, begin, settings, trial, n_epochs
                found[number] += self._trial(rate, *given)
        if self.verbose:
            for rate, (score, _) in zip(RATES, found / len(pairs), strict=True):
                print(f"rate {rate:g}: score {score:.4f} on samples left out", flush=True)
        return max(zip(found[:, 0], -found[:, 1], RATES, strict=True))[-1]

    def _stream(self):
        """Schedule of samples that come in parts."""
        return schedules.Stream(self.learning_rate_, STREAM_SHARE * self.learning_rate_)

    def _kept_rate(self):
        """Step size of a warm start: nothing can be left out of what its state has seen."""
        if self.learning_rate != "auto":
            return None
        return self.learning_rate_ if self._learned_with.adaptive else RATES[0]

    def _left_out(self, samples, rng):
        """Pairs of three quarters of the samples, with the pool, and the quarter left out."""
        X, labels, weight, pool = samples
        quarters = np.array_split(rng.permutation(X.shape[0]), 4)
        pairs = []
        for number in range(4 if X.shape[0] <= _ALL_JUDGE else 1):
            rest = np.concatenate([q for k, q in enumerate(quarters) if k != number])
            train, left_out = (
                (take_rows(X, part), labels[part], weight[part])
                for part in (rest, quarters[number])
            )
            pairs.append(((*train, pool), left_out))
        return pairs

    def _trial(self, rate, train, left_out, state, settings, rng, n_epochs):
        """Score and loss of a training on the samples left out of it.

        The smallest rate hardly leaves the start, which is taken for it.
        """
        data, judge = self._passes(*train), self._passes(*left_out)
        schedule, mix = self._schedule(rate, data, n_epochs), schedules.Mix(self.mu)
        for epoch in range(n_epochs if rate > RATES[-1] else 0):
            progress = epoch, n_epochs
            state, *_ = epoch_of(data, state, settings, schedule, mix.at(*progress), progress, rng)
        loss = passes.mean_loss(state, judge, settings)
        return self._held_out_score(*left_out, state, settings), loss

    def _schedule(self, rate, data, n_epochs):
        n_steps = n_epochs * data.n_steps()
        if self.learning_rate == "mairal":
            return schedules.InverseTime(rate, n_steps)
        return schedules.Cosine(rate, HEAD_SHARE * rate, n_steps)


def epoch_of(data, state, settings, schedule, mu, progress, rng):
    """State after an epoch, what it was like, and the number of atoms that started again."""
    state, report = passes.learn_labelled(state, data, settings, schedule.rates, rng, mu)
    epoch, n_epochs = progress
    if epoch + 1 >= _REVIVING * n_epochs:
        return state, report, 0
    state, revived = passes.revived(state, data, settings, report.uses, rng)
    return state, report, revived


def generator_at(state):
    """NumPy generator in a state of its bits."""
    rng = np.random.default_rng()
    rng.bit_generator.state = state
    return rng
