"""Exact codes by other libraries, and what any code is worth, computed in float64."""

from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
from _common import THREADS
from sklearn.decomposition import sparse_encode

try:
    import spams
except ImportError:
    spams = None

try:
    from numba import njit
    from skglm.penalties import L1
    from skglm.solvers.gram_cd import _gram_cd_epoch
    from skglm.utils.jit_compilation import compiled_clone
except ImportError:
    L1 = None

SKGLM_TOL = {"float64": 1e-6, "float32": 1e-5}  # on the violation of optimality, in units of lam


def missing(*names):
    """Lines that say which of the named peers are not installed."""
    absent = {"SPAMS": spams is None, "skglm": L1 is None}
    packages = {"SPAMS": "spams-bin", "skglm": "skglm"}
    lines = []
    for name in names:
        if absent[name]:
            hint = f"`python -m pip install {packages[name]}`"
            lines += [f"{name} is left out: it is not installed ({hint}).", ""]
    return lines


def spams_lasso(X, D, lam):
    """Codes as the columns of a sparse matrix."""
    # columns are signals there, and C-ordered rows are Fortran-ordered columns: nothing is copied
    return spams.lasso(X.T, D=D.T, lambda1=lam, lambda2=0.0, numThreads=THREADS)


def sklearn_encode(X, D, lam, algorithm):
    """Codes as a dense array, on threads."""
    with joblib.parallel_config(backend="threading"):
        return sparse_encode(X, D, algorithm=algorithm, alpha=lam, n_jobs=THREADS)


def skglm_coder(X, D, lam):
    """Function without arguments that codes X with skglm; the Gram matrix is ready before."""
    gram, dtype = D @ D.T, X.dtype.name
    tol = X.dtype.type(SKGLM_TOL[dtype])
    # the compiled class keeps no state between signals, but each thread has one of its own
    penalties = [compiled_clone(L1(lam), dtype == "float32") for _ in range(THREADS)]

    def run():
        parts = np.array_split(X @ D.T, THREADS)
        with ThreadPoolExecutor(THREADS) as pool:
            codes = pool.map(_gram_cd, [gram] * THREADS, parts, penalties, [tol] * THREADS)
            return np.concatenate(list(codes))

    return run


if L1 is not None:

    @njit(nogil=True)
    def _gram_cd(gram, corr, penalty, tol, max_iter=1000):
        """The loop of skglm's GramCD over its own epochs, with a Gram matrix that is shared."""
        code = np.zeros_like(corr)
        everywhere = np.arange(len(gram))
        for i in range(len(corr)):
            w, grad = code[i], -corr[i]
            if penalty.subdiff_distance(w, grad, everywhere).max() <= tol:
                continue
            for _ in range(max_iter):
                if _gram_cd_epoch(gram, w, grad, penalty, True).max() <= tol:
                    break
        return code


def objective(X, D, code, lam, mask=1.0):
    """Sparse-coding objective of each signal, in float64.

    `lam` is a number, has one entry for each atom, or is a column with one for each signal.
    """
    X, D, code = (np.asarray(a, dtype=np.float64) for a in (X, D, code))
    loss = 0.5 * (mask * (X - code @ D) ** 2).sum(axis=1)
    return loss + (lam * np.abs(code)).sum(axis=1)


def relative_gap(X, D, code, lam, mask=1.0):
    """Duality gap of each code relative to its objective, in float64, from the definition."""
    X, D, code = (np.asarray(a, dtype=np.float64) for a in (X, D, code))
    residual = mask * (X - code @ D)
    pull = (np.abs(residual @ D.T) / lam).max(axis=1)
    dual_point = residual / np.maximum(1.0, pull)[:, None]
    dual = 0.5 * (mask * X**2).sum(axis=1) - 0.5 * (mask * (X - dual_point) ** 2).sum(axis=1)
    primal = objective(X, D, code, lam, mask)
    return (primal - dual) / np.maximum(primal, 1e-300)
