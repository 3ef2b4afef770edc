"""Exact elastic-net codes: time against SPAMS, scikit-learn and one matrix product.

python asv_benchmarks/peers/encode.py writes docs/results/encode.md.
"""

import time
import warnings
from functools import partial

import joblib
import numpy as np
from _common import Contender, arguments, machine, microseconds, number, publish, table
from benchmarks import common
from sklearn.decomposition import sparse_encode

from skdict_sup import ElasticNet, encode

try:
    import spams
except ImportError:
    spams = None

THREADS = 2
OURS, FLOOR, AGAIN = "skdict_sup", "X @ D.T", "second visit"
PEERS = ("SPAMS", "lasso_cd", "lasso_lars")
LAMS = (0.15, 0.05, 0.02)
STEP = 1e-3  # length of an atom's move before the second visit
EXACTNESS = (
    "Largest relative duality gap of our codes, computed in float64 by the script, and the",
    "relative difference of each peer's summed objective from ours (above zero, ours is lower):",
)
AGAIN_TEXT = (
    "The same signals again, with the codes of the first visit as a start, after every atom has"
    f" moved by {STEP:g}; microseconds for each signal:"
)


def spams_lasso(X, D, lam):
    # columns are signals there, and C-ordered rows are Fortran-ordered columns: nothing is copied
    return spams.lasso(X.T, D=D.T, lambda1=lam, lambda2=0.0, numThreads=THREADS)


def sklearn_encode(X, D, lam, algorithm):
    with joblib.parallel_config(backend="threading"):
        return sparse_encode(X, D, algorithm=algorithm, alpha=lam, n_jobs=THREADS)


def contenders(X, D, lam, n_slow):
    """What is timed in a cell; scikit-learn, which is slow, on the first `n_slow` signals."""
    n, prior = len(X), ElasticNet(lam=lam)
    code = encode(X, D, prior=prior, n_jobs=THREADS).code
    noise = np.random.default_rng(0).standard_normal(D.shape)
    moved = D + (STEP * noise / np.linalg.norm(noise, axis=1, keepdims=True)).astype(D.dtype)
    ours = partial(encode, prior=prior, n_jobs=THREADS)
    found = {
        FLOOR: Contender(lambda: X @ D.T, n, THREADS),
        OURS: Contender(lambda: ours(X, D), n, THREADS),
        AGAIN: Contender(lambda: ours(X, moved, init=code), n, THREADS),
    }
    if spams:
        found["SPAMS"] = Contender(lambda: spams_lasso(X, D, lam), n, THREADS)
    for algorithm in ("lasso_cd", "lasso_lars"):  # two threads of Python, one of BLAS in each
        call = partial(sklearn_encode, X[:n_slow], D, lam, algorithm)
        found[algorithm] = Contender(call, n_slow, 1)
    return found


def objective(X, D, code, lam):
    """Sparse-coding objective of each signal, in float64."""
    X, D, code = (np.asarray(a, dtype=np.float64) for a in (X, D, code))
    return 0.5 * ((X - code @ D) ** 2).sum(axis=1) + lam * np.abs(code).sum(axis=1)


def relative_gap(X, D, code, lam):
    """Duality gap of each code relative to its objective, in float64, from the definition."""
    X, D, code = (np.asarray(a, dtype=np.float64) for a in (X, D, code))
    residual = X - code @ D
    pull = np.abs(residual @ D.T).max(axis=1)
    dual_point = residual * np.minimum(1.0, lam / np.maximum(pull, 1e-300))[:, None]
    dual = 0.5 * (X**2).sum(axis=1) - 0.5 * ((X - dual_point) ** 2).sum(axis=1)
    primal = objective(X, D, code, lam)
    return (primal - dual) / np.maximum(primal, 1e-300)


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
        "agreement": agreement(found, X, D, lam),
        "times": microseconds(found, repeats),
    }


def problems(quick):
    """Pairs of (kind, signals, dictionary, signals to code, signals for scikit-learn)."""
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


def times_table(rows):
    header = ["signals", "atoms", "lam", "nonzeros", FLOOR, OURS, *PEERS]
    header += [f"{peer} / ours" for peer in PEERS] + ["ours / floor"]
    lines = []
    for row in rows:
        times = row["times"]
        ours, floor = times[OURS], times[FLOOR]
        line = [row["kind"], row["atoms"], row["lam"], number(row["nonzeros"])]
        line += [number(times.get(name)) for name in (FLOOR, OURS, *PEERS)]
        line += [number(ratio(row, peer)) for peer in PEERS]
        lines.append([*line, number(ours / floor)])
    return table(header, lines)


