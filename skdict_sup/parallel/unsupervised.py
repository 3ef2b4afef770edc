"""Dictionary learning from dask arrays, in rounds of shards.

A round codes the shards of a mini-batch on all workers. What they contribute is added in their
order, on one of them: results do not depend on blocks, workers or repeated tasks, bit for bit.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any

from .._signals import as_signals, batches_on
from .._threads import one_blas_thread
from .._validation import collect_warnings
from .._weighted_signals import MissingSignals
from ..dictionary import _stream
from ..dictionary.learner import method_for
from ..estimators._fitting import as_generator, generator_from_state, restore_on_error
from ..estimators._parameters import check_parameters
from . import _plan
from ._cluster import Step
from ._plan import count, pass_ranges, rounds, sample_ranges
from ._rounds import Rounds
from ._source import join, naming_rows, naming_rows_of_sample


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


@dataclass(frozen=True, eq=False)
class Constants:
    """What is the same in all tasks of a pass."""

    settings: Any
    allows_nan: bool = False
    device: Any = None


def measure_shard(pieces, ranges, first, shared, constants):
    """What a shard contributes to the update, the sum of its objectives, and warnings.

    `shared` has a tuple of the `Atoms` of the dictionary.
    """
    (atoms,), settings = shared[0], constants.settings
    signals = as_signals(join(pieces[0]))
    if constants.allows_nan:
        signals = MissingSignals(signals)
    signals = batches_on(signals, constants.device)
    with naming_rows(ranges), one_blas_thread(), collect_warnings() as found:
        signals.check_finite()
        settings.reconstruction.check(signals)
        filled, _ = settings.reconstruction.filled(signals)
        coded = _stream.code(atoms, filled, settings)
        increment = method_for(settings.reconstruction).measure(coded, first, settings)
    return increment, float(coded.objective.sum()), found


def advance(state, parts, constants):
    """State with the contributions of shards added in order, and updated after a mini-batch.

    The report is the sum of the objectives, with warnings.
    """
    settings = constants.settings
    method = method_for(settings.reconstruction)
    with one_blas_thread():
        for increment, _, _ in parts:
            state = method.add(state, increment, settings)
        if state.n_seen % settings.batch_size == 0:
            state = method.update(state, settings)
    total = sum(total for _, total, _ in parts)
    return state, (total, [warning for _, _, found in parts for warning in found])


def share(state):
    """The dictionary of a state, and nothing else."""
    return [state.dictionary], None


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
    ranges = sample_ranges(X.shape[0], _plan.SAMPLE)
    sample, check = X.gather(ranges), partial(estimator._signals, reset=True)
    with naming_rows_of_sample(X, sample, ranges, check):
        signals = check(sample)
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
    rng = generator_from_state(progress.rng_state)
    order = rng if estimator.shuffle and len(progress.curve) else None
    ranges = pass_ranges(n, settings.batch_size, order)
    plan = rounds(ranges, len(progress.curve) * n, settings.batch_size, shard)

    constants = Constants(settings, bool(estimator.allow_nan), estimator.device)
    # parts are added one by one, as `partial_fit` adds them
    work = Step(share, measure_shard, None, advance, constants, _first_signals)
    for done in Rounds(work, progress.state, plan, progress.n_done, (X,)):
        progress.total += done.report
        progress.n_done, progress.n_batches = done.number + 1, progress.n_batches + 1
        if estimator.verbose > 1:
            done.show(len(plan), f"objective {done.report / plan[done.number].n_rows:.6g}")
        is_last = progress.n_done == len(plan)
        is_due = checkpoints is not None and checkpoints.due(progress.n_batches)
        if is_last or is_due:
            progress.state = done.state()
        if checkpoints is not None and is_due and not is_last:
            checkpoints.save(progress.n_batches, progress)
    progress.curve = [*progress.curve, progress.total / n]
    progress.n_done, progress.total, progress.rng_state = 0, 0.0, rng.bit_generator.state
    if checkpoints is not None:
        checkpoints.save(progress.n_batches, progress)


def _first_signals(_, this):
    """Signals of the stream before each shard of a round."""
    ends = accumulate(map(count, this.shards), initial=this.first)
    return [(first,) for first in ends][:-1]
