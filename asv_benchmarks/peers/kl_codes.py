"""Codes for the KL prior: time against the exponentiated gradient of the paper that proposed them.

python asv_benchmarks/peers/kl_codes.py writes docs/results/kl_codes.md.
"""

import time
import warnings
from functools import partial

import numpy as np
from _common import THREADS, Contender, arguments, interleaved, machine, publish
from _kl_codes_page import LAMS, MEANS, TOL, page
from benchmarks import common
from sklearn.exceptions import ConvergenceWarning

from skdict_sup import KL, ElasticNet, OnlineDictionaryLearning, code_vjp, encode

ATOMS, FEATURES = 200, 180
SIGNALS = 480
FEW = 96  # signals that exponentiated gradient is tried on: as few as keep two threads busy
MOST = 5000  # its iterations
SHORT = 1.0  # seconds: if it codes the few in less, it codes them all
# patches of SIDE x SIDE pixels, over more atoms than they have pixels
SIDE, WIDE_ATOMS, WIDE_LEARN, WIDE_SIGNALS = 8, (256, 1024), 5000, 240
WIDE_LAMS, WIDE_MEANS = (0.3, 0.1, 0.03), (0.1, 1e-2, 1e-4)
PACKAGES = ("skdict-sup", "numpy", "scipy", "numba")


def projected_digits(n_fit=50_000):
    """Digits on their first principal components, centred, with norm one."""
    X = common.stored_digits("train")[0][:n_fit].astype(np.float64)
    X /= X.max()
    X -= X.mean(axis=0)
    variance, axes = np.linalg.eigh(X.T @ X)
    seen = min(FEATURES, int((variance > 1e-9 * variance[-1]).sum()))
    return common.unit_rows(X @ axes[:, ::-1][:, :seen])


def dictionary_of(X):
    """Dictionary learned without labels on signals X, kept on disk."""
    name = f"{common.digits_name()}-pca{X.shape[1]}-{len(X)}-{ATOMS}.npy"
    path = common.CACHE / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        learner = OnlineDictionaryLearning(ATOMS, prior=ElasticNet(lam=0.1), random_state=0)
        np.save(path, learner.fit(X).components_)
    return np.load(path)


def exponentiated_gradient(X, call):
    """One run as (seconds, solution): on all signals where that is quick, or else on a few."""
    for n, limit in ((FEW, SHORT), (len(X), np.inf)):
        few = X[:n]
        start = time.perf_counter()
        solution = call(few, solver="exponentiated_gradient", max_iter=MOST)
        seconds = time.perf_counter() - start
        if seconds > limit or n >= len(X):
            break
    return seconds, solution


def measure(X, D, prior, repeats):
    """One cell, as a dictionary."""
    tol, n = TOL[X.dtype.name], len(X)
    call = partial(encode, dictionary=D, prior=prior, tol=tol, n_jobs=THREADS)
    theirs_seconds, theirs = exponentiated_gradient(X, call)
    n_both = len(theirs.code)
    code = call(X, solver="newton").code
    cotangent = np.random.default_rng(0).standard_normal(code.shape).astype(X.dtype)
    found = {
        "newton": Contender(lambda: call(X, solver="newton"), n, THREADS),
        "vjp": Contender(lambda: code_vjp(X, D, code, cotangent, prior=prior), n, THREADS),
    }
    if n_both < n:  # a ratio is of times for the same signals
        found["both"] = Contender(lambda: call(X[:n_both], solver="newton"), n_both, THREADS)
    results = interleaved(found, repeats)
    seconds, ours = results["newton"]
    return {
        "atoms": len(D),
        "positive": prior.positive,
        "dtype": X.dtype.name,
        "lam": prior.lam,
        "p": prior.p,
        "microseconds": 1e6 * seconds / n,
        "iterations": (ours.n_iter.mean(), ours.n_iter.max()),
        "residual": ours.kkt_residual.max(),
        "converged": ours.converged.mean(),
        "vjp": results["vjp"][0] / seconds,
        "signals of both": n_both,
        "theirs": 1e6 * theirs_seconds / n_both,
        "ratio": theirs_seconds / results.get("both", results["newton"])[0],
        "iterations of theirs": (np.median(theirs.n_iter), theirs.n_iter.max()),
        "residual of theirs": theirs.kkt_residual.max(),
        "converged of theirs": theirs.converged.mean(),
    }


def cells(X, D, quick):
    """All cells, as they are measured."""
    lams, means = ((0.03,), (0.01,)) if quick else (LAMS, MEANS)
    start = time.perf_counter()
    for positive in (False, True):
        for dtype in TOL:
            signals, atoms = X.astype(dtype), D.astype(dtype)
            for lam in lams:
                for p in means:
                    prior = KL(lam=lam, p=p, positive=positive)
                    yield told(measure(signals, atoms, prior, 2 if quick else 5), start)


def wide_cells(quick):
    """The cells of patches over more atoms than features, as they are measured, and their data."""
    name, X, signals = common.patches(WIDE_LEARN, WIDE_SIGNALS, SIDE)
    what = {"patches": f"{SIDE} x {SIDE}", "patch data": name}
    what |= {"patches learned": len(X), "patch signals": len(signals)}
    start, rows = time.perf_counter(), []
    for n_atoms in WIDE_ATOMS[: 1 if quick else None]:
        D = common.learn(X, n_atoms, lam=0.1, max_iter=1)
        for lam in WIDE_LAMS[: 1 if quick else None]:
            for p in WIDE_MEANS[: 1 if quick else None]:
                cell = measure(signals, D, KL(lam=lam, p=p), 2 if quick else 5)
                rows.append(told(cell, start))
    return rows, what


def told(cell, start):
    """The cell, which is printed."""
    names = "atoms", "lam", "p", "dtype", "positive"
    line = ", ".join(f"{name} {cell[name]}" for name in names)
    seconds = time.perf_counter() - start
    print(f"{seconds:5.0f} s  {line}: ratio {cell['ratio']:.3g}", flush=True)
    return cell


def main():
    options = arguments(__doc__.splitlines()[0], "kl_codes")
    about = machine(PACKAGES)
    X = projected_digits(5000 if options.quick else 50_000)
    n_learn = min(len(X) // 2, 20_000)
    D = dictionary_of(X[:n_learn])
    X = X[n_learn:][: FEW if options.quick else SIGNALS]
    what = {"digits": common.digits_name(), "features": X.shape[1], "atoms": ATOMS}
    what |= {"learned": n_learn, "signals": len(X), "few": FEW, "most": MOST}
    with warnings.catch_warnings():
        # exponentiated gradient runs into its limit: the page says where
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        rows = list(cells(X, D, options.quick))
        wide_rows, wide_what = wide_cells(options.quick)
    publish(page(rows, wide_rows, about, what | wide_what, options.quick), options.output)


if __name__ == "__main__":
    main()
