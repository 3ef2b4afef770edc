"""Other packages for codes on a GPU, beside ours: each is left out where it is not installed.

scm2cpp-learn (once scm2cpp-lasso) descends by coordinates in float64, one block of threads for
each signal; only a build from its source with nvcc has that part, `pip install --no-binary
scm2cpp-learn scm2cpp-learn`. orthogonal-matching-pursuit-gpu is batched matching pursuit by torch.
"""

import ctypes
import warnings
from importlib import import_module

import numpy as np
from _common import number, table

from skdict_sup import ElasticNet, encode
from skdict_sup._array import to_numpy

GAP = 1e-5  # mean relative duality gap that a lasso has to reach
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
SWEEPS, CHUNK = 100_000, 20  # scm2cpp's own defaults
NONZEROS = (5, 10, 20)
SCM2CPP, PURSUIT = ("scm2cpp_learn", "scm2cpp_lasso"), "orthogonal_matching_pursuit_gpu"


def installed(*names):
    """The first of some modules that can be imported, or None and why there is none."""
    reasons = []
    for name in names:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # the older name
                return import_module(name), ""
        except (ImportError, OSError) as error:
            reasons.append(f"{name}: {error}")
    return None, "; ".join(reasons)


def mean_gap(X, D, code, lam):
    """Mean duality gap of lasso codes, relative to their objectives, in float64."""
    X, D, code = (np.asarray(a, dtype=np.float64) for a in (X, D, code))
    residual = X - code @ D
    slope = residual @ D.T
    loss = 0.5 * (residual * residual).sum(axis=1)
    norm = lam * np.abs(code).sum(axis=1)
    scale = np.minimum(1.0, lam / np.abs(slope).max(axis=1))
    # the scaled residual is a feasible dual point
    gap = (1 - scale) ** 2 * loss + norm - scale * (code * slope).sum(axis=1)
    return float((gap / (loss + norm)).mean())


class Scm2cpp:
    """Lasso codes of many signals over one dictionary, by the compiled part of scm2cpp-learn.

    Its public classes solve for one signal; the compiled functions below them take one Gram matrix
    and many signals. For one observation its objective is ours.
    """

    def __init__(self, module, D):
        self.library, D = module._BATCH, np.asarray(D, dtype=np.float64)
        self.gram, self.D = np.ascontiguousarray(D @ D.T), D

    def __call__(self, X, lam, tol):
        """Codes, correlations and copies to the device and back included."""
        corr = np.ascontiguousarray(np.asarray(X, dtype=np.float64) @ self.D.T)  # is changed
        code, (n, p) = np.zeros_like(corr), corr.shape
        lams = np.full(n, float(lam))
        pointers = [a.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for a in (corr, code, lams)]
        gram = self.gram.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
        numbers = 1.0, SWEEPS, CHUNK, float(tol)  # observations, and where a descent ends
        if hasattr(self.library, "scm2cpp_cv_descend"):  # a block for each signal
            run, ends = self.library.scm2cpp_cv_descend, (1, 1)
            status = run(gram, 1, *pointers, 1.0, n, p, 0, *numbers, *ends)
        else:  # a thread for each signal
            status = self.library.scm2cpp_batch_descend(gram, 1, *pointers, 1.0, n, p, *numbers)
        if status:
            raise RuntimeError(f"scm2cpp's kernel returned {status}")
        return code


def lasso_row(ours, solve, X, D, lam, seconds, wait):
    """Row (lam, our mean gap, signals/s, its gap, tolerance, signals/s, ours over its).

    The tolerance of the other is the first that reaches the gap; `ours` returns codes.
    """
    took, code = seconds(ours, wait)
    for tol in TOLERANCES:
        its, found = seconds(lambda t=tol: solve(X, lam, t), wait, repeats=1)
        gap = mean_gap(X, D, found, lam)
        if gap <= GAP:
            break
    rates = len(X) / took, len(X) / its
    cells = mean_gap(X, D, to_numpy(code), lam), rates[0], gap, tol, rates[1]
    return [lam, *map(number, cells), number(rates[0] / rates[1])]


