"""Supervised dictionary learning from dask arrays, in rounds of shards.

Each mini-batch is divided into shards, whose gradients are computed on all workers and added in
a tree of tasks. Passes, schedules of rates, early stopping and the head's first fit are those of
the estimators; what they need of signals in memory is a sample (`_sample.py`).
"""

from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from .._array import to_numpy
from .._threads import one_blas_thread
from .._validation import collect_warnings
from ..estimators import SupervisedDictionaryClassifier
from ..estimators._callbacks import Epochs, with_callbacks
from ..estimators._fitting import as_generator, restore_on_error
from ..estimators._targets import check_rows
from ..estimators._training import check_training, initial_state_and_settings, make_trainer
from ..supervised import rate_search, step
from ..supervised.data import Samples, batch_of
from ..supervised.passes import PassReport, varied_batch
from ..supervised.trainer import Training
from ._blocks import without_training
from ._cluster import Step
from ._plan import pass_ranges, rounds, rows_in
from ._rounds import Rounds
from ._sample import Sample
from ._source import join, naming_rows, naming_rows_of_sample
from ._targets import Targets, known_classes, read_targets


@dataclass(frozen=True, eq=False)
class Pass:
    """A pass over the samples so far: what its report needs, and its last state."""

    state: Any
    losses: tuple = ()
    weights: tuple = ()
    amplification: float = 0.0
    n_uses: Any = 0
    n_seen: int = 0
    rng_state: Any = None  # state of the generator before the pass
    n_done: int = 0  # batches

    def after(self, report):
        """The pass after one more batch, but for its state."""
        done = replace(self, n_done=self.n_done + 1)
        if report is None:  # no sample has a label
            return done
        loss, weight, amplification, n_uses, n_seen, _ = report
        return replace(
            done,
            losses=(*done.losses, loss),
            weights=(*done.weights, weight),
            amplification=max(done.amplification, amplification),
            n_uses=done.n_uses + n_uses,
            n_seen=done.n_seen + n_seen,
        )

    def report(self):
        """`PassReport` of the pass."""
        loss = float(np.average(self.losses, weights=self.weights))
        n_nonzero = float(self.n_uses.sum()) / self.n_seen
        return PassReport(loss, n_nonzero, self.n_uses, self.amplification)


@dataclass(frozen=True, eq=False)
class Reader:
    """What makes samples of the rows of a shard: an estimator without what training changes."""

    estimator: Any
    held_out: Any = ()  # numbers of rows that are not learned from

    def read(self, pieces, ranges):
        """Samples of rows: signals, targets and weights are pieces of ranges of row numbers.

        Samples without a label, and those that are held out, have weight zero.
        """
        X, y, weight = (None if part is None else join(part) for part in pieces)
        estimator = copy(self.estimator)
        signals = estimator._signals(X, reset=True)
        targets, n = estimator._targets, signals.shape[0]
        check_rows(y, signals)
        weight = np.ones(n) if weight is None else weight.astype(np.float64)
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise ValueError("sample_weight must be finite and at least 0.")
        labels, has_label = np.zeros((n, 1)), np.zeros(n, bool)
        if not (estimator._uses_unlabelled() and targets.are_missing(y)):
            targets, labels, has_label = estimator._read_targets(y, reset=False)
        weight = targets.with_class_weight(weight * has_label, labels, estimator.class_weight)
        weight = np.where(np.isin(rows_in(ranges), self.held_out), 0.0, weight)
        pool = signals if estimator._uses_unlabelled() and not weight.all() else None
        more = {"augment": estimator.augment, "pool": pool}
        return Samples(signals, labels, weight, targets.label_encoder(), **more)


@dataclass(frozen=True, eq=False)
class Constants:
    """What is the same in all tasks of a pass."""

    settings: Any
    mu: float
    reader: Reader
    learning_rates: Any = None  # function of the number of steps


def share(state, n_blocks=1):
    """Dictionaries of a state, and its parameters."""
    dictionary = state.parameters["dictionary"]
    return [dictionary] if n_blocks == 1 else np.split(dictionary, n_blocks), state.parameters


