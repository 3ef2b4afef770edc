"""Exact elastic-net codes: time against SPAMS, scikit-learn, skglm and one matrix product.

python asv_benchmarks/peers/encode.py writes docs/results/encode.md and encode.png.
"""

import time
import warnings
from functools import partial

import numpy as np
from _common import THREADS, Contender, arguments, machine, microseconds, publish
from _encode_figure import draw
from _encode_page import AGAIN, FLOOR, OURS, PEERS, STEP, page
from _peers import (
    L1,
    objective,
    relative_gap,
    skglm_coder,
    sklearn_encode,
    spams,
    spams_lasso,
)
from benchmarks import common

from skdict_sup import ElasticNet, encode

LAMS = (0.15, 0.05, 0.02)
PACKAGES = ("skdict-sup", "numpy", "scipy", "numba", "scikit-learn", "spams-bin", "skglm")


def moved(D):
    """Dictionary after a small step in a random direction."""
    noise = np.random.default_rng(0).standard_normal(D.shape)
    return D + (STEP * noise / np.linalg.norm(noise, axis=1, keepdims=True)).astype(D.dtype)


def contenders(X, D, lam, n_slow):
    """What is timed in a cell; the slow peers code the first `n_slow` signals only."""
    n, prior = len(X), ElasticNet(lam=lam)
    code, after = encode(X, D, prior=prior, n_jobs=THREADS).code, moved(D)
    ours = partial(encode, prior=prior, output="dense", n_jobs=THREADS)
    found = {
        FLOOR: Contender(lambda: X @ D.T, n, THREADS),
        OURS: Contender(lambda: ours(X, D), n, THREADS),
        AGAIN: Contender(lambda: ours(X, after, init=code), n, THREADS),
    }
    if spams:
        found["SPAMS"] = Contender(lambda: spams_lasso(X, D, lam), n, THREADS)
    for algorithm in ("lasso_cd", "lasso_lars"):  # two threads of Python, one of BLAS in each
        call = partial(sklearn_encode, X[:n_slow], D, lam, algorithm)
        found[algorithm] = Contender(call, n_slow, 1)
    if L1:
        found["skglm"] = Contender(skglm_coder(X[:n_slow], D, lam), n_slow, THREADS)
    return found


def agreement(found, X, D, lam):
    """Relative difference of each peer's summed objective from ours; above zero, ours is lower."""
    ours = objective(X, D, found[OURS].run().code, lam)
    result = {}
    for name in PEERS:
        if name in found:
            n, code = found[name].n_signals, found[name].run()
            code = code.T.toarray() if name == "SPAMS" else code
            result[name] = objective(X[:n], D, code, lam).sum() / ours[:n].sum() - 1.0
    return result


def measure(kind, X, D, lam, n_slow, repeats):
    """One cell of the comparison, as a dictionary."""
    solution = encode(X, D, prior=ElasticNet(lam=lam), n_jobs=THREADS)
    found = contenders(X, D, lam, n_slow)
    return {
        "kind": kind,
        "atoms": len(D),
        "lam": lam,
        "dtype": X.dtype.name,
        "signals": len(X),
        "slow": n_slow,
        "nonzeros": (solution.code != 0).sum() / len(X),
        "gap": relative_gap(X, D, solution.code, lam).max(),
        "gap again": relative_gap(X, moved(D), found[AGAIN].run().code, lam).max(),
        "agreement": agreement(found, X, D, lam),
        "times": microseconds(found, repeats),
    }


def problems(quick):
    """Pairs of (kind, signals, dictionary, signals to code, signals for the slow peers)."""
    digits, train, test = (
        common.digits_name(),
        common.digits_to_learn()[0],
        common.digits_to_encode(),
    )
    kind, patches_train, patches_test = common.patches()
    plan = [(digits, train, test, atoms, 4096, 256) for atoms in (100, 200, 300)]
    plan += [(kind, patches_train, patches_test, 256, 4096, 256)]
    plan += [(kind, patches_train, patches_test, 1024, 1024, 64)]
    if quick:
        plan = [(*plan[0][:4], 256, 32), (*plan[3][:4], 256, 32)]
    for kind, train, test, atoms, n, n_slow in plan:
        dictionary = common.learn(train[: 2000 if quick else None], atoms, max_iter=2)
        yield kind, dictionary, test[:n], n_slow


def cells(quick):
    """All cells, as they are measured."""
    start = time.perf_counter()
    for kind, dictionary, signals, n_slow in problems(quick):
        for lam in LAMS[: 2 if quick else None]:
            few = 2 if len(dictionary) > 512 and lam < 0.05 else 1  # long supports: fewer signals
            X = signals[: len(signals) // few]
            for dtype in ("float64", "float32"):
                cell = measure(
                    kind,
                    np.ascontiguousarray(X, dtype=dtype),
                    np.ascontiguousarray(dictionary, dtype=dtype),
                    lam,
                    n_slow // few,
                    2 if quick else 5,
                )
                seconds = time.perf_counter() - start
                print(f"{seconds:5.0f} s  {kind}, {len(dictionary)} atoms, lam {lam}, {dtype}")
                yield cell


def main():
    options = arguments(__doc__.splitlines()[0], "encode")
    about = machine(PACKAGES)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="sklearn")  # peers that stop early, see the table
        rows = list(cells(options.quick))
    publish(page(rows, about, options.quick), options.output, partial(draw, rows))


if __name__ == "__main__":
    main()
