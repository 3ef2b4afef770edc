"""Exact codes with missing entries, weights of atoms and limits: time against SPAMS.

python asv_benchmarks/peers/encode_constraints.py writes docs/results/encode_constraints.md.
"""

import time

import numpy as np
from _common import Contender, arguments, interleaved, machine, publish
from _constraint_problems import AtomWeights, MissingEntries, NonzeroLimit, ResidualBound
from _encode_constraints_page import BOUND, FAR, LIMIT, MASK, OURS, PEER, WEIGHTS, page
from _peers import spams
from _pursuit_and_paths import sections
from benchmarks import common

ATOMS = 256
LAMS = (0.15, 0.05)
MISSING = 0.3  # share of the entries
SPREAD = 2.0  # weights of atoms are from lam / SPREAD to lam * SPREAD
NOISE = 20.0  # grey levels
SLACK = 1.15  # the bound is that many times the expected norm of the noise
LIMITS = (5, 10, 20)
THREADS = (1, 2)
PACKAGES = ("skdict-sup", "numpy", "scipy", "numba", "spams-bin")
SETTINGS = {
    "side": common.PATCH,
    "missing": MISSING,
    "spread": SPREAD,
    "noise": NOISE,
    "slack": SLACK,
}


def problems(quick):
    """Triples of (feature, setting, function that makes the problem for a dtype)."""
    n, n_train = (256, 2000) if quick else (4096, 20_000)
    side, small = common.PATCH, 8
    _, train, signals = common.patches(side=side)
    D = common.learn(train[:n_train], ATOMS, max_iter=2)
    X, rng = signals[:n], np.random.default_rng(0)

    def arrays(dtype, X=X, D=D):
        return tuple(np.ascontiguousarray(a, dtype=dtype) for a in (X, D))

    ordered = np.arange(X.shape[1]) >= round(MISSING * X.shape[1])
    mask = rng.permuted(np.tile(ordered, (len(X), 1)), axis=1)
    factors = SPREAD ** rng.uniform(-1.0, 1.0, ATOMS)
    few = 1 if quick else None
    for lam in LAMS[:few]:
        yield MASK, lam, lambda dtype, lam=lam: MissingEntries(*arrays(dtype), lam, mask)
    for lam in LAMS[:few]:
        yield WEIGHTS, lam, lambda dtype, lam=lam: AtomWeights(*arrays(dtype), lam * factors)
    for pixels in (small, side)[:few]:
        noisy, bound = noisy_patches(n, pixels, rng)
        _, train, _ = common.patches(side=pixels)
        atoms = D if pixels == side else common.learn(train[:n_train], ATOMS, max_iter=2)
        pair = {"X": noisy, "D": atoms}
        text = f"{pixels} x {pixels}"
        yield BOUND, text, lambda dtype, a=pair, b=bound: ResidualBound(*arrays(dtype, **a), b)
    for limit in LIMITS[:few]:
        yield LIMIT, limit, lambda dtype, limit=limit: NonzeroLimit(*arrays(dtype), limit)


def noisy_patches(n, side, rng):
    """Patches in units of 255 grey levels with noise, and a bound on their residuals."""
    clean, sigma = common.grey_patches(side=side)[2][:n] / 255.0, NOISE / 255.0
    X = clean + sigma * rng.standard_normal(clean.shape)
    return X - X.mean(axis=1, keepdims=True), SLACK * sigma * side


def contenders(problem):
    """Calls of both packages by (name, threads)."""
    n, found = len(problem.X), {}
    for threads in THREADS:
        found[OURS, threads] = Contender(lambda k=threads: problem.ours(k), n, threads)
        if spams:
            found[PEER, threads] = Contender(lambda k=threads: problem.theirs(k), n, threads)
    return found


def differences(problem, ours, theirs):
    """How far the value of one is above that of the other at most, relative to the larger."""
    relative = relative_difference(problem.value(ours), problem.value(theirs))
    return {PEER: max(relative.max(), 0.0), OURS: max(-relative.min(), 0.0)}


def relative_difference(a, b):
    """(b - a) relative to the larger of both."""
    return (b - a) / np.maximum(np.maximum(a, b), 1e-300)


def measure(problem, repeats):
    """Times and values of a problem, as a dictionary."""
    found = contenders(problem)
    results = interleaved(found, repeats)
    codes = {name: result for name, (_, result) in results.items()}
    codes = {(who, k): w.T.toarray() if who == PEER else w for (who, k), w in codes.items()}
    return {
        "dtype": problem.X.dtype.name,
        "signals": len(problem.X),
        "atoms": len(problem.D),
        "threads": THREADS,
        "times": {name: 1e6 * seconds / len(problem.X) for name, (seconds, _) in results.items()},
        "nonzeros": {name: (code != 0).sum(axis=1).mean() for name, code in codes.items()},
        **values(problem, codes),
    }


def values(problem, codes):
    """How good codes are, by name, and how far they are from those of the other package."""
    by_name = {}
    for (who, _), code in codes.items():
        by_name.setdefault(who, []).append(code)
    alike = problem.with_ridge()
    solved = {OURS: problem, PEER: alike}
    row = {
        "gap": {who: max(solved[who].gap(w).max() for w in own) for who, own in by_name.items()},
        "excess": {who: max(problem.excess(w).max() for w in own) for who, own in by_name.items()},
    }
    if PEER in by_name:
        mine = by_name[OURS][0]  # the same for any number of threads
        row["as called"] = largest(differences(problem, mine, w) for w in by_name[PEER])
    if problem.X.dtype == np.float32:
        exact = problem.in_float64()
        right = exact.value(exact.ours(THREADS[-1]))
        errors = {
            who: [np.abs(relative_difference(right, problem.value(w))) for w in own]
            for who, own in by_name.items()
        }
        row["error"] = {who: max(e.max() for e in own) for who, own in errors.items()}
        row["far"] = {who: max((e > FAR).sum() for e in own) for who, own in errors.items()}
    elif PEER in by_name:
        again = alike.ours(THREADS[-1])
        row["alike"] = largest(differences(alike, again, w) for w in by_name[PEER])
    return row


def largest(found):
    """The largest number by name."""
    found = list(found)
    return {name: max(one[name] for one in found) for name in found[0]}


def rows(quick):
    """All rows, as they are measured."""
    kind, start = common.patches()[0], time.perf_counter()
    for feature, setting, make in problems(quick):
        for dtype in ("float64", "float32"):
            row = measure(make(dtype), 2 if quick else 5)
            seconds = time.perf_counter() - start
            print(f"{seconds:5.0f} s  {feature}, {setting}, {dtype}")
            yield {"feature": feature, "setting": setting, "kind": kind, **row}


def main():
    options = arguments(__doc__.splitlines()[0], "encode_constraints")
    about = machine(PACKAGES, threads=" and ".join(map(str, THREADS)) + ", see the tables")
    lines = page(list(rows(options.quick)), about, SETTINGS, options.quick)
    _, train, signals = common.patches()
    D = common.learn(train[: 2000 if options.quick else 20_000], ATOMS, max_iter=2)
    publish([*lines, *sections(signals, D, options.quick)], options.output)


if __name__ == "__main__":
    main()
