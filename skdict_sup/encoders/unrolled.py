"""Unrolled ISTA and FISTA, and the networks that learn their matrices: LISTA and L-FISTA."""

from dataclasses import dataclass

from .._array import device_of, namespace
from ._protocol import Architecture, ista_step_size
from .affine import Affine
from .factor import Factors
from .shrink import soft_threshold, soft_threshold_vjp

RECURRENT = ("signal", "code", "threshold")


@dataclass(frozen=True)
class LISTA(Affine):
    """Learned ISTA: w+ = soft(x W_x' + w W_w', theta) with learned W_x, W_w and theta.

    Layers created by the same fit share W_x, whose product with the signals is computed once. With
    `shared=RECURRENT` they share all three arrays, with `shared=()` none.

    References
    ----------
    K. Gregor, Y. LeCun, "Learning fast approximations of sparse coding", 2010.
    """

    shared: tuple = ("signal",)
    fixed: bool = False

    @property
    def recurrent(self):
        """Whether all layers share all weights."""
        return self.shared == RECURRENT

    def initial_layers(self, inputs, n_layers):
        """Untrained layers: ISTA with step size 1 / ||G||."""
        return [unrolled_ista(inputs.problem)] * n_layers

    def forward_with_residuals(self, weights, state, inputs):
        """The next code; the residuals are this code and the previous one."""
        pre_activation = inputs.project(weights["signal"]) + state[0] @ weights["code"].T
        code = soft_threshold(pre_activation, weights["threshold"], inputs.problem.prior.positive)
        return (code,), (state[0], code)

    def vjp(self, weights, residuals, grad_state, inputs):
        """Gradients with respect to the weights and to the previous code."""
        previous, code = residuals
        grad_pre_activation, grad_threshold = soft_threshold_vjp(code, grad_state[0])
        gradients = {
            "signal": grad_pre_activation.T @ inputs.X,
            "code": grad_pre_activation.T @ previous,
            "threshold": namespace(code).sum(grad_threshold, axis=0),
        }
        return gradients, (grad_pre_activation @ weights["code"],)

    def fused(self, layers, problem, every_code):
        """Layers with factors."""
        factors, names = Factors(), {"signal": "signal", "matrix": "code"}
        return [w | {name: factors(w[own]) for name, own in names.items()} for w in layers]


@dataclass(frozen=True)
class LFISTA(Architecture):
    """Learned FISTA: w+ = soft(x W_x' + w W_w' + w_before W_b', theta).

    References
    ----------
    T. Moreau, J. Bruna, "Understanding trainable sparse coding with matrix factorization", 2017,
    "Learned FISTA".
    """

    shared: tuple = ("signal",)
    fixed: bool = False

    def initial_layers(self, inputs, n_layers):
        """Untrained layers: FISTA, whose momentum grows from layer to layer."""
        layers, ista = [], unrolled_ista(inputs.problem)
        for weight in momentum_weights(n_layers):
            layers.append(
                ista | {"code": (1 + weight) * ista["code"], "before": -weight * ista["code"]}
            )
        return layers

    def extend(self, trained, inputs, n_layers):
        """Trained layers, then untrained ones without momentum, which needs FISTA's own codes."""
        layers = super().extend(trained, inputs, n_layers)
        if self.fixed or not trained:
            return layers
        ista = unrolled_ista(inputs.problem)
        without_momentum = ista | {"before": 0 * ista["code"]}
        return [*trained, *[without_momentum] * (n_layers - len(trained))]

    def initial_state(self, inputs):
        """State before the first layer: zero code and zero previous code."""
        return (*super().initial_state(inputs), *super().initial_state(inputs))

    def forward_with_residuals(self, weights, state, inputs):
        """The next code with the current one, and the residuals."""
        code, previous = state
        pre_activation = inputs.project(weights["signal"]) + code @ weights["code"].T
        pre_activation = pre_activation + previous @ weights["before"].T
        next_code = soft_threshold(
            pre_activation, weights["threshold"], inputs.problem.prior.positive
        )
        return (next_code, code), (code, previous, next_code)

    def vjp(self, weights, residuals, grad_state, inputs):
        """Gradients with respect to the weights and to both previous codes."""
        code, previous, next_code = residuals
        grad_pre_activation, grad_threshold = soft_threshold_vjp(next_code, grad_state[0])
        gradients = {
            "signal": grad_pre_activation.T @ inputs.X,
            "code": grad_pre_activation.T @ code,
            "before": grad_pre_activation.T @ previous,
            "threshold": namespace(code).sum(grad_threshold, axis=0),
        }
        return gradients, (
            grad_pre_activation @ weights["code"] + grad_state[1],
            grad_pre_activation @ weights["before"],
        )

    def fused(self, layers, problem, every_code):
        """Layers with factors."""
        factors, names = Factors(), ("signal", "code", "before")
        return [w | {name: factors(w[name]) for name in names} for w in layers]

    def forward(self, weights, state, inputs):
        """The next code with the current one, from fused products."""
        (code, previous), theta = state, weights["threshold"]
        fixed, positive = inputs.project(weights["signal"]), inputs.problem.prior.positive
        fixed = weights["before"].layer(fixed, previous, 0 * theta)
        return weights["code"].layer(fixed, code, theta, positive), code


def unrolled_ista(problem):
    """Weights of a layer that computes a proximal gradient step."""
    xp, gram, prior = namespace(problem.gram), problem.gram, problem.prior
    step = ista_step_size(problem)
    shrinkage = 1 + step * prior.lam2
    kwargs = {"dtype": gram.dtype, "device": device_of(gram)}
    identity = xp.eye(gram.shape[0], **kwargs)
    return {
        "signal": problem.dictionary * (step / shrinkage),
        "code": (identity - step * gram) / shrinkage,
        "threshold": step / shrinkage * prior.weight(gram) * xp.ones_like(gram[0, :]),
    }


def momentum_weights(n_layers):
    """Weights (t_k - 1) / t_{k+1} of FISTA's momentum."""
    momenta, t = [], 1.0
    for _ in range(n_layers):
        next_t = 0.5 * (1 + (1 + 4 * t**2) ** 0.5)
        momenta.append((t - 1) / next_t)
        t = next_t
    return [0.0, *momenta][:n_layers]
