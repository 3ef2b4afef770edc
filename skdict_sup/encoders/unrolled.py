"""ISTA and FISTA unrolled, and the networks that learn their matrices: LISTA and L-FISTA."""

from dataclasses import dataclass

from .._array import device_of, namespace
from ..kernels import thresholded_product
from ._protocol import Architecture, step_of
from .affine import Affine
from .shrink import soft, soft_back

RECURRENT = ("signal", "code", "threshold")


@dataclass(frozen=True)
class LISTA(Affine):
    """The learned ISTA: w+ = soft(x W_x' + w W_w', theta), all of it learned.

    W_x is common to all layers that begin together, so that the signals are multiplied once; all
    three are for `RECURRENT`, none for ().

    References
    ----------
    K. Gregor, Y. LeCun, "Learning fast approximations of sparse coding", 2010.
    """

    shared: tuple = ("signal",)
    fixed: bool = False

    @property
    def recurrent(self):
        """Whether layers differ in nothing."""
        return self.shared == RECURRENT

    def start(self, seen, n_layers):
        """Weights of ISTA with step 1 / ||G||."""
        return [unrolled_ista(seen.problem)] * n_layers

    def layer(self, weights, state, seen):
        """The next code; it is all that is kept, with the one before."""
        point = seen.times(weights["signal"]) + state[0] @ weights["code"].T
        code = soft(point, weights["threshold"], seen.problem.prior.positive)
        return (code,), (state[0], code)

    def back(self, weights, kept, toward, seen):
        """Gradients of the weights and of the code before."""
        before, code = kept
        inner, thresholds = soft_back(code, toward[0])
        gradients = {
            "signal": inner.T @ seen.X,
            "code": inner.T @ before,
            "threshold": namespace(code).sum(thresholds, axis=0),
        }
        return gradients, (inner @ weights["code"],)

    def prepared(self, layers, problem):
        """Matrices as the codes are multiplied with them."""
        return [weights | {"matrix": weights["code"].T} for weights in layers]


@dataclass(frozen=True)
class LFISTA(Architecture):
    """The learned FISTA: w+ = soft(x W_x' + w W_w' + w_before W_b', theta).

    References
    ----------
    T. Moreau, J. Bruna, "Understanding trainable sparse coding with matrix factorization", 2017,
    "Learned FISTA".
    """

    shared: tuple = ("signal",)
    fixed: bool = False

    def start(self, seen, n_layers):
        """Weights of FISTA, whose momentum grows from layer to layer."""
        layers, ista = [], unrolled_ista(seen.problem)
        for weight in momenta(n_layers):
            layers.append(
                ista | {"code": (1 + weight) * ista["code"], "before": -weight * ista["code"]}
            )
        return layers

    def grown(self, kept, seen, n_layers):
        """New layers are steps without momentum: it is for codes that FISTA has come to."""
        layers = super().grown(kept, seen, n_layers)
        if self.fixed or not kept:
            return layers
        ista = unrolled_ista(seen.problem)
        plain = ista | {"before": 0 * ista["code"]}
        return [*kept, *[plain] * (n_layers - len(kept))]

    def begin(self, seen):
        """The zero code, twice."""
        return (*super().begin(seen), *super().begin(seen))

    def layer(self, weights, state, seen):
        """The next code, beside the last."""
        code, before = state
        point = seen.times(weights["signal"]) + code @ weights["code"].T
        point = point + before @ weights["before"].T
        following = soft(point, weights["threshold"], seen.problem.prior.positive)
        return (following, code), (code, before, following)

    def back(self, weights, kept, toward, seen):
        """Gradients of the weights and of both codes before."""
        code, before, following = kept
        inner, thresholds = soft_back(following, toward[0])
        gradients = {
            "signal": inner.T @ seen.X,
            "code": inner.T @ code,
            "before": inner.T @ before,
            "threshold": namespace(code).sum(thresholds, axis=0),
        }
        return gradients, (inner @ weights["code"] + toward[1], inner @ weights["before"])

    def advance(self, weights, state, seen):
        """The next code, beside the last."""
        (code, before), theta = state, weights["threshold"]
        fixed, none = seen.times(weights["signal"]), 0 * theta
        fixed = thresholded_product(fixed, before, weights["before"].T, none)
        positive = seen.problem.prior.positive
        return thresholded_product(fixed, code, weights["code"].T, theta, positive), code


def unrolled_ista(problem):
    """Weights of a layer that makes a proximal gradient step."""
    xp, gram, prior = namespace(problem.gram), problem.gram, problem.prior
    step = step_of(problem)
    shrinks = 1 + step * prior.lam2
    home = {"dtype": gram.dtype, "device": device_of(gram)}
    identity = xp.eye(gram.shape[0], **home)
    return {
        "signal": problem.dictionary * (step / shrinks),
        "code": (identity - step * gram) / shrinks,
        "threshold": xp.full((gram.shape[0],), step * prior.lam / shrinks, **home),
    }


def momenta(n_layers):
    """Weights (t_k - 1) / t_{k+1} of FISTA's momentum."""
    found, last = [], 1.0
    for _ in range(n_layers):
        following = 0.5 * (1 + (1 + 4 * last**2) ** 0.5)
        found.append((last - 1) / following)
        last = following
    return [0.0, *found][:n_layers]
