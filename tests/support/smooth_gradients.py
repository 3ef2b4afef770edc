"""Cases for the gradients of codes of any prior and transfer, and their finite differences."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from problems import unit_atoms
from sklearn.base import clone

from skdict_sup import KL, ElasticNet, Lp, code_vjp, encode

STEP = 1e-4
MEANS = np.array([0.3, 0.01, 0.05, 1.0])
PRIORS = {
    "elastic_net": ElasticNet(lam=0.1, lam2=0.2),
    "kl": KL(lam=0.1, p=0.05),
    "kl_means": KL(lam=0.1, p=MEANS),
    "kl_positive": KL(lam=0.1, p=0.05, positive=True),
    "kl_positive_means": KL(lam=0.1, p=MEANS, positive=True),
    "lp": Lp(lam=0.3, exponent=1.5),
    "ridge": Lp(lam=0.3, exponent=2.0),
}
PAIRS = {
    f"{name}-{transfer}": (prior, transfer)
    for name, prior in PRIORS.items()
    for transfer in ("linear", "softmax")
}


def quotient(function):
    """Derivative of a function at zero: an error of order STEP^4."""
    at = {k: function(k * STEP) for k in (-2, -1, 1, 2)}
    return (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * STEP)


@dataclass(frozen=True)
class SmoothCase:
    """A batch, a prior, a transfer and a cotangent."""

    X: np.ndarray
    dictionary: np.ndarray
    prior: Any
    transfer: str
    cotangent: np.ndarray

    @property
    def code(self):
        options = {"prior": self.prior, "transfer": self.transfer, "n_jobs": 1}
        return encode(self.X, self.dictionary, tol=5e-12, **options).code

    @property
    def hyper_parameters(self):
        """Names of those with a derivative from both sides."""
        names = [name for name in self.prior.get_params() if name != "positive"]
        ends = isinstance(self.prior, Lp) and self.prior.exponent == 2
        return [name for name in names if not (ends and name == "exponent")]

    def vjp(self):
        data = self.X, self.dictionary, self.code, self.cotangent
        return code_vjp(*data, prior=self.prior, transfer=self.transfer)

    def difference(self, change):
        """Derivative of <cotangent, code> in k, for change(k): an error of order STEP^4."""
        return quotient(lambda step: float((self.cotangent * change(step).code).sum()))

    def differences(self, name):
        """Gradient in an array, entry by entry; for distributions along the simplex alone."""
        if name == "X":
            return self._differences_in_the_signals()
        value = getattr(self, name)
        gradient = np.empty_like(value)
        for place in np.ndindex(value.shape):
            move = np.zeros_like(value)
            move[place] = 1.0
            gradient[place] = self.difference(
                lambda step, move=move: replace(self, **{name: value + step * move})
            )
        return gradient

    def _differences_in_the_signals(self):
        """The same for signals: all that move are coded at once, for each has its own code."""
        n, m = self.X.shape
        moves = np.eye(m) - (1.0 / m if self.transfer == "softmax" else 0.0)

        def losses(step):
            moved = (self.X[:, None, :] + step * moves).reshape(n * m, m)
            code = replace(self, X=moved).code.reshape(n, m, -1)
            return (self.cotangent[:, None, :] * code).sum(axis=2)

        return quotient(losses)

    def differences_in_the_prior(self, name):
        value = getattr(self.prior, name)

        def at(step, move=1.0):
            # in proportion to the value: a mean may be smaller than the step
            moved = value * (1 + step * move)
            return replace(self, prior=clone(self.prior).set_params(**{name: moved}))

        if np.ndim(value):
            moves = np.eye(len(value))
            slopes = [self.difference(lambda step, m=move: at(step, m)) for move in moves]
            return np.array(slopes) / value
        return self.difference(at) / value


def smooth_case(prior, transfer, seed, n_samples=3, n_components=4, n_features=4):
    rng = np.random.default_rng(seed)
    D = unit_atoms(rng, n_components, n_features)
    X = 2 * rng.normal(size=(n_samples, n_features))
    if transfer == "softmax":  # off the edge of the simplex, where both sides can be seen
        X, D = 0.9 * rng.dirichlet(np.full(n_features, 0.5), n_samples) + 0.1 / n_features, 3 * D
    return SmoothCase(X, D, prior, transfer, rng.normal(size=(n_samples, n_components)))
