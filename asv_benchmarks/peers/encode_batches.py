"""Exact codes of single signals, mini-batches and whole sets, and those of SPAMS.

python asv_benchmarks/peers/encode_batches.py writes docs/results/encode_batches.md.
"""

import time
from functools import partial
from itertools import cycle

import numpy as np
from _common import Contender, arguments, interleaved, machine, publish
from _encode_batches_page import page
from _peers import spams
from benchmarks import common

from skdict_sup import ElasticNet, encode

LAMS = (0.15, 0.05, 0.02)
BATCHES = (1, 32, 256, 4096)
VARIANTS = {  # name -> (prior at a lam, settings of spams.lasso)
    "lasso": (lambda lam: ElasticNet(lam), {"lambda2": 0.0}),
    "elastic net": (lambda lam: ElasticNet(lam, 0.1), {"lambda2": 0.1}),
    "positive": (lambda lam: ElasticNet(lam, positive=True), {"lambda2": 0.0, "pos": True}),
}
MOST = {1024: 1024, 4096: 512}  # signals of the largest batch over so many atoms
SECONDS = 0.02  # of repeated calls that one measurement of a small batch takes
PACKAGES = ("skdict-sup", "numpy", "scipy", "numba", "spams-bin")


def repeated(call, n):
    """A contender that repeats a call on n signals, as training does with its mini-batches.

    The first call after the turn of another one, with cold caches, is not what it measures.
    """
    call()
    start = time.perf_counter()
    call()
    times = max(1, min(200, int(SECONDS / (time.perf_counter() - start))))

    def run():
        for _ in range(times):
            result = call()
        return result

    return run, times * n


def contenders(X, D, lam, variant, threads):
    """Ours, with a new dictionary in each call and with the same one, and SPAMS for a cell."""
    make_prior, settings = VARIANTS[variant]
    ours, others = partial(encode, X, prior=make_prior(lam), n_jobs=threads), cycle((D, -D))
    calls = {"new": lambda: ours(next(others)), "same": partial(ours, D)}
    if spams:
        rows, atoms = X.T, D.T  # columns are signals there: nothing is copied
        calls["SPAMS"] = partial(
            spams.lasso, rows, D=atoms, lambda1=lam, numThreads=threads, **settings
        )
    return {name: Contender(*repeated(call, len(X)), threads) for name, call in calls.items()}


def measure(X, D, lam, variant, threads, repeats):
    """Microseconds for each signal, by name."""
    found = contenders(X, D, lam, variant, threads)
    seconds = interleaved(found, repeats)
    return {name: 1e6 * seconds[name][0] / found[name].n_signals for name in found}


def problems(quick):
    """Pairs of (kind, dictionary, signals, variants)."""
    digits, train, test = (
        common.digits_name(),
        common.digits_to_learn()[0],
        common.digits_to_encode(),
    )
    kind, patches_train, patches_test = common.patches()
    every, plain = tuple(VARIANTS), ("lasso",)
    plan = [(digits, train, test, p, every if p == 300 else plain) for p in (100, 200, 300)]
    plan += [(kind, patches_train, patches_test, p, plain) for p in (64, 1024, 4096)]
    for kind, train, test, atoms, variants in plan[:1] if quick else plan:
        dictionary = common.learn(train[: 2000 if quick else None], atoms, max_iter=1)
        yield kind, dictionary, test[: MOST.get(atoms)], variants


def cells(quick):
    """All cells, as they are measured."""
    start = time.perf_counter()
    for kind, dictionary, signals, variants in problems(quick):
        atoms = len(dictionary)
        for variant in variants:
            is_short = quick or variant != "lasso" or atoms == max(MOST)
            for lam in LAMS[: 1 if is_short else None]:
                for n in BATCHES[: 3 if quick else None]:
                    yield from _cells(kind, dictionary, signals[:n], lam, variant, quick)
                seconds = time.perf_counter() - start
                print(f"{seconds:5.0f} s  {kind}, {atoms} atoms, lam {lam}, {variant}", flush=True)


def _cells(kind, dictionary, signals, lam, variant, quick):
    """Cells of one batch."""
    for dtype in ("float64", "float32"):
        X, D = (np.ascontiguousarray(a, dtype=dtype) for a in (signals, dictionary))
        for threads in (1, 2):
            yield {
                "kind": kind,
                "atoms": len(D),
                "lam": lam,
                "variant": variant,
                "dtype": dtype,
                "n": len(X),
                "is_largest": len(X) == min(BATCHES[-1], MOST.get(len(D), BATCHES[-1])),
                "threads": threads,
                "times": measure(X, D, lam, variant, threads, 2 if quick else 5),
            }


def main():
    options = arguments(__doc__.splitlines()[0], "encode_batches")
    about = machine(PACKAGES, "one or two for each contender")
    rows = list(cells(options.quick))
    publish(page(rows, about, options.quick), options.output)


if __name__ == "__main__":
    main()
