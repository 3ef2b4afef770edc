"""Codes on a GPU: parity with the CPU, rates at a stated gap, crossover, an epoch of training.

python asv_benchmarks/gpu.py writes docs/results/gpu.md; it needs CuPy and a CUDA device, and torch
for one of the comparisons. Without a device it writes a page that says so.
"""

import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
from _common import arguments, machine, number, opening, publish, table
from _gpu_rivals import lasso_lines, pursuit_lines
from benchmarks import common

from skdict_sup import KL, ElasticNet, SupervisedDictionaryClassifier, code_vjp, encode
from skdict_sup._array import to_numpy

PACKAGES = (
    "skdict-sup",
    "numpy",
    "numba",
    "scikit-learn",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "torch",
    "scm2cpp-learn",
    "orthogonal-matching-pursuit-gpu",
)
TITLE = "Codes on a GPU"
ATOMS, LAMS = 300, (0.15, 0.05, 0.02)
BATCHES = tuple(4**k for k in range(10))  # of the crossover
REPEATS, ENOUGH = 5, 5.0  # timed calls, and seconds after which there are no more of them
CPU_SIGNALS, CPU_THREADS = 4096, 2
FISTA_GAP, FISTA_STEPS = 1e-5, 4000
CPU_MOST = 16_384  # signals of the crossover; the CPU's time for a signal no longer changes


def device_library():
    """CuPy, or None and why there is none."""
    try:
        import cupy
    except ImportError:
        return None, "CuPy is not installed"
    try:
        if not cupy.cuda.runtime.getDeviceCount():
            return None, "CuPy finds no CUDA device"
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return None, f"CuPy finds no CUDA device ({error})"
    return cupy, ""


def seconds(run, wait, repeats=REPEATS):
    """Median seconds of a call after a warm-up, and its last result; `wait` ends what it began."""
    found = []
    for repeat in range(repeats + 1):
        wait()
        begin = time.perf_counter()
        result = run()
        wait()
        if repeat or not repeats:
            found.append(time.perf_counter() - begin)
        if sum(found) > ENOUGH:
            break
    return float(np.median(found)), result


def degenerate_problems():
    """Name -> (signals, dictionary): generic, repeated atoms, alike, on a grid, zeros."""
    rng = np.random.default_rng(0)
    X, D = rng.normal(size=(500, 40)), common.unit_rows(rng.normal(size=(60, 40)))
    repeated = np.concatenate([D[:30], D[:15], -D[:15]])
    zeros = D.copy()
    zeros[::7] = 0
    return {
        "generic": (X, D),
        "repeated atoms": (X, repeated),
        "alike": (np.abs(X), common.unit_rows(np.abs(D))),
        "grid": (np.round(X), np.round(2 * D) / 2),
        "zero atoms": (X, zeros),
        "zero signals": (X * (np.arange(500)[:, None] % 3 > 0), D),
    }


def parity(cupy):
    """Rows (problem, prior, dtype, largest gap there, difference of objectives, of gradients)."""
    rows = []
    for name, (X, D) in degenerate_problems().items():
        for prior in (ElasticNet(0.3), ElasticNet(0.3, 0.1, positive=True), KL(0.3, 0.1)):
            for dtype in ("float64", "float32"):
                here = X.astype(dtype), D.astype(dtype)
                there = [cupy.asarray(a) for a in here]
                ours, theirs = encode(*here, prior=prior), encode(*there, prior=prior)
                energy = (X * X).sum(axis=1) / 2 + 1e-9
                objective = np.abs(ours.objective - to_numpy(theirs.objective)) / energy
                gradients = [
                    code_vjp(*a, s.code, s.code, prior=prior).dictionary
                    for a, s in ((here, ours), (there, theirs))
                ]
                size = np.abs(gradients[0]).max() + 1e-30
                difference = np.abs(gradients[0] - to_numpy(gradients[1])).max() / size
                residual = theirs.kkt_residual if prior.smooth else theirs.duality_gap
                worst = float(residual.max())
                if name == "repeated atoms" and not (prior.smooth or prior.lam2):
                    difference = np.nan  # codes, and so their gradients, are not unique
                rows.append([name, f"`{prior!r}`", dtype, worst, objective.max(), difference])
                print("  parity:", *map(str, rows[-1]), flush=True)
    return [[*row[:3], *map(number, row[3:])] for row in rows]


