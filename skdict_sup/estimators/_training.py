"""How the supervised estimators train: the start, the epochs, and going on where a fit ended."""

import time
from dataclasses import dataclass, replace
from typing import Any

from .._array import namespace, to_numpy
from .._validation import warn
from ..dictionary.initialise import initial_projection
from ..optim import schedules
from ..priors import is_unresolved, ridge_of
from ..supervised import heads, passes
from ..supervised.data import Samples
from ..supervised.head_fit import first_head, with_chosen_ridge
from ..supervised.step import SupervisedSettings, start, zero_head
from ._base import CodingEstimator, in_one_step
from ._rates import TriedRates, epoch_of

_UNSTEADY, _RAISED_LAM2 = 100.0, 0.01  # an amplification that lam2 is raised for, and to what
PUBLISHED = {  # names of parameters, and of the attributes that users see
    "dictionary": "components_",
    "projection": "projection_",
    "coef": "coef_",
    "intercept": "intercept_",
    "linear": "linear_coef_",
}


@dataclass(frozen=True, eq=False)
class Run:
    """What a fit needs to go on from a complete epoch as if it had never stopped."""

    generator: dict  # state of the generator when the fit began, and when the epoch ended
    generator_now: dict
    n_epochs: int
    schedule: Any = None  # none as long as its rate is not chosen
    best: Any = None  # (score, state) of the best epoch
    waited: int = 0


