"""Tasks of rounds: where they and their blocks are, and what stays there between two rounds.

Without a cluster there is one place, this process, and what begins is computed at once.
"""

import gc
import time
from contextlib import nullcontext
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from uuid import uuid4

from ._blocks import gram_parts, gram_rows, joined_atoms

_FAN_IN = 4  # parts that one task merges
_PATIENCE = 2.0  # seconds after which it is checked whether there is anything to wait for
_RETURN = 300.0  # seconds in which a cluster that has lost all workers has to have one again
_LARGE_GRAPH = "distributed.admin.large-graph-warning-threshold"


@dataclass(frozen=True, eq=False)
class Step:
    """Pure functions of a round, and the constants that they share."""

    share: Any  # list of the dictionaries of a state, and what else all shards need of it
    measure: Any  # part of a shard: of its arguments, (atoms, what else), and constants
    merge: Any  # parts in their order as one; None where they are only added to the state
    advance: Any  # next state and a report: of the state, parts, and constants
    constants: Any
    arguments: Any  # further arguments of the shards: of the number of a round, and the round


def _dask() -> Any:
    """The module dask."""
    import dask

    return dask


def _delayed(function) -> Any:
    """A function whose calls are tasks."""
    from dask.delayed import delayed

    return delayed(function)


def node(value):
    """A value as one node of a graph."""
    from dask.delayed import delayed

    return delayed(value, traverse=False)


def active_client() -> Any:
    """Client of dask.distributed whose workers compute, or None."""
    import dask.base

    client = getattr(dask.base.get_scheduler(), "__self__", None)
    return client if hasattr(client, "nthreads") else None


def _threads():
    """Threads of the workers of an active cluster, by their addresses."""
    client = active_client()
    return {} if client is None else client.nthreads()


def workers():
    """Addresses of the workers of an active cluster."""
    return frozenset(_threads())


def n_threads():
    """Threads of the workers of an active cluster; zero without one."""
    return sum(_threads().values())


