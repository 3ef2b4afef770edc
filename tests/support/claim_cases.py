"""Problems to judge the claims of codes on: ordinary ones, and those that could falsify claims.

`draw(seed)` makes the same case for the same integer, on every machine.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from problems import solvers_for

from skdict_sup import KL, ElasticNet, Lp

N_SIGNALS = 16
PAIRS = tuple(
    (prior, transfer)
    for prior in ("elastic_net", "kl", "lp")
    for transfer in ("linear", "softmax")
)
# first-order solvers would take minutes where they do not converge
SLOW = ("fista", "exponentiated_gradient", "reweighted")


@dataclass(frozen=True, eq=False)
class Case:
    """Arguments of `encode`; ordinary where nothing about the problem is extreme."""

    seed: int
    X: np.ndarray
    dictionary: np.ndarray
    prior: Any
    transfer: str
    solver: str
    tol: float | None
    max_iter: int | None
    is_ordinary: bool
    mask: Any = None
    entry_weight: Any = None
    max_residual: Any = None
    max_nonzeros: int | None = None

    @property
    def settings(self):
        names = ("prior", "transfer", "solver", "tol", "max_iter", "mask", "entry_weight")
        names = (*names, "max_residual", "max_nonzeros")
        return {name: getattr(self, name) for name in names}

    def prior_of(self, found):
        """Prior of a solution, with a weight for each signal at limits."""
        if found.lam is None:
            return self.prior
        weights = self.prior.lam if np.ndim(self.prior.lam) else 1.0
        lam = np.asarray(found.lam, np.float64)[:, None] * weights
        return ElasticNet(lam, self.prior.lam2, self.prior.positive)

    def __repr__(self):
        sizes = f"{self.dictionary.shape[0]} atoms of {self.X.shape[1]} {self.X.dtype}"
        return f"draw({self.seed}, {self.pair}) with {sizes}, {self.settings}"

    @property
    def pair(self):
        kind = {ElasticNet: "elastic_net", KL: "kl", Lp: "lp"}[type(self.prior)]
        return kind, self.transfer

    @property
    def kind(self):
        """The pair, and what else is special about the problem."""
        prior, transfer = self.pair
        prior += " of each atom" if np.ndim(self.prior.lam) else ""
        prior += "" if self.max_residual is None else ", bounded"
        prior += "" if self.max_nonzeros is None else ", counted"
        prior += "" if self.mask is None else ", masked"
        return prior + ("" if self.entry_weight is None else ", weighted"), transfer


def draw(seed, pair=None):
    """The case of an integer; of a pair of prior and transfer, where one is given."""
    rng = np.random.default_rng(seed)
    drawn = PAIRS[rng.integers(len(PAIRS))]  # in any case, so that the rest is the same
    kind, transfer = pair or drawn
    dtype = (np.float32, np.float64)[rng.integers(2)]
    m, p = int(rng.integers(1, 9)), int(rng.integers(1, 11))
    if rng.random() < 0.1:  # rows that fill the lanes of vector units
        m, p = int(rng.integers(9, 33)), int(rng.integers(11, 34))
    D, is_ordinary = _atoms(rng, p, m)
    if transfer == "linear":
        X, usual = _signals(rng, D, dtype)
        is_ordinary = is_ordinary and usual
    else:
        X, D = _distributions(rng, m, dtype), D * rng.choice([1.0, 3.0, 10.0])
    X, D = X.astype(dtype), D.astype(dtype)
    prior, share = _prior(rng, kind, transfer, X, D)
    solver = str(rng.choice(solvers_for(prior, transfer)))
    tight = 1e-12 if dtype is np.float64 else 1e-7
    tol = (None, None, 1e-3, tight)[rng.integers(4)]
    if solver == "fista" and is_ordinary and share >= 0.1 and rng.random() < 0.5:
        max_iter = None  # here it is fast
    elif solver in SLOW:
        max_iter = int(rng.choice([10, 100, 500], p=[0.3, 0.6, 0.1]))
    else:
        whole = 0.3 if kind == "lp" else 0.85  # hard powers take seconds
        max_iter = None if rng.random() < whole else int(rng.choice([1, 3, 10, 50]))
    is_ordinary = bool(is_ordinary and share > 0 and max_iter is None and tol != tight)
    return Case(seed, X, D, prior, transfer, solver, tol, max_iter, is_ordinary)


def with_weights(case):
    """A case of a linear transfer and an elastic net, with a weight for each atom; else None."""
    if case.pair != PAIRS[0]:
        return None
    rng = np.random.default_rng([case.seed, 1])
    p = len(case.dictionary)
    apart = float(rng.choice([0.0, 1.0, 1.0, 4.0]))
    lam = case.prior.lam * 10.0 ** rng.uniform(-apart, 0, p)
    lam[rng.random(p) < rng.choice([0.0, 0.2, 0.5])] = 0.0
    prior = ElasticNet(lam, case.prior.lam2, case.prior.positive)
    is_ordinary = case.is_ordinary and bool(lam.all())
    return replace(case, prior=prior, is_ordinary=is_ordinary)


def _atoms(rng, p, m):
    """Atoms of which some may be degenerate, and whether none is."""
    D = rng.standard_normal((p, m))
    form = rng.random()
    if form < 0.2:
        D = np.abs(D)  # acute angles: there nonnegative least squares has a bound of its own
    elif form < 0.3:
        D = np.round(D)  # ties, and sums without rounding
    if rng.random() < 0.5:
        norms = np.linalg.norm(D, axis=1, keepdims=True)
        D = D / np.where(norms > 0, norms, 1.0)
    n_degenerate = int(rng.choice([0, 1, 2], p=[0.4, 0.4, 0.2]))
    for _ in range(n_degenerate):
        i, j, k = rng.integers(p, size=3)
        D[i] = _degenerate(rng, D[i], D[j], D[k])
    if rng.random() < 0.1:
        D, n_degenerate = D * 10.0 ** rng.choice([-20, -6, 6, 20]), 1
    return np.clip(D, -1e25, 1e25), n_degenerate == 0  # float32 has room for that


def _degenerate(rng, atom, other, third):
    choices = (
        other,
        -other,
        2 * other,
        other + third,
        other + 1e-4 * atom,
        other + 1e-8 * atom,
        -other + 1e-8 * atom,
        0 * atom,
        1e-6 * atom,
        1e-20 * atom,
        1e6 * atom,
        1e20 * atom,
    )
    return choices[rng.integers(len(choices))]


def _signals(rng, D, dtype):
    """Signals of one scale, and whether that is an ordinary one."""
    p, m = D.shape
    X = rng.standard_normal((N_SIGNALS, m))
    usual = rng.random() < 0.6
    form = rng.random()
    if form < 0.25:  # combinations of few atoms: objectives near zero
        unit = D / max(np.abs(D).max(), 1e-300)
        X[::2] = (rng.standard_normal((8, p)) * (rng.random((8, p)) < 0.4)) @ unit
        size = np.abs(X).max(axis=1, keepdims=True)
        X = X / np.where(size > 0, size, 1.0)
    elif form < 0.3:  # almost orthogonal to all atoms
        basis = np.linalg.qr(D.T)[0]
        for _ in range(2):
            X = X - X @ basis @ basis.T
    elif form < 0.35:
        X[:, 0] *= 1e20 if dtype is np.float64 else 1e5
        usual = False
    if rng.random() < 0.2:
        X[0] = 0.0
    return X * 10.0 ** (rng.uniform(-3, 3) if usual else rng.uniform(-30, 30)), usual


def _distributions(rng, m, dtype):
    """Distributions, most of them of sums that are one without rounding."""
    weights = rng.dirichlet(np.full(m, rng.choice([0.1, 1.0])), N_SIGNALS)
    if rng.random() < 0.2:
        X = weights.astype(dtype)
        return X / X.sum(axis=1, keepdims=True)
    whole = 2.0**20
    counts = np.floor(weights * whole)
    counts[:, 0] += whole - counts.sum(axis=1)
    return counts / whole


def _prior(rng, kind, transfer, X, D):
    """A prior in proportion to the signals, and its weight as a share of their correlations."""
    X, D = X.astype(np.float64), D.astype(np.float64)
    tops = np.abs(X @ D.T).max(axis=1)
    top = float(np.median(tops[tops > 0])) if (tops > 0).any() else 1.0
    sizes, norms = np.linalg.norm(X, axis=1), np.linalg.norm(D, axis=1)
    norm = float(np.median(norms[norms > 0])) if (norms > 0).any() else 1.0
    size = float(np.median(sizes)) / norm or 1.0  # of a typical code
    positive = bool(rng.integers(2))
    if kind == "elastic_net":
        share = float(rng.choice([0.0, 1e-9, 1e-5, 1e-3, 0.1, 0.3, 0.7, 1.0, 2.0]))
        lam2 = float(rng.choice([0.0, 0.0, 0.0, 1e-9, 1e-3, 0.1, 1.0]))
        return ElasticNet(share * top, lam2, positive), share
    share = float(rng.choice([1e-9, 1e-6, 1e-3, 0.02, 0.1, 1.0, 10.0]))
    if kind == "kl":
        mean = size * float(rng.choice([1e-9, 1e-3, 1e-2, 0.1, 1.0, 10.0]))
        if rng.random() < 0.2:
            mean = mean * 10.0 ** rng.uniform(-2, 2, len(D))
        return KL(share * top, mean, positive), share
    powers = [1.01, 1.05, 1.1, 1.3, 1.5, 1.9, 1.99, 2.0] + [0.5, 0.9] * (transfer == "linear")
    power = float(rng.choice(powers))
    return Lp(share * top / size ** (power - 1), power), share


def with_missing(case):
    """A case of a linear transfer with missing entries, or with weights of entries; else None."""
    if case.transfer != "linear":
        return None
    rng = np.random.default_rng([case.seed, 2])
    if case.pair == PAIRS[0] and rng.random() < 0.3:
        case = with_weights(case)
    mask = rng.random(case.X.shape) < rng.choice([0.3, 0.7, 0.95])
    mask[rng.integers(len(mask), size=3)] = mask[0]
    X = np.where(mask, case.X, np.nan)
    if rng.random() < 0.5:
        return replace(case, X=X, mask=mask)
    spread = float(rng.choice([0.0, 1.0, 3.0, 12.0]))
    weight = mask * 10.0 ** rng.uniform(-spread, spread, mask.shape)
    is_ordinary = case.is_ordinary and spread <= 1.0
    return replace(case, X=X, entry_weight=weight.astype(X.dtype), is_ordinary=is_ordinary)


def with_limits(case):
    """A case of an elastic net with a bound on residuals or on nonzeros, or both; else None."""
    if case.pair != PAIRS[0]:
        return None
    rng = np.random.default_rng([case.seed, 3])
    if rng.random() < 0.3:
        case = with_missing(case)
    prior, limits = case.prior, {}
    values = np.where(np.isfinite(case.X), case.X, 0.0)
    size = np.linalg.norm(values.astype(np.float64), axis=1)
    form = rng.integers(3)
    if form != 1:
        limits["max_residual"] = size * rng.choice([1e-6, 1e-3, 0.1, 0.5, 0.9, 2.0], len(size))
        if not np.ndim(prior.lam):
            prior = ElasticNet("auto", prior.lam2, prior.positive)
    if form != 0:
        limits["max_nonzeros"] = int(rng.integers(1, len(case.dictionary) + 1))
    settings = {"solver": "auto", "max_iter": None, "is_ordinary": False}
    return replace(case, prior=prior, **limits, **settings)


CHANGES = (with_weights, with_missing, with_limits)  # what else is judged of a case
