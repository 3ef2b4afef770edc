"""Supervised dictionary learning from dask arrays, in rounds of shards.

Each mini-batch is divided into shards, whose gradients are computed on all workers and added in
their order. Passes, schedules of rates, early stopping and the head's first fit are those of the
estimators; what they need of signals in memory is a sample of evenly spaced runs of rows.
"""

import time
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from .._array import to_numpy
from .._threads import one_blas_thread
from .._validation import collect_warnings
from ..estimators._fitting import as_generator, restore_on_error
from ..estimators._targets import check_rows
from ..estimators._training import check_training, initial_state_and_settings, make_trainer
from ..supervised import rate_search, step
from ..supervised.data import Samples, batch_of
from ..supervised.passes import PassReport, varied_batch
from ..supervised.trainer import Training
from ._blocks import without_training
from ._dask import compute_round, report_once
from ._plan import pass_ranges, rounds, sample_ranges
from ._source import join, naming_rows

_SAMPLE = 30_000  # samples in memory from which training begins
_HELD_OUT = 10_000  # samples, at most, for early stopping


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

    def report(self):
        """`PassReport` of the pass."""
        loss = float(np.average(self.losses, weights=self.weights))
        n_nonzero = float(self.n_uses.sum()) / self.n_seen
        return PassReport(loss, n_nonzero, self.n_uses, self.amplification)


@dataclass(frozen=True, eq=False)
class Reader:
    """What makes samples of the rows of a shard: an estimator without what training changes."""

    estimator: Any
    held_out: list = field(default_factory=list)  # ranges of rows that are not learned from

    def read(self, pieces, ranges):
        """Samples of rows: signals, targets and weights are pieces of ranges of row numbers.

        Samples without a label, and those that are held out, have weight zero.
        """
        X, y, weight = (None if part is None else join(part) for part in pieces)
        estimator = copy(self.estimator)
        signals = estimator._signals(X if hasattr(X, "tocsr") else np.asarray(X), reset=True)
        targets, y, n = estimator._targets, np.asarray(y), signals.shape[0]
        check_rows(y, signals)
        weight = np.ones(n) if weight is None else np.asarray(weight, np.float64)
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise ValueError("sample_weight must be finite and at least 0.")
        labels, has_label = np.zeros((n, 1)), np.zeros(n, bool)
        if not (estimator._uses_unlabelled() and targets.are_missing(y)):
            targets, labels, has_label = estimator._read_targets(y, reset=False)
        weight = targets.with_class_weight(weight * has_label, labels, estimator.class_weight)
        rows = np.concatenate([np.arange(start, stop) for start, stop in ranges])
        for start, stop in self.held_out:
            weight = np.where((rows >= start) & (rows < stop), 0.0, weight)
        pool = signals if estimator._uses_unlabelled() and not weight.all() else None
        more = {"augment": estimator.augment, "pool": pool}
        return Samples(signals, labels, weight, targets.label_encoder(), **more)


def measure_shard(pieces, ranges, seed, atoms, settings, parameters, mu, reader):
    """Gradient parts of a shard, nonzeros of each atom, number of samples, and warnings.

    `atoms` is a tuple of the `Atoms` of each dictionary in the parameters.
    """
    with naming_rows(ranges), one_blas_thread(), collect_warnings() as found:
        samples = reader.read(pieces, ranges).prepared(settings.preparation)
        rows, signals = np.flatnonzero(samples.weight > 0), None
        if mu and samples.pool is not None:
            signals = batch_of(samples.pool, np.arange(samples.n_samples))
        if not len(rows):
            parts = step.cost_parts(parameters, signals, settings, atoms) if mu else None
            return (parts, 0, 0), found
        n_features = parameters["dictionary"].shape[0] * (2 if settings.split_sign else 1)
        rng = np.random.default_rng(seed)
        batch = varied_batch(samples, rows, n_features, settings.dropout, rng)
        batch = replace(batch, reconstruction_signals=signals)
        parts = step.gradient_parts(parameters, batch, settings, mu, atoms)
    n_uses = (to_numpy(parts.code) != 0).sum(axis=0)
    return (replace(parts, code=None), n_uses, len(rows)), found


def advance(state, measured, settings, mu, rates):
    """State after a step, its loss and weight, statistics of the pass, and warnings."""
    found = [warning for _, warnings in measured for warning in warnings]
    shards = [shard for shard, _ in measured if shard[0] is not None]
    parts = [part for part, _, _ in shards]
    if not any(float(part.weight) for part in parts):  # no sample has a label
        return state, None, found
    with one_blas_thread():
        loss, gradients = step.joined_gradients(parts, state.parameters, settings, mu)
        state = step.apply_gradients(state, gradients, settings, rates)
    weight = float(sum(float(part.weight) for part in parts))
    amplification = max(float(part.amplification) for part in parts)
    n_uses, n_seen = sum(uses for _, uses, _ in shards), sum(n for _, _, n in shards)
    return state, (float(loss), weight, amplification, n_uses, n_seen), found


