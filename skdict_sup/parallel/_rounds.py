"""Rounds of a pass, one after the other: the next is prepared while one is computed.

Where all workers are lost at once, rounds are repeated from the last state that this process has.
"""

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from .._validation import warn
from . import _cluster
from ._dask import report_once

_LINEAGE = 16  # rounds that are at most repeated where a worker with the state is lost
_ATTEMPTS = 3  # losses of all workers in one round after which a fit ends


@dataclass(frozen=True, eq=False)
class Done:
    """A round that is computed, as long as it is the last one: its number, report and seconds."""

    number: int
    report: Any
    seconds: float
    rounds: Any

    def show(self, n_rounds, text):
        """Print what the round was like."""
        place = f"batch {self.number + 1}/{n_rounds}"
        print(f"{place}: {text}, {self.seconds:.2f} s", flush=True)

    def state(self):
        """State after the round, in this process."""
        return self.rounds.state()


@dataclass(frozen=True, eq=False)
class _Sent:
    """A round that workers compute: nodes of its (state, report) and of its report."""

    number: int
    node: Any
    report: Any
    workers: frozenset  # those of the cluster when it was sent


class Rounds:
    """Rounds of a plan from number `first`; iterating yields `Done` for each, in order.

    `arrays` are `Rows`, or None, whose pieces are the first argument of each shard; ranges of its
    rows are the second. The state stays on the cluster from round to round. Reports are pairs of
    what the round was like, and warnings, which are issued here.
    """

    def __init__(self, step, state, plan, first, arrays):
        self._step, self._plan, self._first, self._arrays = step, plan, first, arrays
        self._sizes = [len(dictionary) for dictionary in step.share(state)[0]]
        self._n_ahead = 0 if _cluster.active_client() is None else 1
        self._known = first, state  # number of a round, and the state before it, in this process
        self._begin()

    def _begin(self):
        """Begin with the state that is in this process."""
        self._next, state = self._known
        self._origin, self._last = self._next, _cluster.node((state, None))
        self._constants = _cluster.begin(_cluster.node(self._step.constants))[0]
        self._waiting: deque = deque()
        self._workers: frozenset[Any] = frozenset()  # the cluster had when a round was last sent
        self._received: Any = None, None  # a round, and its report

    def __iter__(self):
        begun = time.perf_counter()
        try:
            for number in range(self._first, len(self._plan)):
                said, found = self._after(number, lambda: self._received[1])
                report_once(found)
                now = time.perf_counter()
                yield Done(number, said, now - begun, self)
                begun = now if self._waiting else time.perf_counter()
        except BaseException:  # that of a caller who stops, too
            if self._waiting:  # blocks stay for the next pass
                self._forget()
            raise

    def state(self):
        """State after the last round that was received, in this process."""
        return self._after(self._received[0].number, self._fetch_state)

    def _after(self, number, result):
        """Result of a function after a round is received; repeats rounds if workers are lost."""
        n_lost = 0
        for _ in range(_ATTEMPTS):
            if n_lost:  # here, the error holds no nodes by its traceback
                self._repeat(n_lost)
            try:
                while self._received[0] is None or self._received[0].number < number:
                    self._receive()
                return result()
            except _cluster.LostWorkersError as error:
                n_lost = error.n_workers
        raise RuntimeError(
            f"All {n_lost} workers of the cluster were lost {_ATTEMPTS} times in batch "
            f"{number + 1}: its tasks may need more memory than workers have. Use workers with "
            "more memory or fewer threads, smaller blocks, or a smaller batch_size, and call "
            "parallel.fit again, with the checkpoint of this fit if it has one."
        )

    def _receive(self):
        """Receive the report of a round, after further rounds have been sent."""
        while len(self._waiting) <= self._n_ahead and self._next < len(self._plan):
            if self._next - self._origin == _LINEAGE:
                if self._waiting:
                    break
                state = self._fetch_state()
                self._origin, self._last = self._next, _cluster.node((state, None))
            self._send()
        sent = self._waiting[0]
        self._received = sent, _cluster.fetch(sent.report, sent.workers)
        self._waiting.popleft()

    def _send(self):
        """Send the next round."""
        number, workers = self._next, _cluster.workers()
        # Dask may never compute again what this round would wait for
        _cluster.check_left(self._workers, workers)
        self._workers = workers
        this = self._plan[number]
        shards = _shards(this, self._arrays, self._step.arguments(number, this), workers)
        terms = self._last, self._sizes, shards, self._constants
        self._last, report = _cluster.submit_round(self._step, *terms)
        self._waiting.append(_Sent(number, self._last, report, workers))
        self._next += 1

    def _fetch_state(self):
        sent = self._received[0]
        if self._known[0] != sent.number + 1:
            self._known = sent.number + 1, _cluster.fetch(sent.node, sent.workers)[0]
        return self._known[1]

    def _repeat(self, n_lost):
        """Begin again with the last state in this process, once there are workers again."""
        last = self._next
        # tasks that were meant for lost workers never run: none may remain with a key that is
        # used again, such as that of a block
        self._forget()
        _cluster.wait_for_workers(n_lost)
        self._begin()
        first = self._next + 1
        repeats = f"repeats batches {first} to {last}"
        does = repeats if last >= first else f"goes on at batch {first}"
        warn(
            f"All {n_lost} workers of the cluster were lost; with new ones, parallel.fit {does} "
            "of the pass."
        )

    def _forget(self):
        """Release all that is on the cluster, even if an error has references to it."""
        sent = [one for one in (*self._waiting, self._received[0]) if one is not None]
        nodes = [node for one in sent for node in (one.node, one.report)]
        _cluster.release([self._constants, *nodes])
        self._waiting, self._received, self._last = deque(), (None, None), None
        for array in self._arrays:
            if array is not None:
                array.forget()


def _shards(this, arrays, arguments, workers):
    """Pairs of a place and the arguments of the shards of a round."""
    is_free = not arrays[0].are_loaded  # else tasks go where the blocks are
    places = _cluster.places(len(this.shards)) if is_free else [None] * len(this.shards)
    for array in arrays:
        if array is not None:
            array.keep(this.shards, places, workers)
    return [
        (place, ([None if a is None else a.pieces(ranges, place) for a in arrays], ranges, *more))
        for place, ranges, more in zip(places, this.shards, arguments, strict=True)
    ]
