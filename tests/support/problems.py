"""Named small problems: easy ones with known answers, and the degenerate ones."""

from dataclasses import dataclass

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skdict_sup import ElasticNet
from skdict_sup.reconstruction import as_reconstruction
from skdict_sup.solvers import SOLVERS


@dataclass(frozen=True, eq=False)
class NamedProblem:
    """Signals, atoms and a prior; `code` is the answer where it is known and unique."""

    name: str
    X: np.ndarray
    dictionary: np.ndarray
    prior: ElasticNet
    code: np.ndarray | None = None

    def astype(self, dtype):
        return NamedProblem(
            self.name, self.X.astype(dtype), self.dictionary.astype(dtype), self.prior, self.code
        )


def solvers_for(prior, transfer="linear"):
    """Names of the solvers that say that they handle a prior with a transfer."""
    terms = as_reconstruction(transfer), prior
    return sorted(name for name, solver in SOLVERS.items() if solver.handles(*terms))


def soft_threshold(corr, lam):
    return np.sign(corr) * np.maximum(np.abs(corr) - lam, 0.0)


def unit_atoms(rng, n_components, n_features):
    atoms = rng.normal(size=(n_components, n_features))
    return atoms / np.linalg.norm(atoms, axis=1, keepdims=True)


def _generic(seed, n_samples=6, n_components=5, n_features=7):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, n_features)), unit_atoms(rng, n_components, n_features)


def _orthonormal():
    X, _ = _generic(0, n_features=4)
    D = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    return X, D, ElasticNet(lam=0.4), soft_threshold(X @ D.T, 0.4)


def _orthonormal_ridge():
    X, D, _, _ = _orthonormal()
    return X, D, ElasticNet(lam=0.4, lam2=0.5), soft_threshold(X @ D.T, 0.4) / 1.5


def _orthonormal_positive():
    X, D, _, _ = _orthonormal()
    return X, D, ElasticNet(lam=0.4, positive=True), np.maximum(X @ D.T - 0.4, 0.0)


def _one_atom():
    X, _ = _generic(2)
    atom = 3.0 * np.random.default_rng(3).normal(size=(1, 7))
    norm = (atom**2).sum()
    return X, atom, ElasticNet(lam=0.7, lam2=0.1), soft_threshold(X @ atom.T, 0.7) / (norm + 0.1)


def _one_sample():
    X, D = _generic(4, n_samples=1)
    return X, D, ElasticNet(lam=0.2), None


def _one_feature():
    # atoms are numbers: the longest one takes all, since it needs the least l1 norm
    X, D = np.array([[2.0], [-3.0], [0.1]]), np.array([[0.5], [-2.0], [1.0]])
    code = np.zeros((3, 3))
    code[:, 1] = soft_threshold(X @ D.T, 0.5)[:, 1] / 4.0
    return X, D, ElasticNet(lam=0.5), code


def _zero_signals():
    X, D = _generic(5)
    X[::2] = 0.0
    return X, D, ElasticNet(lam=0.2), None


def _all_zero():
    _, D = _generic(6)
    return np.zeros((3, 7)), D, ElasticNet(lam=0.2), np.zeros((3, 5))


def _zero_atom():
    X, D = _generic(7)
    D[2] = 0.0
    return X, D, ElasticNet(lam=0.2), None


def _no_atom_but_zero():
    X, _ = _generic(8)
    return X, np.zeros((3, 7)), ElasticNet(lam=0.2), np.zeros((6, 3))


def _duplicate_atoms():
    X, D = _generic(9)
    return X, np.vstack([D, D[:2], -D[2:3]]), ElasticNet(lam=0.1), None


def _duplicate_atoms_ridge():
    # the ridge shares the entry: a pair of equal atoms acts as one of sqrt(2) times the norm
    X = np.array([[2.0, 1.0], [-1.0, 0.3]])
    D = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    half, rest = soft_threshold(X[:, 0], 0.5) / 2.5, soft_threshold(X[:, 1], 0.5) / 1.5
    return X, D, ElasticNet(lam=0.5, lam2=0.5), np.stack([half, half, rest], axis=1)


def _collinear_atoms():
    X, D = _generic(10, n_components=4)
    return X, np.vstack([D, D[0] + D[1], D[2] - D[3]]), ElasticNet(lam=0.05), None


def _least_squares():
    X, D = _generic(11)
    return X, D, ElasticNet(lam=0.0), X @ np.linalg.pinv(D)


def _ridge():
    X, D = _generic(12, n_components=9)
    code = X @ D.T @ np.linalg.inv(D @ D.T + 0.3 * np.eye(9))
    return X, D, ElasticNet(lam=0.0, lam2=0.3), code