def ratio(row, peer):
    return row["times"].get(peer, np.nan) / row["times"][OURS]


def exactness_table(rows):
    header = ["signals", "atoms", "lam", "number", "for scikit-learn", "our largest gap", *PEERS]
    lines = []
    for row in rows:
        line = [row["kind"], row["atoms"], row["lam"], row["signals"], row["slow"]]
        differences = [row["agreement"].get(peer) for peer in PEERS]
        lines.append([*line, *map(number, (row["gap"], *differences))])
    return table(header, lines)


def again_table(rows):
    header = ["signals", "atoms", "lam", "first visit", "second visit", "first / second"]
    lines = []
    for row in rows:
        first, second = row["times"][OURS], row["times"][AGAIN]
        line = [row["kind"], row["atoms"], row["lam"]]
        lines.append([*line, *map(number, (first, second, first / second))])
    return table(header, lines)


def summary_table(rows):
    """Geometric mean and least of the ratios, for each floating-point type."""
    header = ["", "", "geometric mean", "smallest", "largest"]
    lines = []
    for dtype in ("float64", "float32"):
        own = [row for row in rows if row["dtype"] == dtype]
        ratios = {f"{peer} / ours": [ratio(row, peer) for row in own] for peer in PEERS}
        ratios["ours / floor"] = [row["times"][OURS] / row["times"][FLOOR] for row in own]
        ratios["first / second visit"] = [row["times"][OURS] / row["times"][AGAIN] for row in own]
        for name, values in ratios.items():
            numbers = np.exp(np.mean(np.log(values))), np.min(values), np.max(values)
            lines.append([dtype, name, *map(number, numbers)])
    return table(header, lines)


def page(rows, about, quick):
    """The page, as lines."""
    lines = ["# Time for exact elastic-net codes", ""]
    lines += ["Written by `python asv_benchmarks/peers/encode.py`; not edited by hand.", ""]
    if quick:
        lines += ["**A quick run: it shows that the script works, and no more.**", ""]
    lines += [*about, ""]
    if common.data_file("mnist.npz") is None or common.data_file("images_train.npz") is None:
        lines += [
            "The larger data sets were not found (`SKDICT_DATA` names their folder):"
            " scikit-learn's digits and sample images stand in for those that are missing.",
            "",
        ]
    if spams is None:
        reason = "SPAMS is left out: it is not installed (`python -m pip install spams-bin`)."
        lines += [reason, ""]
    lines += [
        "Microseconds for each signal, medians of repeats that take turns, after a warm-up; all"
        " solve 1/2 ||x - w D||^2 + lam ||w||_1 for the same arrays. Signals have norm one, and"
        " none of them was used to learn the dictionary. Patches have 12 x 12 pixels and mean"
        " zero; nearly constant ones are left out.",
        "",
        f"- `{FLOOR}`: the correlations alone, which every method starts from.",
        f"- `{OURS}`: `encode(X, D, prior=ElasticNet(lam))`, with the duality gap of every code;"
        " codes come as a dense array.",
        "- `SPAMS`: `spams.lasso(X.T, D.T, lambda1=lam)`; codes come as a sparse matrix.",
        "- `lasso_cd`, `lasso_lars`: scikit-learn's `sparse_encode(X, D, alpha=lam)` on threads,"
        " for the first signals only. Coordinate descent stops there at a tolerance of its own,"
        " and in float32 it may run into its limit of iterations.",
        "",
        "## Summary",
        "",
        *summary_table(rows),
    ]
    for dtype in ("float64", "float32"):
        own = [row for row in rows if row["dtype"] == dtype]
        lines += ["", f"## {dtype}", "", *times_table(own)]
        lines += ["", *EXACTNESS, "", *exactness_table(own)]
        lines += ["", AGAIN_TEXT, "", *again_table(own)]
    return lines


def main():
    options = arguments(__doc__.splitlines()[0], "encode")
    packages = ("skdict-sup", "numpy", "scipy", "numba", "scikit-learn", "spams-bin")
    about = machine(packages, THREADS)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="sklearn")  # peers that stop early, see the table
        rows = list(cells(options.quick))
    publish(page(rows, about, options.quick), options.output)


if __name__ == "__main__":
    main()
