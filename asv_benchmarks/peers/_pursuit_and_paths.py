"""Sections of docs/results/encode_constraints.md on matching pursuit and on paths of codes."""

import numpy as np
from _common import Contender, interleaved, number, table
from _peers import spams
from sklearn.linear_model import orthogonal_mp_gram

from skdict_sup import ElasticNet, codes_path, encode, lam_max

NONZEROS = (5, 10, 20)
N_LAMS = 50
SHARES = (0.1, 0.03, 0.01)  # smallest lam of a path, relative to the median lam_max
FEWER = 512  # signals for scikit-learn, whose loop over signals is in Python
DTYPES = ("float64", "float32")


def sections(X, D, quick):
    """Lines of both sections, for signals and atoms in float64."""
    repeats, n = (2, 256) if quick else (5, 1024)
    return [*pursuit_section(X[: 4 * n], D, repeats, quick), *path_section(X[:n], D, repeats)]


def pursuit_section(X, D, repeats, quick):
    """Times of orthogonal matching pursuit."""
    lines = [
        "",
        "## Orthogonal matching pursuit",
        "",
        '`encode(X, D, solver="omp", max_nonzeros=k)`, `orthogonal_mp_gram` of scikit-learn on the'
        f" first {FEWER} signals, with the Gram matrix of all, and `spams.omp` if it is installed."
        " One thread, microseconds for each signal; the difference is the largest of squared"
        " residuals of our codes and of those of scikit-learn, relative to the signal.",
        "",
    ]
    rows = []
    for dtype in DTYPES:
        A, B = X.astype(dtype), D.astype(dtype)
        for k in NONZEROS[: 1 if quick else None]:
            found = {
                "skdict_sup": Contender(
                    lambda k=k, A=A, B=B: encode(A, B, solver="omp", max_nonzeros=k, n_jobs=1),
                    len(A),
                    1,
                ),
                "scikit-learn": Contender(
                    lambda k=k, A=A, B=B: orthogonal_mp_gram(
                        B @ B.T, B @ A[:FEWER].T, n_nonzero_coefs=k
                    ),
                    len(A[:FEWER]),
                    1,
                ),
            }
            if spams:
                F = np.asfortranarray(A.T), np.asfortranarray(B.T)
                found["SPAMS"] = Contender(
                    lambda k=k, F=F: spams.omp(*F, L=k, numThreads=1), len(A), 1
                )
            results = interleaved(found, repeats)
            times = {name: 1e6 * results[name][0] / found[name].n_signals for name in found}
            codes = results["skdict_sup"][1].code, results["scikit-learn"][1].T
            ours, theirs = (
                ((X[:FEWER] - w[:FEWER].astype(float) @ D) ** 2).sum(axis=1) for w in codes
            )
            apart = np.abs(ours - theirs).max() / (X**2).sum(axis=1).mean()
            row = [number(times.get(name)) for name in ("skdict_sup", "scikit-learn", "SPAMS")]
            ratio = number(times["scikit-learn"] / times["skdict_sup"])
            rows.append([dtype, k, *row, ratio, number(apart)])
    header = ["dtype", "nonzeros", "skdict_sup", "scikit-learn", "SPAMS"]
    return [*lines, *table([*header, "scikit-learn / ours", "difference"], rows)]


def path_section(X, D, repeats):
    """Times of paths of codes."""
    top = float(np.median(lam_max(X, D)))
    lines = [
        "",
        "## Paths",
        "",
        f"`codes_path(X, D, lams)` for {N_LAMS} values of lam, evenly spaced in the logarithm from"
        " the median of lam_max down to a share of it, every code with its certificate; beside it"
        " one call of `encode` for the smallest value, and one for each. One thread, microseconds"
        " for each signal.",
        "",
    ]
    rows = []
    for dtype in DTYPES:
        A, B = X.astype(dtype), D.astype(dtype)
        for share in SHARES:
            lams = np.geomspace(top, share * top, N_LAMS)
            found = {
                "path": lambda A=A, B=B, lams=lams: codes_path(A, B, lams, n_jobs=1),
                "last": lambda A=A, B=B, lams=lams: _code(A, B, lams[-1]),
                "each": lambda A=A, B=B, lams=lams: [_code(A, B, lam) for lam in lams],
            }
            results = interleaved({n: Contender(f, len(A), 1) for n, f in found.items()}, repeats)
            times = {name: 1e6 * results[name][0] / len(A) for name in found}
            row = [number(times[name]) for name in found]
            ratios = times["path"] / times["last"], times["each"] / times["path"]
            rows.append([dtype, share, *row, *map(number, ratios)])
    header = ["dtype", "smallest lam / lam_max", "codes_path", "encode, smallest", "encode, each"]
    return [*lines, *table([*header, "path / smallest", "each / path"], rows)]


def _code(X, D, lam):
    return encode(X, D, prior=ElasticNet(float(lam)), n_jobs=1).code