@dataclass(eq=False)
class Passes:
    """Passes over the rows of arrays, in place of `learn_labelled` for samples in memory."""

    arrays: tuple  # Rows of signals, of targets, and of weights or None
    reader: Reader
    batch_size: int
    shard: int
    verbose: int = 0
    checkpoints: Any = None
    begun: Pass | None = None  # a pass that a checkpoint has interrupted
    training: Training | None = None  # that before the pass

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
        shared = replace(settings, n_jobs=1)
        for number in range(done.n_done, len(plan)):
            begin = time.perf_counter()
            following = plan[number + 1].ranges() if number + 1 < len(plan) else []
            for array in self.arrays:
                if array is not None:
                    array.keep(plan[number].ranges() + following)
            rates = learning_rates(done.state.moments["dictionary"].n_steps)
            done = self._round(done, plan[number], shared, mu, rates, (seed, number))
            if self.verbose > 1:
                seconds = time.perf_counter() - begin
                loss = f"loss {done.losses[-1]:.6g}" if done.losses else "all held out"
                print(f"batch {number + 1}/{len(plan)}: {loss}, {seconds:.2f} s", flush=True)
            self._store(done)
        return done.state, done.report()

    def _round(self, done, this, settings, mu, rates, seed):
        """Pass after one more batch."""
        shards = [
            ([None if a is None else a.pieces(ranges) for a in self.arrays], ranges, (*seed, i))
            for i, ranges in enumerate(this.shards)
        ]
        parameters = done.state.parameters
        state, measured, found = compute_round(
            measure_shard,
            partial(advance, mu=mu, rates=tuple(map(float, rates))),
            done.state,
            np.split(parameters["dictionary"], settings.n_blocks),
            shards,
            (settings, parameters, mu, self.reader),
        )
        report_once(found)
        done = replace(done, state=state, n_done=done.n_done + 1)
        if measured is None:
            return done
        loss, weight, amplification, n_uses, n_seen = measured
        return replace(
            done,
            losses=(*done.losses, loss),
            weights=(*done.weights, weight),
            amplification=max(done.amplification, amplification),
            n_uses=done.n_uses + n_uses,
            n_seen=done.n_seen + n_seen,
        )

    def _store(self, done):
        """Store a checkpoint where one is due."""
        checkpoints, training = self.checkpoints, self.training
        if checkpoints is None or training is None:
            return
        n_before = training.state.moments["dictionary"].n_steps
        number = done.state.moments["dictionary"].n_steps
        if number > n_before and checkpoints.due(number):
            checkpoints.save(number, (training, done))


def fit_supervised(estimator, arrays, *, classes, class_weight, batch_size, shard, checkpoints):
    """Fit a supervised estimator to `Rows` of signals, targets and weights (or None)."""
    n = arrays[0].shape[0]
    with restore_on_error(estimator), one_blas_thread():
        known = {} if classes is None else {"known": classes}
        ranges = sample_ranges(n, _SAMPLE)
        sample = [None if array is None else array.gather(ranges) for array in arrays]
        reading = copy(estimator)
        reading.class_weight = class_weight
        samples, targets = reading._read_samples(*sample, reset=True, **known)
        estimator.n_features_in_ = reading.n_features_in_
        check_training(estimator)
        held_ranges = _held_out(estimator, ranges, n)
        held_out = None
        if held_ranges:
            rows = np.concatenate([np.arange(*r) for r in ranges])
            is_held = np.zeros(len(rows), bool)
            for start, stop in held_ranges:
                is_held |= (rows >= start) & (rows < stop)
            held_out = samples.subset(np.flatnonzero(is_held)).with_positive_weight()
            samples = samples.subset(np.flatnonzero(~is_held))
            if not (held_out.n_samples and samples.weight.sum() > 0):
                raise ValueError(
                    "early_stopping=True requires samples with labels among those held out and "
                    f"among the others; validation_fraction={estimator.validation_fraction} "
                    f"holds out {held_out.n_samples}: change it, or set early_stopping=False."
                )
        samples = samples.with_positive_weight()
        rng = as_generator(estimator.random_state)
        start = {"initial_rng_state": rng.bit_generator.state, "n_epochs": estimator.max_iter}
        reader = Reader(_reader_estimator(reading, targets), held_ranges)
        passes = Passes(arrays, reader, batch_size, shard, estimator.verbose, checkpoints)
        trainer = replace(make_trainer(estimator, targets), learn=passes)
        named = dict(zip(("X", "y", "sample_weight"), sample, strict=True))
        stored = None if checkpoints is None else checkpoints.load(**named)
        if stored is None:
            state, settings = initial_state_and_settings(estimator, samples, targets, rng)
            if estimator.nu == "auto":  # one over the weight of all samples, not of those here
                share = sum(stop - start for start, stop in ranges) / n
                settings = settings.with_ridges_times(share)
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
            passes.training = training
            training = trainer.epoch(training, samples, held_out)
            estimator._publish(training, targets)
            if checkpoints is not None:
                number = training.state.moments["dictionary"].n_steps
                checkpoints.save(number, (training, None))
        estimator._publish(trainer.finish(training), targets)
    return estimator


def _held_out(estimator, ranges, n_rows):
    """Ranges of rows for early stopping, at the ends of those in memory; none without."""
    if not estimator.early_stopping:
        return []
    n_sample = sum(stop - start for start, stop in ranges)
    share = min(estimator.validation_fraction, _HELD_OUT / n_sample)
    if len(ranges) > 1:
        return [(stop - max(1, int(share * (stop - start))), stop) for start, stop in ranges]
    parts = np.linspace(0, n_rows, min(64, max(2, n_rows // 20)) + 1).astype(int)
    lengths = np.maximum(1, (share * np.diff(parts)).astype(int))
    return [(int(b - k), int(b)) for b, k in zip(parts[1:], lengths, strict=True)]


def _reader_estimator(estimator, targets):
    """Copy of an estimator that reads samples of shards."""
    light = copy(estimator)
    light._targets = targets
    vars(light).update(targets.attributes())
    light = without_training(light)
    light.augment = estimator.augment
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
