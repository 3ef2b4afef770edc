"""Problems that encode and SPAMS solve alike: missing entries, weights of atoms, two limits.

Each has calls of both, and values of codes computed in float64: what the codes are compared by,
and how far from optimal a code is at most.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from _peers import objective, relative_gap, spams

from skdict_sup import ElasticNet, encode

# what SPAMS adds to the diagonal of the Gram matrix; in float32, one plus this is one
RIDGE = {"float64": 1e-10, "float32": 0.0}
L1_WITHIN_BOUND = 1  # spams.lasso's mode: min ||w||_1 such that ||x - w D||^2 <= lambda1


@dataclass
class Problem:
    """Signals and a dictionary; what is asked of their codes is up to the subclass."""

    X: Any
    D: Any

    def with_ridge(self):
        """The problem with the ridge of SPAMS, as features where signals are zero."""
        n, atoms = len(self.X), len(self.D)
        columns = np.sqrt(RIDGE[self.X.dtype.name]) * np.eye(atoms)
        X = np.hstack([self.X, np.zeros((n, atoms), self.X.dtype)])
        return replace(self, X=X, D=np.hstack([self.D, columns.astype(self.D.dtype)]))

    def in_float64(self):
        """The problem of the same numbers in float64."""
        return replace(self, X=self.X.astype(np.float64), D=self.D.astype(np.float64))

    def excess(self, code):
        """How far residuals are beyond a bound, where there is one."""
        return np.full(len(code), np.nan)

    def _encode(self, n_jobs, **options):
        return encode(self.X, self.D, n_jobs=n_jobs, **options).code

    def _exact(self, code):
        """Signals, dictionary and codes in float64."""
        return tuple(np.asarray(a, dtype=np.float64) for a in (self.X, self.D, code))

    def _residual(self, code):
        X, D, code = self._exact(code)
        return X - code @ D


@dataclass
class MissingEntries(Problem):
    """Elastic nets of the observed entries, of which all signals have the same number."""

    lam: float
    mask: Any

    def ours(self, n_jobs):
        return self._encode(n_jobs, prior=ElasticNet(self.lam), mask=self.mask)

    def theirs(self, n_jobs):
        # SPAMS multiplies lambda1 by the share of observed entries, unless there are all of them
        lam = self.lam / self.mask[0].mean()
        X, D, mask = self.X.T, self.D.T, self.mask.T
        return spams.lassoMask(X, D=D, B=mask, lambda1=lam, numThreads=n_jobs)

    def value(self, code):
        return objective(self.X, self.D, code, self.lam, self.mask)

    def gap(self, code):
        return relative_gap(self.X, self.D, code, self.lam, self.mask)

    def with_ridge(self):
        observed = np.ones((len(self.X), len(self.D)), dtype=bool)
        return replace(super().with_ridge(), mask=np.hstack([self.mask, observed]))


@dataclass
class AtomWeights(Problem):
    """A weight lam for each atom; SPAMS has one for each atom and signal."""

    lam: Any

    def __post_init__(self):
        self.lam = self.lam.astype(self.X.dtype)
        self.weights = np.asfortranarray(np.tile(self.lam[:, None], (1, len(self.X))))

    def ours(self, n_jobs):
        return self._encode(n_jobs, prior=ElasticNet(self.lam))

    def theirs(self, n_jobs):
        X, D, W = self.X.T, self.D.T, self.weights
        return spams.lassoWeighted(X, D=D, W=W, lambda1=1.0, numThreads=n_jobs)

    def value(self, code):
        return objective(self.X, self.D, code, self.lam)

    def gap(self, code):
        return relative_gap(self.X, self.D, code, self.lam)


@dataclass
class ResidualBound(Problem):
    """Least l1 norm such that the norm of the residual is at most a bound."""

    bound: float

    def ours(self, n_jobs):
        return self._encode(n_jobs, max_residual=self.bound)

    def theirs(self, n_jobs):
        X, D, square = self.X.T, self.D.T, self.bound**2
        return spams.lasso(X, D=D, lambda1=square, mode=L1_WITHIN_BOUND, numThreads=n_jobs)

    def value(self, code):
        return np.abs(np.asarray(code, dtype=np.float64)).sum(axis=1)

    def gap(self, code):
        """The dual is the maximum of <u, x> - bound ||u||, where no <u, d_j> is beyond one."""
        X, D, code = self._exact(code)
        residual = X - code @ D
        pull = np.maximum(np.abs(residual @ D.T).max(axis=1), 1e-300)
        dual = (residual * X).sum(axis=1) - self.bound * np.linalg.norm(residual, axis=1)
        norm = np.abs(code).sum(axis=1)
        return np.where(norm > 0, (norm - dual / pull) / np.maximum(norm, 1e-300), 0.0)

    def excess(self, code):
        """Relative to the bound; below zero where residuals are within it."""
        return np.linalg.norm(self._residual(code), axis=1) / self.bound - 1.0


@dataclass
class NonzeroLimit(Problem):
    """The path of elastic nets, to where one more atom than the limit would enter."""

    limit: int

    def ours(self, n_jobs):
        return self._encode(n_jobs, max_nonzeros=self.limit)

    def theirs(self, n_jobs):
        X, D = self.X.T, self.D.T
        return spams.lasso(X, D=D, L=self.limit, lambda1=0.0, numThreads=n_jobs)

    def value(self, code):
        """The lam where the path has ended: the code is that of an elastic net with it."""
        _, D, _ = self._exact(code)
        return np.abs(self._residual(code) @ D.T).max(axis=1)

    def gap(self, code):
        return relative_gap(self.X, self.D, code, self.value(code)[:, None])