class TrainedEstimator(TriedRates, CodingEstimator):
    """Training of an estimator whose parameters, targets and losses subclasses define."""

    def _start(self, X, labels, weight, rng, pool, *, stream=False):
        """Settings, and a state: a dictionary learned without labels, the best head on it.

        Of a stream these samples are the first: what they say nothing of stays within reach.
        """
        reconstruction, prior, solver = self._terms()
        signals = X if pool is None else pool
        parameters, seen = {}, signals
        if self.n_projected is not None:
            projection = initial_projection(signals, self.n_projected, rng)
            parameters["projection"], seen = projection, signals @ projection.T
        n_outputs = self._n_outputs(labels)
        n_blocks = n_outputs if self._blocks() else 1
        dictionary, prior = self._unlabelled_start(seen, reconstruction, prior, solver, rng)
        parameters["dictionary"] = self._copies(dictionary, n_blocks, seen, rng)
        settings = SupervisedSettings(
            reconstruction,
            prior,
            solver,
            self._loss(),
            head=self._head(n_blocks),
            n_blocks=n_blocks,
            positive_dictionary=self.positive_dictionary,
            split_sign=self.split_sign,
            dropout=self.dropout,
            adaptive=self.learning_rate != "mairal",
            n_jobs=self.n_jobs,
        )
        head = zero_head(parameters["dictionary"], n_outputs, settings, X.shape[1])
        data = self._passes(X, labels, weight, pool)
        settings = passes.scale_settings(settings, parameters, data, rng, self.nu)
        if self.nu == "auto" and not stream:
            settings = with_chosen_ridge(parameters | head, data, settings, rng)
        state = start(parameters | head)
        pull = 1 / float(weight.sum()) if stream else 0.0
        return first_head(state, data, settings, rng, pull), settings

    def _copies(self, dictionary, n_blocks, X, rng):
        """One dictionary for each output: the same start, which their tasks draw apart."""
        xp = namespace(dictionary)
        return dictionary if n_blocks == 1 else xp.concat([dictionary] * n_blocks, axis=0)

    def _head(self, n_blocks):
        if n_blocks > 1:
            return heads.BlockHead(self.fit_linear, self.split_sign)
        if self.head == "bilinear":
            return heads.BilinearHead(self.fit_linear)
        return heads.LinearHead(self.fit_linear)

    def _blocks(self):
        """Whether each output has a dictionary of its own."""
        return False

    def _restart(self):
        """State of a fitted estimator, with fresh moments: the schedule begins again."""
        return start(self._state.parameters)

    def _settings(self, labels):
        """Settings of a fitted estimator, with the parameters that may have changed since."""
        reconstruction, prior, solver = self._terms()
        learned, parameters = self._learned_with, self._state.parameters
        projected = parameters["projection"].shape[0] if "projection" in parameters else None
        blocks = learned.n_blocks
        n_outputs = self._n_outputs(labels)
        before = parameters["intercept"].shape[0]
        for name, value, had in (
            ("n_components", self.n_components, self._state.dictionary.shape[0] // blocks),
            ("n_projected", self.n_projected, projected),
            ("split_sign", self.split_sign, learned.split_sign),
            ("fit_linear", self.fit_linear, learned.head.path),
            ("head", self._head(blocks), learned.head),
        ):
            if value != had:
                raise ValueError(
                    f"{name} must be {had} to go on learning, as in the first fit; got {value}."
                )
        if n_outputs != before or (self._blocks() and blocks == 1 and n_outputs > 1):
            raise ValueError(
                f"loss must have {before} output(s) to go on learning, as in the first fit; got "
                f"{self.loss!r}, which has {n_outputs}."
            )
        return replace(
            learned,
            reconstruction=reconstruction,
            prior=learned.prior if is_unresolved(prior) else prior,
            solver=solver,
            loss=self._loss(),
            nu=learned.nu if self.nu == "auto" else self.nu / learned.code_scale**2,
            positive_dictionary=self.positive_dictionary,
            dropout=self.dropout,
            adaptive=self.learning_rate != "mairal",
            n_jobs=self.n_jobs,
        )

    def _train(self, samples, state, settings, rng, first, held_out, epochs, rate=None):
        """Epochs of supervised steps, published one by one; the best kept if some are held out.

        `first` is the generator's state when the fit began; without a rate one is chosen.
        """
        self.initial_components_ = state.dictionary
        schedule = rate and self._schedule(rate, self._passes(*samples), self.max_iter)
        run = Run(first, rng.bit_generator.state, self.max_iter, schedule)
        self._publish(state, settings, ([], []), run)
        self._go_on(samples, rng, held_out, epochs)

    def _go_on(self, samples, rng, held_out, epochs):
        """What the run has left."""
        state, settings, run = self._state, self._learned_with, self._run
        data = self._passes(*samples)
        if run.schedule is None:
            rate = self._rate(samples, state, settings, rng, run.n_epochs)
            run = replace(run, schedule=self._schedule(rate, data, run.n_epochs))
        self.learning_rate_ = run.schedule.rate
        losses, scores = curves = list(self.loss_curve_), list(self.validation_scores_)
        mix, begin = schedules.Mix(self.mu), time.perf_counter()
        best, waited = run.best, run.waited
        for epoch in range(len(losses), run.n_epochs):
            epochs.begin()
            progress = epoch, run.n_epochs
            mu = mix.at(*progress)
            state, report, revived = epoch_of(
                data, state, settings, run.schedule, mu, progress, rng
            )
            passes.check_convergent(report, self.learning_rate_)
            settings = self._steadied(settings, report)
            losses.append(report.loss)
            line = f"epoch {epoch + 1}/{run.n_epochs}: loss {report.loss:.6g}"
            line += f", {report.n_nonzero:.1f} nonzeros"
            line += f", {revived} atoms revived" if revived else ""
            if held_out is not None:
                scores.append(self._held_out_score(*held_out, state, settings))
                line += f", validation score {scores[-1]:.4f}"
                waited = 0 if best is None or scores[-1] > best[0] + self.tol else waited + 1
                if best is None or scores[-1] > best[0]:
                    best = scores[-1], state
            stop = waited >= self.n_iter_no_change
            now = rng.bit_generator.state
            run = replace(run, generator_now=now, best=best, waited=waited)
            self._publish(state, settings, curves, run)
            if self.verbose:
                rate = run.schedule.rates(state.moments["dictionary"].n_steps)[0]
                seconds = time.perf_counter() - begin
                print(f"{line}, rate {rate:.2g}, {seconds:.1f} s", flush=True)
            if epochs.end() or stop:
                break
        if best is not None:
            state = best[1]
        self._publish(state, settings, curves, None, None if best is None else best[0])

    def _steadied(self, settings, report):
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

    def _held_out_score(self, X, labels, weight, state, settings):
        parameters = self._in_data_units(state, settings)
        scores = self._scores(X, parameters, settings)
        return float(self._score(to_numpy(scores), labels, weight))

    @in_one_step
    def _publish(self, state, settings, curves, run, best_score=None):
        """Attributes that users see, from a state; `run` is None once nothing is left to do."""
        found = self._in_data_units(state, settings)
        for name, attribute in PUBLISHED.items():
            vars(self).pop(attribute, None)
            if name in found:
                setattr(self, attribute, found[name])
        self.prior_ = settings.prior
        self.nu_ = settings.nu * settings.code_scale**2
        self.loss_curve_, self.validation_scores_ = map(list, curves)
        self.n_iter_ = len(self.loss_curve_)
        vars(self).pop("best_validation_score_", None)  # that of an earlier fit
        if best_score is not None:
            self.best_validation_score_ = best_score
        self._learned_with, self._state, self._run = settings, state, run

    def _in_data_units(self, state, settings):
        """Parameters of a state by name, those of the head in the units of the data.

        The intercept is flat.
        """
        xp, found = namespace(state.dictionary), dict(state.parameters)
        bilinear = isinstance(settings.head, heads.BilinearHead)
        scale = settings.code_scale * (settings.signal_scale if bilinear else 1.0)
        linear = found["linear"] / settings.signal_scale if "linear" in found else None
        flat = xp.reshape(found["intercept"], (-1,))
        found["coef"], found["intercept"], linear = self._in_units(
            found["coef"] / scale, flat, linear
        )
        return found if linear is None else found | {"linear": linear}

    def _in_units(self, coef, intercept, linear):
        """Head in the units of the targets."""
        return coef, intercept, linear

    def _passes(self, X, labels, weight, pool=None):
        """Samples as training draws them."""
        targets, batch_size = self._targets(labels), self._batch_size(X.shape[0])
        return Samples(X, targets, weight, batch_size, self.augment, pool)
