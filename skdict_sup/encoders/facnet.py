"""FacNet: ISTA in rotated coordinates, with a learned rotation and step size per axis."""

from dataclasses import dataclass

from .._array import device_of, namespace
from ._protocol import Architecture, ista_step_size
from .factor import Factor
from .shrink import soft_threshold, soft_threshold_vjp

_MIN_CURVATURE = 1e-3  # smallest curvature, relative to the largest


@dataclass(frozen=True)
class FacNet(Architecture):
    r"""A step in rotated axes: w+ = prox(w A' - (w G - x D') A' / s) A, A orthogonal, s > 0.

    The quadratic form of the Gram matrix is replaced by :math:`A^T \mathrm{diag}(s) A`; A rotates
    it toward the axes of the l1 norm. Updates of A are rotations, so that it stays orthogonal.

    References
    ----------
    T. Moreau, J. Bruna, "Understanding trainable sparse coding with matrix factorization", 2017,
    "Specialization of LISTA".
    """

    needs_signed = True
    needs_one_weight = True  # rotated entries belong to no atom

    def initial_layers(self, inputs, n_layers):
        """Identity rotations, and the curvature of ISTA on all axes."""
        xp, gram = namespace(inputs.problem.gram), inputs.problem.gram
        kwargs = {"dtype": gram.dtype, "device": device_of(gram)}
        p = gram.shape[0]
        layer = {
            "rotation": xp.eye(p, **kwargs),
            "curvature": xp.full((p,), 1 / ista_step_size(inputs.problem), **kwargs),
        }
        return [layer] * n_layers

    def forward_with_residuals(self, weights, state, inputs):
        """The next code, by a proximal step in rotated coordinates."""
        code, prior = state[0], inputs.problem.prior
        A, s = weights["rotation"], weights["curvature"]
        neg_grad = inputs.corr - code @ inputs.problem.gram
        rotated_neg_grad = neg_grad @ A.T
        shrunk = soft_threshold(code @ A.T + rotated_neg_grad / s, prior.lam / s, False)
        rotated_code = shrunk / (1 + prior.lam2 / s)
        return (rotated_code @ A,), (code, neg_grad, rotated_neg_grad, shrunk, rotated_code)

    def vjp(self, weights, residuals, grad_state, inputs):
        """Gradients with respect to rotation and curvature, and to the previous code."""
        xp, prior = namespace(grad_state[0]), inputs.problem.prior
        A, s = weights["rotation"], weights["curvature"]
        code, neg_grad, rotated_neg_grad, shrunk, rotated_code = residuals
        grad_rotated_code = grad_state[0] @ A.T
        shrinkage = 1 + prior.lam2 / s
        grad_pre_activation, grad_threshold = soft_threshold_vjp(
            shrunk, grad_rotated_code / shrinkage
        )
        # gradient with respect to 1 / s; the second term comes from the ridge
        grad_inverse = xp.sum(
            grad_pre_activation * rotated_neg_grad + prior.lam * grad_threshold, axis=0
        )
        grad_inverse = (
            grad_inverse
            - prior.lam2 * xp.sum(grad_rotated_code * rotated_code, axis=0) / shrinkage
        )
        gradients = {
            "rotation": rotated_code.T @ grad_state[0]
            + grad_pre_activation.T @ code
            + (grad_pre_activation / s).T @ neg_grad,
            "curvature": -grad_inverse / s**2,
        }
        grad_code = grad_pre_activation @ A - ((grad_pre_activation / s) @ A) @ inputs.problem.gram
        return gradients, (grad_code,)

    def fused(self, layers, problem, every_code):
        """Layers from rotated codes to rotated codes, each one product; the last rotates back."""
        xp, prior, dictionary = namespace(problem.gram), problem.prior, problem.dictionary
        (p, m), fused_layers = dictionary.shape, []
        before = identity = xp.eye(p, dtype=dictionary.dtype, device=device_of(dictionary))
        for number, weights in enumerate(layers):
            A, shrinkage = weights["rotation"], weights["curvature"] + prior.lam2
            scaled, decay = A / shrinkage[:, None], weights["curvature"] / shrinkage
            matrix = (decay[:, None] * A - scaled @ problem.gram) @ before.T
            layer = {"matrix": Factor.of(matrix), "threshold": prior.lam / shrinkage}
            signal = {"signal": scaled @ dictionary} if m < p else {"correlation": scaled}
            layer |= {name: Factor.of(B) for name, B in signal.items()}
            if every_code or number == len(layers) - 1:
                layer["back"] = Factor.of(A.T)
            fused_layers.append(layer)
            before = identity if every_code else A
        return fused_layers

    def forward(self, weights, state, inputs):
        """The next code, in rotated axes unless the layer rotates back."""
        if "signal" in weights:
            fixed = inputs.project(weights["signal"])
        else:
            fixed = weights["correlation"].times(inputs.corr)
        code = weights["matrix"].layer(fixed, state[0], weights["threshold"])
        return (weights["back"].times(code) if "back" in weights else code,)

    def scales(self, layers, inputs):
        """Scales of the weights; that of a rotation is an angle, 1 / sqrt(p)."""
        return [
            scales | {"rotation": layer["rotation"].shape[0] ** -0.5}
            for scales, layer in zip(super().scales(layers, inputs), layers, strict=True)
        ]

    def tangent_gradients(self, weights, gradients):
        """Gradients, with that of the rotation as an antisymmetric matrix."""
        A, gradient = weights["rotation"], gradients["rotation"]
        in_axes = A.T @ gradient
        return gradients | {"rotation": 0.5 * (in_axes - in_axes.T)}

    def updated(self, weights, directions, step_sizes):
        """Weights after a step; A is rotated by the Cayley transform of its direction."""
        xp, A, s = namespace(weights["rotation"]), weights["rotation"], weights["curvature"]
        half_angles = 0.5 * step_sizes["rotation"] * directions["rotation"]
        identity = xp.eye(A.shape[0], dtype=A.dtype, device=device_of(A))
        rotated = A @ xp.linalg.solve(identity + half_angles, identity - half_angles)
        # one Newton-Schulz step removes the rounding error of orthogonality
        rotated = rotated @ (1.5 * identity - 0.5 * (rotated.T @ rotated))
        curvature = s - step_sizes["curvature"] * directions["curvature"]
        floor = _MIN_CURVATURE * xp.max(s) * xp.ones_like(s)
        return {"rotation": rotated, "curvature": xp.maximum(curvature, floor)}