def torch_fista(X, D, lam, gap, most=FISTA_STEPS):
    """Batched FISTA on torch's device, to a mean relative duality gap: (mean gap, steps)."""
    import torch

    gram = D @ D.T
    step = 1 / torch.linalg.eigvalsh(gram)[-1]
    corr, energy = X @ D.T, (X * X).sum(dim=1)
    code = momentum = torch.zeros_like(corr)
    weight, steps = 1.0, 0
    while steps < most:
        for _ in range(10):
            point = momentum + step * (corr - momentum @ gram)
            following = torch.nn.functional.softshrink(point, float(step * lam))
            grown = 0.5 * (1 + (1 + 4 * weight**2) ** 0.5)
            momentum = following + (weight - 1) / grown * (following - code)
            code, weight = following, grown
            steps += 1
        slope = corr - code @ gram
        loss = 0.5 * (energy - (code * (corr + slope)).sum(dim=1)).clamp(min=0)
        norm = lam * code.abs().sum(dim=1)
        scale = (lam / slope.abs().amax(dim=1)).clamp(max=1)
        prior_gap = norm - scale * (code * slope).sum(dim=1)
        relative = ((1 - scale) ** 2 * loss + prior_gap) / (loss + norm)
        reached = float(relative.mean())
        if reached <= gap:
            break
    return reached, steps