def places(n_shards):
    """Workers of shards: neighbours share one, in proportion to threads; None without a cluster.

    They are where tasks should run, and Dask may choose others.
    """
    threads = _threads()
    every = [worker for worker in sorted(threads) for _ in range(threads[worker])]
    return [every[i * len(every) // n_shards] if every else None for i in range(n_shards)]


def _at(place):
    """Context in which tasks are made for a worker."""
    if place is None:
        return nullcontext()
    return _dask().annotate(workers=[place], allow_other_workers=True)


def call_at(place, function, *arguments) -> Any:
    """Task of a function at a place."""
    with _at(place):
        return _delayed(function)(*arguments)


class Blocks:
    """Delayed blocks of the rows of a dask array, each with the part of the graph it needs.

    On a cluster they are tasks of their own unless they are there already: it may have those of
    the array, too, which shall run wherever they can.
    """

    def __init__(self, array):
        from dask.utils import ensure_dict

        has_cluster = active_client() is not None
        # on a cluster already, as after `persist`; dask's optimization would drop such results
        self.are_loaded = has_cluster and _has_futures(array)
        blocks = array.to_delayed(optimize_graph=not self.are_loaded).ravel()
        self._name, self._keys = array.name, [block.key for block in blocks]
        self._graph = ensure_dict(blocks[0].dask)
        if has_cluster and not self.are_loaded:
            self._graph, names = _renamed(self._graph)
            self._keys = [names[key] for key in self._keys]

    def __getitem__(self, number):
        from dask.delayed import Delayed
        from dask.highlevelgraph import HighLevelGraph
        from dask.optimization import cull

        key, layer = self._keys[number], f"{self._name}-block-{number}"
        tasks = cull(self._graph, [key])[0]
        # a layer has the annotations of the caller, such as retries
        return Delayed(key, HighLevelGraph.from_collections(layer, tasks), layer=layer)


def _renamed(graph):
    """The same tasks with new names, and the new names by the old ones."""
    from distributed.utils_comm import subs_multiple

    suffix = f"-{uuid4().hex}"
    names = {
        key: (key[0] + suffix, *key[1:]) if isinstance(key, tuple) else key + suffix
        for key in graph
    }
    tasks = {}
    for key, task in graph.items():
        if hasattr(task, "substitute"):
            tasks[names[key]] = task.substitute(names, key=names[key])
        else:  # before dask 2024.12
            tasks[names[key]] = subs_multiple(task, names)
    return tasks, names


def _has_futures(array):
    from distributed import futures_of

    return bool(futures_of(array))


def load(blocks, homes):
    """Blocks that workers begin to load, each on the worker that is its home."""
    client, loaded = active_client(), [None] * len(blocks)
    for home in dict.fromkeys(homes):
        numbers = [i for i, other in enumerate(homes) if other == home]
        where = {} if home is None else {"workers": [home], "allow_other_workers": True}
        begun = client.persist([blocks[i] for i in numbers], **where)
        for i, block in zip(numbers, begun, strict=True):
            loaded[i] = block
    return loaded


def begin(*nodes):
    """Nodes whose computation begins; without a cluster they are computed."""
    dask = _dask()
    with dask.config.set({_LARGE_GRAPH: "1 TB"}):  # a large state is sent once in many rounds
        return dask.persist(*nodes)


class LostWorkersError(Exception):
    """All workers were lost that the cluster had when something was sent to it."""

    def __init__(self, n_workers):
        super().__init__(n_workers)
        self.n_workers = n_workers


def check_left(before, now):
    """Raise `LostWorkersError` if a cluster has none left of the workers that it had before."""
    if before and before.isdisjoint(now):
        raise LostWorkersError(len(before))


def fetch(begun, workers_then):
    """Value of a node that has begun, when the cluster had some workers.

    Raises `LostWorkersError` if none of them is left: Dask then never runs what was to run on one
    of them, not even on new workers.
    """
    if active_client() is None:
        return begun.compute()
    from distributed import TimeoutError, futures_of, wait

    future, patience = futures_of(begun)[0], _PATIENCE
    while True:
        try:
            wait(future, timeout=_PATIENCE)
            patience *= 2  # a large state takes longer to come
            return future.result(timeout=patience)
        except TimeoutError:
            if future.status == "error":  # which it may have become in the meantime
                return future.result()
        check_left(workers_then, workers())


def release(nodes):
    """Release nodes that have begun, even if there are references to them."""
    if active_client() is None:
        return
    from distributed import futures_of

    for future in futures_of(nodes):
        future.release()


def wait_for_workers(n_lost):
    """Wait until a cluster that has lost all its workers has one again."""
    gc.collect()  # the scheduler forgets blocks once no node of them is left, in a cycle either
    end = time.monotonic() + _RETURN
    while not workers():
        if time.monotonic() > end:
            raise RuntimeError(
                f"All {n_lost} workers of the cluster were lost, and no worker has come back for "
                f"{_RETURN:g} s. Start workers, and call parallel.fit again, with the checkpoint "
                "of this fit if it has one."
            )
        time.sleep(0.1)


def submit_round(step, last, sizes, shards, constants):
    """Nodes of the next (state, report), and of the report, after the node `last` of the same.

    `sizes` are the numbers of atoms of the dictionaries, `shards` are pairs of a place and
    arguments, and `constants` is a node. Neighbouring parts are merged in a tree whose form
    depends on their number alone: the result does not depend on places.
    """
    homes = [place for place, _ in shards]
    shared = _shared(step.share, last, sizes, homes[0])
    parts = [call_at(place, step.measure, *shard, shared, constants) for place, shard in shards]
    while step.merge is not None and len(parts) > _FAN_IN:
        starts = range(0, len(parts), _FAN_IN)
        parts = [call_at(homes[i], step.merge, parts[i : i + _FAN_IN]) for i in starts]
        homes = homes[::_FAN_IN]
    done = call_at(homes[0], _advance, step.advance, last, parts, constants)
    return begin(done, call_at(homes[0], itemgetter(1), done))


def _advance(advance, last, parts, constants):
    return advance(last[0], parts, constants)


def _shared(share, last, sizes, home):
    """Node of atoms and more; workers compute equal parts of large Gram matrices."""
    rows = [gram_parts(n_atoms) if active_client() else [] for n_atoms in sizes]
    if any(rows):
        dictionaries = call_at(home, _dictionaries, share, last)
        rows = [
            [_delayed(gram_rows)(dictionaries[i], *part) for part in own]
            for i, own in enumerate(rows)
        ]
    return call_at(home, _join_shared, share, last, rows)


def _dictionaries(share, last):
    return share(last[0])[0]


def _join_shared(share, last, rows):
    """Atoms of the dictionaries of a state, and what else shards need of it."""
    dictionaries, more = share(last[0])
    return joined_atoms(dictionaries, rows), more


def compute_all(function, tasks):
    """Results of a function for several tuples of arguments, in order."""
    call = _delayed(function)
    return list(_dask().compute(*(call(*arguments) for arguments in tasks)))