def measure_shard(pieces, ranges, seed, shared, constants):
    """Gradient parts of a shard, nonzeros of each atom, number of samples, and warnings.

    `shared` has a tuple of the `Atoms` of each dictionary, and the parameters.
    """
    (atoms, parameters), settings, mu = shared, constants.settings, constants.mu
    with naming_rows(ranges), one_blas_thread(), collect_warnings() as found:
        samples = constants.reader.read(pieces, ranges).prepared(settings.preparation)
        rows, signals = np.flatnonzero(samples.weight > 0), None
        if mu and samples.pool is not None:
            signals = batch_of(samples.pool, np.arange(samples.n_samples))
        if not len(rows):
            parts = step.cost_parts(parameters, signals, settings, atoms) if mu else None
            return (parts and replace(parts, code=None), 0, 0), found
        n_features = parameters["dictionary"].shape[0] * (2 if settings.split_sign else 1)
        rng = np.random.default_rng(seed)
        batch = varied_batch(samples, rows, n_features, settings.dropout, rng)
        batch = replace(batch, reconstruction_signals=signals)
        parts = step.gradient_parts(parameters, batch, settings, mu, atoms)
    n_uses = (to_numpy(parts.code) != 0).sum(axis=0)
    return (replace(parts, code=None), n_uses, len(rows)), found


def merge(measured):
    """What several shards contribute, in their order, as by one of all their samples."""
    found = [warning for _, warnings in measured for warning in warnings]
    shards = [shard for shard, _ in measured if shard[0] is not None]
    if len(shards) < 2:
        return (shards[0] if shards else (None, 0, 0)), found
    n_uses, n_seen = sum(uses for _, uses, _ in shards), sum(n for _, _, n in shards)
    return (step.merged_parts([parts for parts, _, _ in shards]), n_uses, n_seen), found


def advance(state, measured, constants):
    """State after a step, and a report: statistics of the batch, or None, and warnings."""
    (parts, n_uses, n_seen), found = merge(measured)
    if parts is None or not float(parts.weight):  # no sample has a label
        return state, (None, found)
    rates = constants.learning_rates(state.moments["dictionary"].n_steps)
    with one_blas_thread():
        arguments = parts, state.parameters, constants.settings, constants.mu
        loss, gradients = step.joined_gradients(*arguments)
        rates = tuple(map(float, rates))
        state = step.apply_gradients(state, gradients, constants.settings, rates)
    n_steps = state.moments["dictionary"].n_steps
    weight, amplification = float(parts.weight), float(parts.amplification)
    return state, ((float(loss), weight, amplification, n_uses, n_seen, n_steps), found)