def _least_squares_underdetermined():
    X, D = _generic(13, n_components=10)
    return X, D, ElasticNet(lam=0.0), None


def _nonnegative_least_squares():
    X, D = _generic(14)
    return X, D, ElasticNet(lam=0.0, positive=True), None


def _nonnegative_least_squares_underdetermined():
    X, D = _generic(25, n_components=10, n_features=4)
    return X, D, ElasticNet(lam=0.0, positive=True), None


def _ridge_of_dependent_atoms():
    X, D = _generic(26, n_components=6, n_features=3)
    code = X @ np.linalg.inv(D.T @ D + 1e-3 * np.eye(3)) @ D.T
    return X, D, ElasticNet(lam=0.0, lam2=1e-3), code


def _beyond_lam_max():
    X, D = _generic(15)
    return X, D, ElasticNet(lam=1.01 * np.abs(X @ D.T).max()), np.zeros((6, 5))


def _at_lam_max():
    X, D = _generic(16, n_samples=1)
    return X, D, ElasticNet(lam=float(np.abs(X @ D.T).max())), np.zeros((1, 5))


def _positive():
    X, D = _generic(17)
    return X, D, ElasticNet(lam=0.1, positive=True), None


def _positive_hopeless():
    # every correlation is negative: no atom may enter
    _, D = _generic(18, n_features=5)
    X = -np.ones((4, 1)) @ np.linalg.solve(D, np.ones(5))[None, :]
    return X, D, ElasticNet(lam=0.0, positive=True), np.zeros((4, 5))


def _overcomplete():
    X, D = _generic(19, n_samples=8, n_components=20, n_features=6)
    return X, D, ElasticNet(lam=0.05), None


def _overcomplete_positive_ridge():
    X, D = _generic(20, n_samples=8, n_components=20, n_features=6)
    return X, D, ElasticNet(lam=0.05, lam2=0.01, positive=True), None


def _ill_conditioned():
    X, D = _generic(21, n_components=6)
    D[1:3] = D[0] + 1e-3 * D[1:3]
    return X, D, ElasticNet(lam=0.05), None


def _ties():
    rng = np.random.default_rng(22)
    X = rng.integers(-2, 3, size=(8, 4)).astype(float)
    D = rng.integers(-1, 2, size=(9, 4)).astype(float)
    return X, D, ElasticNet(lam=1.0), None


def _ties_all_at_once():
    # the identity twice over, and signals whose entries are all equal
    D = np.vstack([np.eye(4), -np.eye(4)])
    return np.array([[1.0] * 4, [-1.0] * 4]), D, ElasticNet(lam=0.5), None


def _signals_are_atoms():
    _, D = _generic(23, n_components=6)
    return D.copy(), D, ElasticNet(lam=0.01), None


def _norms_apart():
    X, D = _generic(24)
    return X, D * np.array([[1e-3], [1.0], [1e2], [0.1], [10.0]]), ElasticNet(lam=0.1), None


_MAKERS = (
    _orthonormal,
    _orthonormal_ridge,
    _orthonormal_positive,
    _one_atom,
    _one_sample,
    _one_feature,
    _zero_signals,
    _all_zero,
    _zero_atom,
    _no_atom_but_zero,
    _duplicate_atoms,
    _duplicate_atoms_ridge,
    _collinear_atoms,
    _least_squares,
    _ridge,
    _least_squares_underdetermined,
    _nonnegative_least_squares,
    _nonnegative_least_squares_underdetermined,
    _ridge_of_dependent_atoms,
    _beyond_lam_max,
    _at_lam_max,
    _positive,
    _positive_hopeless,
    _overcomplete,
    _overcomplete_positive_ridge,
    _ill_conditioned,
    _ties,
    _ties_all_at_once,
    _signals_are_atoms,
    _norms_apart,
)

PROBLEMS = tuple(NamedProblem(make.__name__.lstrip("_"), *make()) for make in _MAKERS)
BY_NAME = {problem.name: problem for problem in PROBLEMS}


@st.composite
def tied_problems(draw):
    """Small integers over four: equal, opposite, collinear and zero atoms, and ties, abound."""
    n_components, n_features = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    quarter = st.integers(-4, 4).map(lambda k: k / 4)
    X = draw(arrays(np.float64, (draw(st.integers(1, 3)), n_features), elements=quarter))
    D = draw(arrays(np.float64, (n_components, n_features), elements=quarter))
    lam = draw(st.sampled_from([0.0, 0.0625, 0.25, 1.0]))
    prior = ElasticNet(lam, draw(st.sampled_from([0.0, 0.5])), draw(st.booleans()))
    return X, D, prior


def examples(n):
    """Settings of a property with n examples where the profile has 25 for others."""
    return settings(max_examples=max(3, n * settings.default.max_examples // 25))
