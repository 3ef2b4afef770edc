"""Dictionary learning from dask arrays, in rounds of shards.

A round codes the shards of a mini-batch on all workers. What they contribute is added in their
order, on one of them: results do not depend on blocks, workers or repeated tasks, bit for bit.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._array import is_sparse
from .._signals import as_signals, batches_on
from .._threads import one_blas_thread
from .._validation import collect_warnings
from .._weighted_signals import MissingSignals
from ..dictionary import _stream
from ..dictionary.learner import method_for
from ..estimators._fitting import as_generator, restore_on_error
from ..estimators._parameters import check_parameters
from ._dask import compute_round, report_once
from ._plan import pass_ranges, rounds, sample_ranges
from ._source import join, naming_rows

_SAMPLE = 30_000  # signals in memory from which atoms and weights begin


@dataclass
class Progress:
    """Where a fit is: passes that are done, batches of the current one, and random numbers."""

    state: Any
    settings: Any
    curve: list
    n_batches: int = 0  # those of all passes
    n_done: int = 0  # batches of the current pass
    total: float = 0.0  # objectives of its signals
    rng_state: Any = None  # state of the generator before the current pass


def measure_shard(pieces, ranges, first, atoms, settings, allows_nan, device):
    """What a shard contributes to the update, the sum of its objectives, and warnings.

    `atoms` is a tuple of the `Atoms` of the dictionary.
    """
    X = join(pieces)
    signals = as_signals(X if is_sparse(X) else np.asarray(X))
    signals = batches_on(MissingSignals(signals) if allows_nan else signals, device)
    with naming_rows(ranges), one_blas_thread(), collect_warnings() as found:
        signals.check_finite()
        settings.reconstruction.check(signals)
        filled, _ = settings.reconstruction.filled(signals)
        coded = _stream.code(atoms[0], filled, settings)
        increment = method_for(settings.reconstruction).measure(coded, first, settings)
    return increment, float(coded.objective.sum()), found


def advance(state, parts, settings):
    """State with the contributions of shards added in order, and updated after a mini-batch."""
    method = method_for(settings.reconstruction)
    with one_blas_thread():
        for increment, _, _ in parts:
            state = method.add(state, increment, settings)
        if state.n_seen % settings.batch_size == 0:
            state = method.update(state, settings)
    return state, sum(total for _, total, _ in parts), [w for _, _, found in parts for w in found]


def fit_online(estimator, X, *, batch_size, shard, checkpoints):
    """Fit an `OnlineDictionaryLearning` to `Rows`."""
    with restore_on_error(estimator), one_blas_thread():
        progress = _begin(estimator, X, batch_size, checkpoints)
        while len(progress.curve) < estimator.max_iter and not _has_converged(estimator, progress):
            _run_pass(estimator, X, progress, shard, checkpoints)
            estimator._publish(progress.state, progress.settings, progress.curve)
            if estimator.verbose:
                number, last = len(progress.curve), progress.curve[-1]
                print(f"pass {number}/{estimator.max_iter}: objective {last:.6g}", flush=True)
    return estimator


def _begin(estimator, X, batch_size, checkpoints):
    """Progress of a checkpoint, or that before the first signal."""
    sample = X.gather(sample_ranges(X.shape[0], _SAMPLE))
    signals = estimator._signals(sample, reset=True)
    check_parameters(estimator, estimator._learning)
    stored = None if checkpoints is None else checkpoints.load(X=sample)
    if stored is not None:
        estimator._publish(stored.state, stored.settings, stored.curve)
        return stored
    rng = as_generator(estimator.random_state)
    state, settings = estimator._initial_state(signals, rng)
    settings = replace(settings, batch_size=batch_size, n_jobs=1)
    return Progress(state, settings, [], rng_state=rng.bit_generator.state)


def _has_converged(estimator, progress):
    """Whether the objective has hardly become smaller in the last pass."""
    curve, tol = progress.curve, estimator.tol
    return bool(tol) and len(curve) > 1 and curve[-2] - curve[-1] < tol * curve[-2]


def _run_pass(estimator, X, progress, shard, checkpoints):
    """Learn from all signals once, or from those of the pass that are left."""
    settings, n = progress.settings, X.shape[0]
    rng = np.random.default_rng()
    rng.bit_generator.state = progress.rng_state
    order = rng if estimator.shuffle and len(progress.curve) else None
    ranges = pass_ranges(n, settings.batch_size, order)
    n_before = len(progress.curve) * n
    plan = rounds(ranges, n_before, settings.batch_size, shard)
    for number in range(progress.n_done, len(plan)):
        begin, this = time.perf_counter(), plan[number]
        following = plan[number + 1].ranges() if number + 1 < len(plan) else []
        X.keep(this.ranges() + following)
        firsts = np.cumsum([this.first, *(_size(ranges) for ranges in this.shards)])
        shards = [
            (X.pieces(ranges), ranges, int(first))
            for ranges, first in zip(this.shards, firsts, strict=False)
        ]
        more = settings, bool(estimator.allow_nan), estimator.device
        progress.state, total, found = compute_round(
            measure_shard, advance, progress.state, (progress.state.dictionary,), shards, more
        )
        report_once(found)
        progress.total += total
        progress.n_done, progress.n_batches = number + 1, progress.n_batches + 1
        if estimator.verbose > 1:
            seconds = time.perf_counter() - begin
            print(
                f"batch {number + 1}/{len(plan)}: objective {total / this.n_rows:.6g}, "
                f"{seconds:.2f} s",
                flush=True,
            )
        if checkpoints is not None and checkpoints.due(progress.n_batches):
            checkpoints.save(progress.n_batches, progress)
    progress.curve = [*progress.curve, progress.total / n]
    progress.n_done, progress.total, progress.rng_state = 0, 0.0, rng.bit_generator.state
    if checkpoints is not None:
        checkpoints.save(progress.n_batches, progress)


def _size(ranges):
    return sum(stop - start for start, stop in ranges)
