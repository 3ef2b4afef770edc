"""Cases for the gradients of codes, and their finite differences.

A code is smooth in the data as long as no entry of it comes or goes. A case can say whether it
keeps a margin: off the support |slope_j| stays MARGIN below lam, on it |w_j| stays MARGIN above
zero, and the atoms of a support are independent enough that the steps, far shorter than MARGIN,
cannot use it up.
"""

from dataclasses import dataclass, replace

import numpy as np
import oracles
from hypothesis import strategies as st
from problems import unit_atoms

from skdict_sup import ElasticNet, code_vjp, encode

MARGIN = 1e-2
CURVATURE = 0.05  # least eigenvalue of H on a support: codes move by some step / CURVATURE
STEP = 1e-5
RTOL = 1e-6

NEVER, EITHER, SOME_LAM = st.just(False), st.booleans(), st.floats(0.05, 0.8)


@dataclass(frozen=True)
class Case:
    """A batch, a prior and a cotangent: everything that a gradient is computed from."""

    X: np.ndarray
    dictionary: np.ndarray
    lam: float
    lam2: float
    positive: bool
    cotangent: np.ndarray

    @property
    def prior(self):
        return ElasticNet(self.lam, self.lam2, self.positive)

    @property
    def code(self):
        return encode(self.X, self.dictionary, prior=self.prior, n_jobs=1).code

    def vjp(self):
        return code_vjp(self.X, self.dictionary, self.code, self.cotangent, prior=self.prior)

    def loss(self):
        return float((self.cotangent * self.code).sum())

    def keeps_its_distance_from_kinks(self):
        code = self.code
        u = oracles.slope(self.X, self.dictionary, self.prior, code)
        support = code != 0
        room = self.lam - (u if self.positive else np.abs(u))
        H = self.dictionary @ self.dictionary.T + self.lam2 * np.eye(len(self.dictionary))
        curvatures = [
            np.linalg.eigvalsh(H[np.ix_(row, row)])[0] if row.any() else np.inf for row in support
        ]
        return (
            room[~support].min(initial=np.inf) > MARGIN
            and np.abs(code[support]).min(initial=np.inf) > MARGIN
            and min(curvatures) > CURVATURE
        )


def difference(case, name, direction):
    """Derivative of the loss along a direction, from four codes: the error is of order STEP^4."""

    def at(step):
        return replace(case, **{name: getattr(case, name) + step * direction}).loss()

    inner, outer = at(STEP) - at(-STEP), at(2 * STEP) - at(-2 * STEP)
    return (8 * inner - outer) / (12 * STEP)


def differences(case, name):
    """Gradient of the loss in one argument, entry by entry."""
    value = getattr(case, name)
    if not isinstance(value, np.ndarray):
        return difference(case, name, 1.0)
    gradient = np.empty_like(value)
    for place in np.ndindex(value.shape):
        direction = np.zeros_like(value)
        direction[place] = 1.0
        gradient[place] = difference(case, name, direction)
    return gradient


def assert_gradients_agree(case, arguments=("dictionary", "X", "lam", "lam2")):
    found = case.vjp()
    scale = max(1.0, np.abs(case.cotangent).max())
    for name in arguments:
        given_ = getattr(found, name) if hasattr(found, name) else getattr(found.prior, name)
        expected = differences(case, name)
        error = np.abs(given_ - expected).max()
        assert error <= RTOL * max(scale, np.abs(expected).max()), name


@st.composite
def cases(draw, duplicates=NEVER, lam=SOME_LAM, positive=EITHER):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_samples, n_components, n_features = (
        draw(st.integers(1, 3)),
        draw(st.integers(1, 5)),
        draw(st.integers(2, 5)),
    )
    dictionary = unit_atoms(rng, n_components, n_features) * rng.uniform(0.5, 1.5)
    if draw(duplicates):
        dictionary = np.vstack([dictionary, dictionary[:1]])
    return Case(
        X=rng.normal(size=(n_samples, n_features)),
        dictionary=dictionary,
        lam=draw(lam),
        lam2=draw(st.sampled_from([0.01, 0.1, 1.0])),
        positive=draw(positive),
        cotangent=rng.normal(size=(n_samples, len(dictionary))),
    )