@dataclass(eq=False)
class Passes:
    """Passes over the rows of arrays, in place of `learn_labelled` for samples in memory."""

    arrays: tuple  # Rows of signals, of targets, and of weights or None
    reader: Reader
    batch_size: int
    shard: int
    epochs: Epochs
    verbose: int = 0
    checkpoints: Any = None
    begun: Pass | None = None  # a pass that a checkpoint has interrupted
    training: Training | None = None  # that before the pass
    stopped: bool = False  # by a callback, after a batch

    def steps_per_pass(self):
        """Number of mini-batches of a pass."""
        return -(-self.arrays[0].shape[0] // self.batch_size)

    def __call__(self, state, samples, settings, learning_rates, rng, mu=0.0):
        """State after one pass of supervised steps, and its report."""
        done, self.begun = self.begun, None
        if done is None:
            rng_state = rng.bit_generator.state
            done = Pass(state, rng_state=rng_state)
        rng.bit_generator.state = done.rng_state
        ranges = pass_ranges(self.arrays[0].shape[0], self.batch_size, rng)
        seed = int(rng.integers(2**63))
        plan = rounds(ranges, 0, self.batch_size, self.shard)
        work = Step(
            partial(share, n_blocks=settings.n_blocks),
            *(measure_shard, merge, advance),
            Constants(replace(settings, n_jobs=1), mu, self.reader, learning_rates),
            lambda number, this: [((seed, number, i),) for i in range(len(this.shards))],
        )
        self.epochs.begin_batch()
        for one in Rounds(work, done.state, plan, done.n_done, self.arrays):
            done = done.after(one.report)
            if self.verbose > 1:
                loss = f"loss {one.report[0]:.6g}" if one.report else "no labels"
                one.show(len(plan), loss)
            self.stopped = self.epochs.end_batch() and bool(done.losses)
            is_last = self.stopped or done.n_done == len(plan)
            is_due = self._is_due(one.report)
            if is_last or is_due:
                done = replace(done, state=one.state())
            if is_due:
                self.checkpoints.save(one.report[-1], (self.training, done))
            if is_last:
                break
            self.epochs.begin_batch()
        return done.state, done.report()

    def _is_due(self, report):
        """Whether a checkpoint is due after a batch."""
        if self.checkpoints is None or self.training is None or report is None:
            return False
        return self.checkpoints.due(report[-1])


@with_callbacks
def fit_supervised(estimator, arrays, data, *, classes, batch_size, shard, checkpoints):
    """Fit a supervised estimator to `Rows` of signals, targets and weights (or None).

    `data` are the signals and targets as they were given, for callbacks.
    """
    epochs = Epochs(estimator, estimator.max_iter, *data)
    with restore_on_error(estimator), one_blas_thread():
        reading, known, found = _reading(estimator, arrays, classes)
        sample = Sample.drawn(estimator, arrays, *found)
        check = partial(reading._signals, reset=True)
        with naming_rows_of_sample(arrays[0], sample.arrays[0], sample.ranges, check):
            samples, targets = reading._read_samples(*sample.arrays, reset=True, **known)
        estimator.n_features_in_ = reading.n_features_in_
        check_training(estimator)
        samples, held_out = sample.divided(estimator, samples)
        rng = as_generator(estimator.random_state)
        start = {"initial_rng_state": rng.bit_generator.state, "n_epochs": estimator.max_iter}
        reader = Reader(_reader_estimator(reading, targets), sample.held_out)
        settings = batch_size, shard, epochs, estimator.verbose, checkpoints
        passes = Passes(arrays, reader, *settings)
        trainer = replace(make_trainer(estimator, targets), learn=passes)
        stored = None if checkpoints is None else checkpoints.load(**sample.named())
        if stored is None:
            state, settings = initial_state_and_settings(estimator, samples, targets, rng)
            if estimator.nu == "auto":  # one over the weight of all samples, not of those here
                part = sample.share_of_weight(samples, held_out, reading.class_weight)
                settings = settings.with_ridges_times(part)
            training = Training(state, settings, rng.bit_generator.state, **start)
            samples = samples.prepared(settings.preparation)
            training = _with_schedule(trainer, training, samples, passes.steps_per_pass())
        else:
            training, passes.begun = stored
            samples = samples.prepared(training.settings.preparation)
        preparation = training.settings.preparation
        held_out = None if held_out is None else held_out.prepared(preparation)
        estimator._publish(training, targets)
        estimator.initial_components_ = estimator.components_
        while not trainer.is_done(training):
            epochs.begin(passes.steps_per_pass())
            passes.training = training
            training = trainer.epoch(training, samples, held_out)
            estimator._publish(training, targets)
            if checkpoints is not None:
                number = training.state.moments["dictionary"].n_steps
                checkpoints.save(number, (training, None))
            if epochs.end() or passes.stopped:
                break
        estimator._publish(trainer.finish(training), targets)
    epochs.close()
    return estimator


def _reading(estimator, arrays, classes):
    """Copy of an estimator that reads samples, its options, and the targets, and what they are.

    All targets are read for the classes, and to find labels where samples may have none.
    """
    reading, missing = copy(estimator), None
    is_classifier = isinstance(estimator, SupervisedDictionaryClassifier)
    if estimator._uses_unlabelled():
        missing = -1 if is_classifier else np.nan
    targets, known = Targets(arrays[1], arrays[2], missing), {}
    if not is_classifier and missing is None:
        return reading, known, (targets, None)
    found = read_targets(targets, is_classifier)
    if is_classifier:
        dtype, class_weight = arrays[1].dtype, estimator.class_weight
        classes, class_weight = known_classes(found.totals, classes, class_weight, dtype)
        reading.class_weight, known = class_weight, {"known": classes}
    return reading, known, (targets, found)


def _reader_estimator(estimator, targets):
    """Copy of an estimator that reads samples of shards."""
    light = copy(estimator)
    light._targets = targets
    vars(light).update(targets.attributes())
    light = without_training(light)
    light.augment, light.init = estimator.augment, None
    return light


def _with_schedule(trainer, training, samples, steps_per_pass):
    """Training with a schedule of rates for its number of steps, tried on samples in memory."""
    rng = rate_search.generator_from_state(training.rng_state)
    in_memory = replace(trainer, learn=type(trainer).learn)
    arguments = samples, training.state, training.settings, rng, training.n_epochs
    rate = rate_search.initial_learning_rate(in_memory, *arguments)
    n_steps = training.n_epochs * steps_per_pass
    schedule = rate_search.make_schedule(trainer.learning_rate, rate, n_steps)
    rng_state = rng.bit_generator.state
    return replace(training, learning_rate=rate, schedule=schedule, rng_state=rng_state)
