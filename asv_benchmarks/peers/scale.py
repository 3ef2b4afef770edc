"""Coding and learning with Dask: two local processes with little memory, against one process.

python asv_benchmarks/peers/scale.py writes docs/results/scale.md. Parts that are run alone, by
--only, are kept for the page; --again measures those anew that have been kept.
"""

import io
import os
import re
import tempfile
import time
from contextlib import contextmanager, redirect_stdout
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
from _common import THREADS, arguments, machine, publish
from _kept import Kept
from _scale_page import page
from benchmarks import common

from skdict_sup import ElasticNet, OnlineDictionaryLearning, SupervisedDictionaryClassifier, encode
from skdict_sup.kernels.warm_up import compile_kernels
from skdict_sup.parallel import fitting

PARTS = ("coding", "throughput", "online", "supervised", "stream")
PRIOR, ATOMS, LEARNED = ElasticNet(lam=0.15), 300, 100
LIMIT = 700_000_000  # bytes of memory of a worker that codes
LARGER = 2_000_000_000  # and of one that learns, where one worker may hold 64 blocks at the start
IMAGES, BLOCK, BATCH, JITTER = 2048, 8192, 16_384, 0.1
SHARD = 2048  # rows of blocks to learn from: few large blocks would keep few workers busy
REPEATS = 3  # turns of one worker, two workers and this process
STREAM_ATOMS = 100
PACKAGES = ("skdict-sup", "numpy", "scipy", "numba", "dask", "distributed")
SIZES = {  # signals of the parts, and those that are coded in memory
    False: {
        **{"coding": 1_000_000, "memory": 100_000, "throughput": 1_000_000},
        **{"online": 131_072, "supervised": 65_536},
    },
    True: {
        **{"coding": 30_000, "memory": 10_000, "throughput": 40_000},
        **{"online": 8192, "supervised": 4096},
    },
}


@contextmanager
def cluster(limit):
    """Cluster of processes of one thread that have loaded the compiled functions; its client."""
    import dask
    from distributed import Client, LocalCluster

    options = {"threads_per_worker": 1, "memory_limit": limit, "dashboard_address": None}
    malloc = dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), 2**25)
    changes = {"distributed.admin.system-monitor.interval": "100ms"}
    changes |= {f"distributed.nanny.pre-spawn-environ.{name}": malloc[name] for name in malloc}
    with (
        dask.config.set(changes),
        LocalCluster(n_workers=THREADS, **options) as local,
        Client(local) as client,
    ):
        client.run(_load)
        yield local, client


def _load():
    """Load compiled functions into a process."""
    names = ("panel_products", "elastic_net_codes", "elastic_net_certificate", "code_moments")
    compile_kernels("float32", names)
    compile_kernels("float64", names)


def _highest(dask_worker):
    """Largest resident memory of a worker in the samples of its monitor, in bytes."""
    return max(dask_worker.monitor.range_query(start=0)["memory"])


def digits(images, n, block=BLOCK):
    """Lazy float32 digits with norm one, repeated with a small random change each."""
    import dask
    import dask.array as da

    shared = dask.delayed(images)
    chunks = da.core.normalize_chunks((block, -1), (n, images.shape[1]), dtype=np.float32)
    meta = np.empty((0, 0), np.float32)
    return da.map_blocks(_rows, shared, chunks=chunks, meta=meta)


def _rows(images, block_info=None):
    """Rows of a block: its first row is the seed."""
    start, stop = block_info[None]["array-location"][0]
    shape = stop - start, images.shape[1]
    noise = np.random.default_rng([1, start]).standard_normal(shape, dtype=np.float32)
    noise *= np.float32(JITTER / np.sqrt(shape[1]))
    return common.unit_rows(images[np.arange(start, stop) % len(images)] + noise)


def seconds_of(function):
    """Seconds of a call, and its result."""
    begin = time.perf_counter()
    result = function()
    return time.perf_counter() - begin, result


def measure_coding(client, images, D, sizes):
    """Signals made and coded by two processes, and coded in the memory of this one."""
    import dask

    from skdict_sup import parallel

    X = digits(images, sizes["coding"])
    few = X[: sizes["memory"]]
    making, _ = seconds_of(lambda: few[:, 0].sum().compute())
    lazy = parallel.encode(X, D, prior=PRIOR, output="sparse", certificate=True)
    wanted = {
        "nonzeros": _nonzeros(lazy.code).mean(),
        "objective": lazy.objective.mean(),
        "gap": lazy.duality_gap.max(),
        "converged": lazy.converged.sum(),
    }
    coding, (found,) = seconds_of(lambda: dask.compute(wanted))
    peak = max(client.run(_highest).values())
    assert peak < LIMIT, f"a worker had {peak} bytes"
    same = lazy.code[: len(few)].compute()
    rows = few.compute(scheduler="threads")  # in this process: a worker would join all blocks
    call = partial(encode, rows, D, prior=PRIOR, output="sparse", n_jobs=THREADS)
    code = call().code
    memory, _ = seconds_of(call)
    return {
        **{name: float(value) for name, value in found.items()},
        **{"n": len(X), "m": X.shape[1], "bytes": X.nbytes, "peak": peak, "n memory": len(few)},
        **{"making": making, "coding": coding, "memory": memory},
        "same bits": not (same != code).nnz,
    }


