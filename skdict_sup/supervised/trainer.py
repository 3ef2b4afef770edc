"""Training in epochs, as functions of records: a training can stop and go on exactly."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._validation import warn
from ..optim import schedules
from ..priors import ridge_of
from . import passes, rate_search
from .prediction import score_of

_UNSTEADY = 100.0  # amplification of the gradient from which lam2 is raised
_RAISED_LAM2 = 0.01


@dataclass(frozen=True, eq=False)
class Training:
    """A training after some epochs, with all it needs to go on as if it had never stopped."""

    state: Any
    settings: Any
    generator: Mapping  # state of the random generator after the last epoch
    generator_at_start: Mapping | None = None  # when the fit began
    n_epochs: int = 0  # in all
    rate: float | None = None  # length of the first steps, once it is chosen
    schedule: Any = None  # of the steps, from then on to the last epoch
    losses: tuple = ()
    scores: tuple = ()
    best: Any = None  # (score, state) of the best epoch
    best_score: float | None = None  # of a finished training
    n_waited: int = 0  # epochs since the best one
    finished: bool = False

    @property
    def n_left(self):
        """Epochs that are left."""
        return self.n_epochs - len(self.losses)


@dataclass(frozen=True, eq=False)
class Trainer:
    """How trainings go on: step sizes, weights of the terms, and when to stop.

    `targets` maps labels to targets of the loss, and says how good scores are.
    """

    targets: Any
    learning_rate: Any = "auto"
    mu: Any = 0.0
    patience: int = 10  # epochs without a better score of the samples held out
    tol: float = 1e-4
    verbose: int = 0

    def with_schedule(self, training, samples, rate=None):
        """Training whose step sizes are chosen, if they were not; by trial without a rate."""
        if training.schedule is not None:
            return training
        rng = rate_search.generator_at(training.generator)
        if rate is None:
            given = samples, training.state, training.settings, rng, training.n_epochs
            rate = rate_search.rate_for(self, *given)
        n_steps = training.n_epochs * samples.n_steps()
        schedule = rate_search.schedule_for(self.learning_rate, rate, n_steps)
        generator = rng.bit_generator.state
        return replace(training, rate=rate, schedule=schedule, generator=generator)

    def is_done(self, training):
        """Whether no epoch is left, or the score has stopped rising."""
        return training.n_left <= 0 or training.n_waited >= self.patience

    def epoch(self, training, samples, held_out=None):
        """Training after one more epoch."""
        begin = time.perf_counter()
        rng = rate_search.generator_at(training.generator)
        progress = len(training.losses), training.n_epochs
        mu, schedule = schedules.Mix(self.mu).at(*progress), training.schedule
        state, report, n_revived = passes.epoch_of(
            samples, training.state, training.settings, schedule, mu, progress, rng
        )
        passes.check_convergent(report, training.rate)
        after = replace(
            training,
            state=state,
            settings=_steadied(training.settings, report),
            generator=rng.bit_generator.state,
            losses=(*training.losses, report.loss),
        )
        if held_out is not None:
            after = self._judged(after, held_out)
        if self.verbose:
            seconds = time.perf_counter() - begin
            print(_line(after, report, n_revived, seconds), flush=True)
        return after

    def _judged(self, training, held_out):
        """Training with the score of the samples held out, its state kept if it is the best."""
        score = score_of(held_out, training.state, training.settings, self.targets)
        best, n_waited = training.best, training.n_waited + 1
        if best is None or score > best[0] + self.tol:
            n_waited = 0
        if best is None or score > best[0]:
            best = score, training.state
        return replace(training, scores=(*training.scores, score), best=best, n_waited=n_waited)

    def finished(self, training):
        """Training that ends where it is, at the best epoch if some samples were held out."""
        if training.best is not None:
            score, state = training.best
            training = replace(training, state=state, best_score=score, best=None)
        return replace(training, finished=True, schedule=None)

    def one_pass(self, training, samples, rate):
        """Training after one pass over samples that come in parts; `rate` is that of the atoms."""
        rng, mu = rate_search.generator_at(training.generator), schedules.Mix(self.mu).at(0, 1)
        schedule = rate_search.stream_schedule(rate)
        state, report = passes.learn_labelled(
            training.state, samples, training.settings, schedule.rates, rng, mu
        )
        passes.check_convergent(report, rate)
        return replace(
            training,
            state=state,
            settings=_steadied(training.settings, report),
            rate=rate,
            losses=(*training.losses, report.loss),
            scores=(),
            best_score=None,
            finished=True,
        )


def _steadied(settings, report):
    """Settings with a larger lam2 where the systems of the gradient are nearly singular."""
    prior = settings.prior
    lam2 = ridge_of(prior)
    if report.amplification <= _UNSTEADY or lam2 is None or lam2 >= _RAISED_LAM2:
        return settings
    warn(
        f"lam2 raised from {lam2:g} to {_RAISED_LAM2:g}: atoms of one code are nearly "
        f"dependent, and the gradient through it is amplified {report.amplification:.1e} "
        f"times; choose lam2 >= {_RAISED_LAM2:g} in the prior to avoid this."
    )
    raised = type(prior)(**prior.get_params()).set_params(lam2=_RAISED_LAM2)
    return replace(settings, prior=raised)


def _line(training, report, n_revived, seconds):
    """What is printed of an epoch."""
    rate = training.schedule.rates(training.state.moments["dictionary"].n_steps)[0]
    parts = [
        f"epoch {len(training.losses)}/{training.n_epochs}: loss {report.loss:.6g}",
        f"{report.n_nonzero:.1f} nonzeros",
        f"{n_revived} atoms revived" if n_revived else "",
        f"validation score {training.scores[-1]:.4f}" if training.scores else "",
        f"rate {rate:.2g}",
        f"{seconds:.1f} s",
    ]
    return ", ".join(filter(None, parts))