def lasso_lines(cupy, X, D, lams, seconds):
    """Section that sets scm2cpp beside our codes."""
    lines = ["### scm2cpp-learn", ""]
    module, reason = installed(*SCM2CPP)
    if module is None:
        return [*lines, f"Not measured: scm2cpp-learn is not installed ({reason}).", ""]
    if not module.cuda_available():
        return [*lines, "Not measured: this scm2cpp-learn was built without its GPU part.", ""]
    solve, wait = Scm2cpp(module, D), cupy.cuda.Device().synchronize
    rows = []
    for lam in lams:
        prior = ElasticNet(lam)

        def ours(prior=prior):
            there = encode(cupy.asarray(X), cupy.asarray(D), prior=prior).code
            return cupy.asnumpy(there)

        rows.append(lasso_row(ours, solve, X, D, lam, seconds, wait))
        print("  scm2cpp:", *map(str, rows[-1]), flush=True)
    header = ["lam", "our gap", "our signals/s", "its gap", "its tol", "its signals/s", "ratio"]
    return [
        *lines,
        f"{len(X)} digits in host memory, copies to the device and back included in both: ours in"
        " float32, its in float64, with the largest of its tolerances that reaches a mean relative"
        f" duality gap of {GAP:g} (or its smallest). Gaps are computed in float64.",
        "",
        *table(header, rows),
        "",
    ]


def pursuit_codes(module, X, D, n_nonzeros):
    """Codes of matching pursuit by torch, for atoms of norm one."""
    settings = {"normalize": False, "fit_intercept": False}
    return module.run_omp(D.T.contiguous(), X, n_nonzeros, **settings)


def mean_residual(X, D, code):
    """Mean squared residual, in float64: what matching pursuit makes small."""
    X, D, code = (np.asarray(a, dtype=np.float64) for a in (X, D, code))
    return float(((X - code @ D) ** 2).sum(axis=1).mean())


def pursuit_row(ours, theirs, X, D, n_nonzeros, seconds, wait):
    """Row (nonzeros, our residual, signals/s, its residual, signals/s, ours over its)."""
    took, code = seconds(ours, wait)
    its, found = seconds(theirs, wait)
    rates, residuals = (len(X) / took, len(X) / its), []
    for codes in (code, found):
        dense = to_numpy(codes)
        if (np.count_nonzero(dense, axis=1) > n_nonzeros).any():
            raise RuntimeError("more nonzeros than were asked for")
        residuals.append(mean_residual(X, D, dense))
    cells = residuals[0], rates[0], residuals[1], rates[1], rates[0] / rates[1]
    return [n_nonzeros, *map(number, cells)]


def pursuit_lines(cupy, X, D, seconds, device="cuda"):
    """Section that sets orthogonal-matching-pursuit-gpu beside our solver="omp"."""
    lines = ["### orthogonal-matching-pursuit-gpu", ""]
    module, reason = installed(PURSUIT)
    if module is None:
        reason = f"orthogonal-matching-pursuit-gpu is not installed ({reason})"
        return [*lines, f"Not measured: {reason}.", ""]
    torch = import_module("torch")  # that package needs it
    if device == "cuda" and not torch.cuda.is_available():
        return [*lines, "Not measured: torch finds no CUDA device.", ""]
    D = D / np.linalg.norm(D, axis=1, keepdims=True)  # that package picks by inner products
    there = [torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in (X, D)]
    here = [cupy.asarray(a) for a in (X, D)]

    def wait():
        cupy.cuda.Device().synchronize()
        if device == "cuda":
            torch.cuda.synchronize()

    rows = []
    for k in NONZEROS:

        def ours(k=k):
            return encode(*here, solver="omp", max_nonzeros=k).code

        def theirs(k=k):
            return pursuit_codes(module, *there, k)

        rows.append(pursuit_row(ours, theirs, X, D, k, seconds, wait))
        print("  matching pursuit:", *map(str, rows[-1]), flush=True)
    header = ["nonzeros", "our residual", "our signals/s", "its residual", "its signals/s"]
    return [
        *lines,
        f"{len(X)} digits on the device, float32, atoms of norm one. Ours is the array API"
        " reference there. Residuals are means of squared norms, in float64: the same where both"
        " choose the same atoms.",
        "",
        *table([*header, "ratio"], rows),
        "",
    ]