def _nonzeros(code):
    """Numbers of nonzeros of sparse codes."""
    return code.map_blocks(_count, dtype=np.int64, drop_axis=1, meta=np.empty(0, np.int64))


def _count(block):
    return np.diff(block.indptr).astype(np.int64)


def repeated(shared, pool, n):
    """Lazy digits without changes, which take no time to make beside that of coding."""
    import dask
    import dask.array as da

    chunks = da.core.normalize_chunks((BLOCK, -1), (n, pool.shape[1]), dtype=pool.dtype)
    shared, meta = dask.delayed(shared), np.empty((0, 0), pool.dtype)
    return da.map_blocks(_copies, shared, chunks=chunks, meta=meta)


def _copies(images, block_info=None):
    """Rows of a block, which are images in their order."""
    start, stop = block_info[None]["array-location"][0]
    return images[np.arange(start, stop) % len(images)]


def measure_throughput(client, images, D, n):
    """Seconds to code by one process and by two, and by a loop over their blocks in this one."""
    from skdict_sup import parallel

    rows, first = [], min(client.nthreads())
    for dtype in ("float32", "float64"):
        pool, atoms = images.astype(dtype), D.astype(dtype)
        calls: dict = {"alone": partial(_coded_alone, pool, atoms, n)}
        for name, where in ("one", {"workers": [first]}), ("two", {}):
            # tasks of other names: dask may keep the workers of those that it has had before
            shared = client.scatter(pool, broadcast=True, hash=False)  # not measured, as here
            lazy = parallel.encode(repeated(shared, pool, n), atoms, prior=PRIOR, output="sparse")
            total = _nonzeros(lazy).sum()
            calls[name] = partial(client.compute, total, sync=True, **where)
        seconds, found = {name: [] for name in calls}, set()
        for _ in range(REPEATS):
            for name, call in calls.items():
                spent, nonzeros = seconds_of(call)
                print(f"  {dtype}, {name}: {spent:.2f} s", flush=True)
                seconds[name].append(spent)
                found.add(int(nonzeros))
        assert len(found) == 1, f"the codes differ: {found}"
        rows.append({"dtype": dtype, "n": n, **{k: min(v) for k, v in seconds.items()}})
    return rows


def _coded_alone(pool, atoms, n):
    """Number of nonzeros of the codes of all blocks, by one thread of this process."""
    found = 0
    for start in range(0, n, BLOCK):
        X = pool[np.arange(start, min(start + BLOCK, n)) % len(pool)]
        found += encode(X, atoms, prior=PRIOR, output="sparse", n_jobs=1).code.nnz
    return found


def measure_stream(client, images, gigabytes):
    """Seconds of a pass of learning over rows that tasks make, and memory of the workers."""
    from skdict_sup import parallel

    n = int(gigabytes * 1e9) // (4 * images.shape[1])
    X = digits(images, n, SHARD)
    options = {"init": images[:STREAM_ATOMS], "max_iter": 1, "random_state": 0}
    learner = OnlineDictionaryLearning(STREAM_ATOMS, prior=PRIOR, **options)
    before = client.run(_highest)
    spent, _ = seconds_of(lambda: parallel.fit(learner, X, batch_size=BATCH))
    assert learner.n_seen_ == n
    peaks = client.run(_highest)
    return {
        **{"n": n, "bytes": X.nbytes, "seconds": spent},
        **{"before": sorted(before.values()), "peaks": sorted(peaks.values())},
        "objective": learner.objective_curve_[-1],
    }


def stored(images, n, folder):
    """Digits in a file, as a lazy array whose tasks open it, and as a memory map."""
    import dask.array as da

    path = Path(folder) / f"{n}.npy"
    shape = n, images.shape[1]
    rows = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        rows[start:stop] = _rows(images, {None: {"array-location": [(start, stop)]}})
    rows.flush()
    chunks = da.core.normalize_chunks((SHARD, -1), shape, dtype=np.float32)
    meta = np.empty((0, 0), np.float32)
    return da.map_blocks(_read, str(path), chunks=chunks, meta=meta), np.load(path, mmap_mode="r")


def _read(path, block_info=None):
    """Rows of a block, from a file."""
    start, stop = block_info[None]["array-location"][0]
    return np.array(np.load(path, mmap_mode="r")[start:stop])


def rounds_of(estimator, X, y, batch):
    """Seconds of each round of a fit, as it prints them."""
    from skdict_sup import parallel

    with redirect_stdout(io.StringIO()) as text:
        parallel.fit(estimator, X, y, batch_size=batch)
    return [float(x) for x in re.findall(r"^batch .* ([\d.]+) s$", text.getvalue(), re.MULTILINE)]


