"""Rounds of a pass, one after the other: the next is prepared while one is computed."""

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from . import _cluster
from ._dask import report_once

_LINEAGE = 16  # rounds that are at most repeated where a worker with the state is lost


@dataclass(frozen=True, eq=False)
class Done:
    """A round that is computed: its number, its report, its seconds, and the state after it."""

    number: int
    report: Any
    seconds: float
    node: Any
    workers: frozenset  # those of the cluster when the round began

    def show(self, n_rounds, text):
        """Print what the round was like."""
        place = f"batch {self.number + 1}/{n_rounds}"
        print(f"{place}: {text}, {self.seconds:.2f} s", flush=True)

    def state(self):
        """State after the round, in this process."""
        return _cluster.fetch(self.node, self.workers)[0]


def run_rounds(step, state, plan, first, arrays):
    """Yield `Done` for each round of a plan from number `first`, in order.

    `arrays` are `Rows`, or None, whose pieces are the first argument of each shard; ranges of its
    rows are the second. The state stays on the cluster from round to round. Reports are pairs of
    what the round was like, and warnings, which are issued here.
    """
    sizes = [len(dictionary) for dictionary in step.share(state)[0]]
    constants, waiting = _cluster.begin(_cluster.node(step.constants))[0], deque()
    last, number, begun = _cluster.node((state, None)), first, time.perf_counter()
    workers = _cluster.workers()
    n_ahead = 0 if _cluster.active_client() is None else 1
    while number < len(plan) or waiting:
        is_anchor = number > first and (number - first) % _LINEAGE == 0
        if number < len(plan) and len(waiting) <= n_ahead and not (is_anchor and waiting):
            if is_anchor:
                last = _cluster.node((_cluster.fetch(last, workers)[0], None))
            workers = _cluster.workers()
            shards = _shards(plan[number], arrays, step.arguments(number, plan[number]))
            last, report = _cluster.submit_round(step, last, sizes, shards, constants)
            waiting.append((number, last, report, workers))
            number += 1
            continue
        done, node, report, workers_then = waiting.popleft()
        said, found = _cluster.fetch(report, workers_then)
        report_once(found)
        now = time.perf_counter()
        yield Done(done, said, now - begun, node, workers_then)
        begun = now if waiting else time.perf_counter()  # the next one is computed meanwhile


def _shards(this, arrays, arguments):
    """Pairs of a place and the arguments of the shards of a round."""
    is_free = not arrays[0].are_loaded  # else tasks go where the blocks are
    places = _cluster.places(len(this.shards)) if is_free else [None] * len(this.shards)
    for array in arrays:
        if array is not None:
            array.keep(this.shards, places)
    return [
        (place, ([None if a is None else a.pieces(ranges, place) for a in arrays], ranges, *more))
        for place, ranges, more in zip(places, this.shards, arguments, strict=True)
    ]