def rates(cupy, n):
    """Rows of signals per second by lam, on the device and on the CPU, and by torch's FISTA."""
    D = common.learned(ATOMS, "float32")
    X = common.digits_to_encode(10_000, "float32")
    many = np.tile(X, (-(-n // len(X)), 1))[:n]
    few = X[:CPU_SIGNALS]
    D_there, X_there = cupy.asarray(D), cupy.asarray(many)
    wait = cupy.cuda.Device().synchronize
    rows = []
    for lam in LAMS:
        prior = ElasticNet(lam)
        took, found = seconds(lambda p=prior: encode(X_there, D_there, prior=p), wait)
        gaps = to_numpy(found.duality_gap)
        nonzeros = float((found.code != 0).sum()) / n
        with threadpool_limits(CPU_THREADS):
            cpu, _ = seconds(lambda p=prior: encode(few, D, prior=p, n_jobs=2), lambda: None)
        rate, cpu_rate = n / took, len(few) / cpu
        row = [lam, f"{nonzeros:.1f}", number(gaps.mean()), number(gaps.max())]
        row += [
            f"{rate / 1e6:.2f}",
            number(rate / cpu_rate),
            *fista_rate(many, D, lam, rate),
        ]
        rows.append(row)
        print("  rates:", *map(str, row), flush=True)
    return rows


def fista_rate(X, D, lam, rate):
    """How many times slower FISTA is at a larger gap, and its steps; "-" without torch."""
    try:
        import torch
    except ImportError:
        return "-", "-"
    if not torch.cuda.is_available():
        return "-", "-"
    n = min(len(X), 65_536)
    X, D = (torch.from_numpy(np.ascontiguousarray(a)).cuda() for a in (X[:n], D))
    torch_fista(X, D, lam, FISTA_GAP, 10)  # warms up
    took, (reached, steps) = seconds(
        lambda: torch_fista(X, D, lam, FISTA_GAP), torch.cuda.synchronize, repeats=0
    )
    more = "" if reached <= FISTA_GAP else f" (gap {number(reached)})"
    return number(rate / (n / took)), f"{steps}{more}"


def crossover(cupy, batches):
    """Rows (signals, microseconds for a signal on the CPU, on the device) at lam 0.05."""
    D = common.learned(ATOMS, "float32")
    X = np.tile(common.digits_to_encode(10_000, "float32"), (30, 1))
    D_there, X_there = cupy.asarray(D), cupy.asarray(X)
    wait = cupy.cuda.Device().synchronize
    prior, rows = ElasticNet(0.05), []
    for n in batches:
        here = np.nan
        if n <= CPU_MOST:
            with threadpool_limits(CPU_THREADS):
                here, _ = seconds(
                    lambda n=n: encode(X[:n], D, prior=prior, n_jobs=2), lambda: None
                )
        there, _ = seconds(lambda n=n: encode(X_there[:n], D_there, prior=prior), wait)
        rows.append([n, number(1e6 * here / n), number(1e6 * there / n)])
        print("  crossover:", *map(str, rows[-1]), flush=True)
    return rows


def epochs(cupy, n):
    """Rows (where, signals, seconds of an epoch of supervised training)."""
    X, y = common.digits_to_learn(n, "float32")
    D = common.learned(ATOMS, "float32")
    rows = []
    for name, place in (("CPU", np.asarray), ("GPU", cupy.asarray)):
        took = {}
        for max_iter, part in ((1, slice(1024)), (1, slice(None)), (3, slice(None))):
            model = SupervisedDictionaryClassifier(
                ATOMS, init=place(D), prior=ElasticNet(0.15, 0.1), learning_rate=0.1
            )
            model.set_params(max_iter=max_iter, n_jobs=CPU_THREADS, random_state=0)
            begin = time.perf_counter()
            model.fit(place(X[part]), y[part])
            took[max_iter] = time.perf_counter() - begin  # the first of all compiles
        rows.append([name, len(X), number((took[3] - took[1]) / 2)])
        print("  epochs:", *map(str, rows[-1]), flush=True)
    return rows


def device_lines(cupy):
    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    name = properties["name"].decode()
    memory = properties["totalGlobalMem"] / 2**30
    return [f"- device: {name}, {memory:.0f} GiB, {properties['multiProcessorCount']} processors"]


def rates_part(cupy, quick):
    n = 65_536 if quick else 2**20
    columns = ["lam", "nonzeros", "mean gap", "largest gap", "million signals/s"]
    columns += ["CPU / GPU", "torch FISTA / GPU", "FISTA's steps"]
    return [
        "## Rates",
        "",
        f"{n} digits of norm one on the device, float32, {ATOMS} atoms; times end when the device"
        f" has nothing left to do. CPU is this library with {CPU_THREADS} threads. FISTA is"
        f" batched, on the same device, in float32, and stops at a mean relative duality gap of"
        f" {FISTA_GAP:g}, or after {FISTA_STEPS} steps.",
        "",
        *table(columns, rates(cupy, n)),
        "",
    ]


def crossover_part(cupy, quick):
    return [
        "## Crossover",
        "",
        "Microseconds for a signal by the number of signals in a call, lam 0.05.",
        "",
        *table(["signals", "CPU", "GPU"], crossover(cupy, BATCHES[:6] if quick else BATCHES)),
        "",
    ]


def training_part(cupy, quick):
    return [
        "## Training",
        "",
        f"Seconds of a supervised epoch, one dictionary of {ATOMS} atoms, float32, mini-batches of"
        " 256.",
        "",
        *table(["", "signals", "seconds"], epochs(cupy, 5_000 if quick else 60_000)),
        "",
    ]


def rivals_part(cupy, quick):
    n = 4_096 if quick else 65_536
    X = np.tile(common.digits_to_encode(10_000, "float32"), (7, 1))[:n]
    D = common.learned(ATOMS, "float32")
    return [
        "## Other packages",
        "",
        *lasso_lines(cupy, X, D, LAMS, seconds),
        *pursuit_lines(cupy, X, D, seconds),
    ]


def parity_part(cupy, quick):
    columns = ["problem", "prior", "dtype", "largest gap", "objectives", "gradients"]
    return [
        "## Parity",
        "",
        "Codes there against codes here: the largest duality gap (for KL the largest optimality"
        " residual) there, the largest difference of objectives relative to the energy of the"
        " signal, and that of gradients for the dictionary relative to the largest entry (none"
        " where codes are not unique).",
        "",
        *table(columns, parity(cupy)),
    ]


PARTS = {
    "rates": rates_part,
    "crossover": crossover_part,
    "training": training_part,
    "rivals": rivals_part,
    "parity": parity_part,
}


def main():
    options = arguments(__doc__.splitlines()[0], "gpu", PARTS)
    cupy, reason = device_library()
    about = machine(PACKAGES, threads=str(CPU_THREADS))
    if cupy is None:
        lines = opening(TITLE, "gpu.py", about, options.quick, folder="")
        lines += [f"No figure has been measured yet: {reason} where this page was written."]
        publish(lines, options.output)
        return
    about += device_lines(cupy)
    lines = opening(TITLE, "gpu.py", about, options.quick, ("mnist.npz",), folder="")
    for name in PARTS:
        if options.only in (None, name):
            lines += PARTS[name](cupy, options.quick)
    publish(lines, options.output)


if __name__ == "__main__":
    main()
