"""One measurement of scaling.py, in a process of its own: prints a line of JSON.

python _scaling_child.py '{"data": "synthetic", "n": 1000, "p": 256, "m": 256, "lam": 0.15,
"warm_up": 1, "repeats": 5, "verbose": 0}'
"""

import json
import resource
import sys
import time
from contextlib import redirect_stdout, suppress
from pathlib import Path

import numpy as np
from _common import THREADS
from benchmarks import common

from skdict_sup import ElasticNet, encode

SLICE = 4096  # signals that are made at a time
MIXED, NOISE = 8, 0.3  # atoms in a synthetic signal; norm of the noise, the atoms' part has one
JITTER = 0.02  # norm of the change that makes a repeated digit a signal of its own


def synthetic(n, p, m):
    """Sparse mixtures of random atoms plus noise, with norm one; and the atoms."""
    rng = np.random.default_rng(0)
    D = unit(rng.standard_normal((p, m), dtype=np.float32))

    def make(rng, _, size):
        code = np.zeros((size, p), np.float32)
        places = rng.integers(p, size=(size, MIXED))
        code[np.arange(size)[:, None], places] = rng.standard_normal(places.shape)
        noise = NOISE * unit(rng.standard_normal((size, m), dtype=np.float32))
        return unit(code @ D) + noise

    return filled(n, m, make), D


def digits(n, p, lam):
    """Digits with norm one, repeated with a small change each; and a dictionary for them."""
    train, _ = common.digits_to_learn(60_000, "float32")
    images = np.concatenate([train, common.digits_to_encode(10_000, "float32")])
    D = common.learn(images[:20_000], p, lam=lam, max_iter=2)
    m = images.shape[1]

    def make(rng, first, size):
        rows = images[np.arange(first, first + size) % len(images)]
        return rows + JITTER * unit(rng.standard_normal((size, m), dtype=np.float32))

    return filled(n, m, make), D


def unit(X):
    return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), np.float32(1e-12))


def filled(n, m, make):
    """float32 signals with norm one, made slice by slice so that nothing else is large."""
    X = np.empty((n, m), np.float32)
    for first in range(0, n, SLICE):
        rows = slice(first, min(first + SLICE, n))
        X[rows] = unit(make(np.random.default_rng([1, first]), first, rows.stop - first))
    return X


def peak():
    """Largest resident memory of this process so far, in bytes."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else 1024 * size


def forget_peak():
    """Begin the peak anew, where the system can: what made the signals is then left out."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def main():
    cell = json.loads(sys.argv[1])
    n, p, m, lam = (cell[key] for key in ("n", "p", "m", "lam"))
    options = {"prior": ElasticNet(lam=lam), "output": "sparse", "n_jobs": THREADS}
    small, D = synthetic(64, 16, m)
    encode(small, D, **options)  # compiles, or loads what was compiled
    process = peak()
    X, D = synthetic(n, p, m) if cell["data"] == "synthetic" else digits(n, p, lam)
    seconds, highest = [], None
    forget_peak()
    for _ in range(cell["repeats"] + cell["warm_up"]):
        start = time.perf_counter()
        with redirect_stdout(sys.stderr):  # progress; the result alone goes to standard output
            solution = encode(X, D, verbose=cell["verbose"], **options)
        seconds.append(time.perf_counter() - start)
        highest = highest or peak()  # of the first call: later ones may reuse its memory
        code, gap = solution.code, float(solution.duality_gap.max())
        converged = int(solution.converged.sum())
        del solution
    result = {
        "seconds": float(np.median(seconds[cell["warm_up"] :])),
        "process": process,
        "input": X.nbytes,
        "codes": code.data.nbytes + code.indices.nbytes + code.indptr.nbytes,
        "peak": highest,
        "nonzeros": int(code.nnz),
        "gap": gap,
        "converged": converged,
    }
    print(json.dumps({**cell, **result}))


if __name__ == "__main__":
    main()
