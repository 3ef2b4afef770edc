"""Tasks of a fit on a cluster: those of its array, with the same results and other names."""

import dask
import dask.array as da
import numpy as np
import pytest
from dask.utils import ensure_dict
from lazy import assert_bits, blocks

from skdict_sup.parallel import _cluster

X = np.random.default_rng(0).normal(size=(40, 6))


def scaled(block, factor, like=None):
    return block * factor + (0 if like is None else like.sum())


ARRAYS = {
    "blocks": blocks(X, 7),
    "columns": blocks(X, 9, 2).rechunk((8, -1)),
    "sparse": blocks(X, 11, csr=True),
    "slices": blocks(X, 7)[3:29:2],
    "shuffled": da.take(blocks(X, 7), np.random.default_rng(1).permutation(40), axis=0),
    "sums": blocks(X, 10) + blocks(X, 10).mean(axis=0),
    "functions": blocks(X, 10).map_blocks(scaled, 3.0, like=X[:2]),
    "delayed": da.from_delayed(
        dask.delayed(scaled)(X, 2.0, like=dask.delayed(np.ones)(3)), X.shape, X.dtype
    ),
    "joined": da.concatenate([blocks(X, 10), da.ones((5, 6), chunks=2)]),
    "random": da.random.default_rng(3).normal(size=(40, 6), chunks=(10, 6)),
}


@pytest.mark.parametrize("is_optimized", [True, False])
@pytest.mark.parametrize("name", ARRAYS)
def test_renamed_tasks_have_the_same_results(name, is_optimized):
    parts = ARRAYS[name].to_delayed(optimize_graph=is_optimized).ravel()
    graph = ensure_dict(parts[0].dask)
    tasks, names = _cluster._renamed(graph)
    assert set(names) == set(graph)
    assert set(names.values()) == set(tasks)
    assert not set(tasks) & set(graph)
    keys = [part.key for part in parts]
    found = dask.get(tasks, [names[key] for key in keys])
    for one, expected in zip(found, dask.get(graph, keys), strict=True):
        assert_bits(one, expected, name)


def test_two_fits_have_no_task_in_common():
    graph = ensure_dict(ARRAYS["blocks"].dask)
    assert not set(_cluster._renamed(graph)[0]) & set(_cluster._renamed(graph)[0])
