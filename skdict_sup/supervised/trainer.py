"""Training in epochs, as pure functions of records, which can be interrupted and resumed."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._validation import warn
from ..optim import schedules
from ..priors import ridge_of
from . import passes, rate_search
from .prediction import evaluate

_MAX_AMPLIFICATION = 100.0  # amplification of gradients above which lam2 is raised
_RAISED_LAM2 = 0.01


@dataclass(frozen=True, eq=False)
class Training:
    """A training after some epochs, with all that is needed to resume it exactly."""

    state: Any
    settings: Any
    rng_state: Mapping  # state of the random generator after the last epoch
    initial_rng_state: Mapping | None = None  # the same at the start of the fit
    n_epochs: int = 0  # total number of epochs
    learning_rate: float | None = None  # initial learning rate, once it is chosen
    schedule: Any = None  # schedule of learning rates, from then to the last epoch
    losses: tuple = ()
    scores: tuple = ()
    best: Any = None  # (score, state) of the best epoch
    best_score: float | None = None  # score of the best epoch of a finished training
    n_epochs_since_best: int = 0
    finished: bool = False

    @property
    def n_epochs_left(self):
        """Number of epochs that are left."""
        return self.n_epochs - len(self.losses)

    def ended(self):
        """Training that is finished as it is, without what only further epochs need."""
        return replace(self, best=None, best_score=None, schedule=None, finished=True)


@dataclass(frozen=True, eq=False)
class Trainer:
    """Rules of a training: learning rates, weight of the reconstruction, and early stopping.

    `targets` maps labels to targets of the loss, and evaluates scores.
    """

    targets: Any
    learning_rate: Any = "auto"
    mu: Any = 0.0
    patience: int = 10  # epochs without a better validation score before stopping
    tol: float = 1e-4
    verbose: int = 0
    learn: Any = passes.learn_labelled  # what makes a pass over the samples

    def with_schedule(self, training, samples, learning_rate=None):
        """Training with a schedule of learning rates; the initial rate is tried if it is None."""
        if training.schedule is not None:
            return training
        rng = rate_search.generator_from_state(training.rng_state)
        if learning_rate is None:
            arguments = samples, training.state, training.settings, rng, training.n_epochs
            learning_rate = rate_search.initial_learning_rate(self, *arguments)
        n_steps = training.n_epochs * samples.steps_per_epoch()
        schedule = rate_search.make_schedule(self.learning_rate, learning_rate, n_steps)
        rng_state = rng.bit_generator.state
        return replace(
            training, learning_rate=learning_rate, schedule=schedule, rng_state=rng_state
        )

    def is_done(self, training):
        """Whether no epoch is left, or the validation score no longer improves."""
        return training.n_epochs_left <= 0 or training.n_epochs_since_best >= self.patience

    def epoch(self, training, samples, held_out=None):
        """Training after one more epoch."""
        start_time = time.perf_counter()
        rng = rate_search.generator_from_state(training.rng_state)
        progress = len(training.losses), training.n_epochs
        mu, schedule = schedules.MuSchedule(self.mu).at(*progress), training.schedule
        state, report, n_revived = passes.learn_epoch(
            samples, training.state, training.settings, schedule, mu, progress, rng, self.learn
        )
        passes.check_convergent(report, training.learning_rate)
        trained = replace(
            training,
            state=state,
            settings=_raise_lam2_if_unstable(training.settings, report),
            rng_state=rng.bit_generator.state,
            losses=(*training.losses, report.loss),
        )
        if held_out is not None:
            trained = self._with_validation_score(trained, held_out)
        if self.verbose:
            seconds = time.perf_counter() - start_time
            print(_progress_line(trained, report, n_revived, seconds), flush=True)
        return trained

    def _with_validation_score(self, training, held_out):
        """Training with the validation score of its last epoch, and the best state so far."""
        score = evaluate(held_out, training.state, training.settings, self.targets)
        best, n_epochs_since_best = training.best, training.n_epochs_since_best + 1
        if best is None or score > best[0] + self.tol:
            n_epochs_since_best = 0
        if best is None or score > best[0]:
            best = score, training.state
        return replace(
            training,
            scores=(*training.scores, score),
            best=best,
            n_epochs_since_best=n_epochs_since_best,
        )

    def finish(self, training):
        """Finished training, at the best epoch if there are validation scores."""
        if training.best is None:
            return training.ended()
        score, state = training.best
        return replace(training.ended(), state=state, best_score=score)

    def one_pass(self, training, samples, learning_rate):
        """Training after one pass over samples of a stream, at the learning rate of the atoms."""
        rng = rate_search.generator_from_state(training.rng_state)
        mu = schedules.MuSchedule(self.mu).at(0, 1)
        schedule = rate_search.stream_schedule(learning_rate)
        state, report = passes.learn_labelled(
            training.state, samples, training.settings, schedule.learning_rates, rng, mu
        )
        passes.check_convergent(report, learning_rate)
        return replace(
            training.ended(),
            state=state,
            settings=_raise_lam2_if_unstable(training.settings, report),
            learning_rate=learning_rate,
            losses=(*training.losses, report.loss),
            scores=(),
        )


def _raise_lam2_if_unstable(settings, report):
    """Settings, with a larger lam2 if the linear systems of the gradient are nearly singular."""
    prior = settings.prior
    lam2 = ridge_of(prior)
    if report.amplification <= _MAX_AMPLIFICATION or lam2 is None or lam2 >= _RAISED_LAM2:
        return settings
    warn(
        f"lam2 raised from {lam2:g} to {_RAISED_LAM2:g}: the atoms of a code are nearly linearly "
        f"dependent, which amplifies the gradient {report.amplification:.1e} times; choose "
        f"lam2 >= {_RAISED_LAM2:g} in the prior to avoid this."
    )
    raised = type(prior)(**prior.get_params()).set_params(lam2=_RAISED_LAM2)
    return replace(settings, prior=raised)


def _progress_line(training, report, n_revived, seconds):
    """Line of text about an epoch, for verbose training."""
    n_steps = training.state.moments["dictionary"].n_steps
    learning_rate, _ = training.schedule.learning_rates(n_steps)
    parts = [
        f"epoch {len(training.losses)}/{training.n_epochs}: loss {report.loss:.6g}",
        f"{report.n_nonzero:.1f} nonzeros",
        f"{n_revived} atoms revived" if n_revived else "",
        f"validation score {training.scores[-1]:.4f}" if training.scores else "",
        f"rate {learning_rate:.2g}",
        f"{seconds:.1f} s",
    ]
    return ", ".join(filter(None, parts))