def measure_online(images, sizes, folder):
    """A pass over a file by the processes, and by partial_fit in this one."""
    X, rows = stored(images, sizes["online"], folder)
    options = {"init": images[:LEARNED], "max_iter": 1, "batch_size": BATCH, "random_state": 0}

    def learner(**more):
        return OnlineDictionaryLearning(LEARNED, prior=PRIOR, **options, **more)

    fitted, other = learner(verbose=2), learner(n_jobs=THREADS)
    many, rounds = seconds_of(partial(rounds_of, fitted, X, None, BATCH))
    learner().partial_fit(np.array(rows[:BLOCK]))
    one, _ = seconds_of(partial(other.partial_fit, rows))
    return {
        **{"n": len(rows), "rounds": len(rounds), "in rounds": sum(rounds)},
        **{"parallel": many, "partial_fit": one},
        "same bits": bool(np.array_equal(fitted.components_, other.components_)),
    }


def measure_supervised(local, client, images, y, D, sizes, folder):
    """Seconds of the rounds of a supervised fit by two processes and by one."""
    X, rows = stored(images, sizes["supervised"], folder)
    labels = y[np.arange(len(rows)) % len(images)]
    options = {"init": D, "init_max_iter": 0, "max_iter": 2, "random_state": 0, "verbose": 2}
    batch = min(BATCH, len(rows))
    found, atoms = {"n": len(rows), "batch": batch}, []
    for n_workers in (THREADS, 1):
        local.scale(n_workers)
        while len(client.nthreads()) != n_workers:
            time.sleep(0.1)
        estimator = SupervisedDictionaryClassifier(
            ATOMS, prior=PRIOR, nu=1e-3, learning_rate=0.1, **options
        )
        whole, rounds = seconds_of(partial(rounds_of, estimator, X, labels, batch))
        found[n_workers] = {"whole": whole, "round": float(np.median(rounds))}
        found["rounds"] = len(rounds)
        atoms.append(estimator.components_)
    return {**found, "same bits": bool(np.array_equal(*atoms))}


def modelled(found):
    """What a supervised fit has found, with the seconds of a round by the model of the library."""
    entries = ATOMS * common.digits_to_learn(1, "float32")[0].shape[1]
    waiting = fitting._ROUND_SECONDS + fitting._BYTE_SECONDS * 4 * 3 * entries
    working = found["batch"] * entries * fitting._SIGNAL_SECONDS
    seconds = {n: {**found[n], "model": working / n + waiting} for n in (1, THREADS)}
    return found | seconds


def measured(part, sizes, gigabytes):
    """What a part finds, with the date and the load of the machine when it began."""
    about = {"date": date.today().isoformat(), "load": os.getloadavg()[0]}
    train, y = common.digits_to_learn(2048 if sizes is SIZES[True] else 20_000, "float32")
    D, images = common.learn(train, ATOMS, lam=PRIOR.lam, max_iter=2), train[:IMAGES]
    limit = LARGER if part in ("throughput", "online", "supervised") else LIMIT
    with tempfile.TemporaryDirectory() as folder, cluster(limit) as (local, client):
        if part == "coding":
            found = measure_coding(client, images, D, sizes)
        elif part == "throughput":
            found = measure_throughput(client, train, D, sizes["throughput"])
        elif part == "online":
            found = measure_online(images, sizes, folder)
        elif part == "supervised":
            found = measure_supervised(local, client, images, y, D, sizes, folder)
        else:
            found = measure_stream(client, images, gigabytes)
    return {"about": about, "found": found}


def main():
    stream = {"type": float, "help": "size of the stream (default: 20; quick: 0.1)"}
    again = {"action": "store_true", "help": "measure parts anew that have been kept"}
    more = {"--stream-gb": stream, "--again": again}
    options = arguments(__doc__.splitlines()[0], "scale", PARTS, more)
    threads = f"{THREADS} processes of one thread, or one process of {THREADS} threads"
    about, sizes = machine(PACKAGES, threads), SIZES[options.quick]
    gigabytes = options.stream_gb or (0.1 if options.quick else 20)
    kept, found = Kept("scale", keep=not options.quick), {}
    for part in PARTS if options.only is None else [options.only]:
        begin = time.perf_counter()
        name = repr((part, gigabytes if part == "stream" else sizes, THREADS))
        if options.again:
            kept.forget(name)
        found[part] = kept(name, partial(measured, part, sizes, gigabytes))
        if part == "supervised":
            found[part] = found[part] | {"found": modelled(found[part]["found"])}
        print(f"{time.perf_counter() - begin:5.0f} s  {part}", flush=True)
    publish(page(found, (LIMIT, LARGER), about, options.quick), options.output)


if __name__ == "__main__":
    main()
