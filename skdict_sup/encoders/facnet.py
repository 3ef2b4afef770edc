"""FacNet: ISTA in a rotated space, with the rotation and a step for each axis learned."""

from dataclasses import dataclass

from .._array import device_of, namespace
from ._protocol import Architecture, step_of
from .shrink import soft, soft_back

_LEAST = 1e-3  # of a curvature, relative to those of the start


@dataclass(frozen=True)
class FacNet(Architecture):
    r"""A step in rotated axes: w+ = prox(w A' - (w G - x D') A' / s) A, A orthogonal, s > 0.

    The quadratic form of the Gram matrix is replaced by :math:`A^T \mathrm{diag}(s) A`; A rotates
    it toward the axes of the l1 norm. A moves by rotations and stays orthogonal.

    References
    ----------
    T. Moreau, J. Bruna, "Understanding trainable sparse coding with matrix factorization", 2017,
    "Specialization of LISTA".
    """

    needs_signed = True

    def start(self, seen, n_layers):
        """No rotation, and the curvature of ISTA on all axes."""
        xp, gram = namespace(seen.problem.gram), seen.problem.gram
        home = {"dtype": gram.dtype, "device": device_of(gram)}
        p = gram.shape[0]
        layer = {
            "rotation": xp.eye(p, **home),
            "curvature": xp.full((p,), 1 / step_of(seen.problem), **home),
        }
        return [layer] * n_layers

    def layer(self, weights, state, seen):
        """A step in rotated coordinates, and back."""
        code, prior, A, s = state[0], seen.problem.prior, weights["rotation"], weights["curvature"]
        slope = seen.corr - code @ seen.problem.gram
        turned_slope = slope @ A.T
        inner = soft(code @ A.T + turned_slope / s, prior.lam / s, False)
        turned = inner / (1 + prior.lam2 / s)
        return (turned @ A,), (code, slope, turned_slope, inner, turned)

    def back(self, weights, kept, toward, seen):
        """Gradients of rotation and curvature, and of the code before."""
        xp, prior = namespace(toward[0]), seen.problem.prior
        A, s = weights["rotation"], weights["curvature"]
        code, slope, turned_slope, inner, turned = kept
        toward_turned = toward[0] @ A.T
        shrinks = 1 + prior.lam2 / s
        point, thresholds = soft_back(inner, toward_turned / shrinks)
        # gradient in 1 / s, of which the ridge takes its part
        inverse = xp.sum(point * turned_slope + prior.lam * thresholds, axis=0)
        inverse = inverse - prior.lam2 * xp.sum(toward_turned * turned, axis=0) / shrinks
        gradients = {
            "rotation": turned.T @ toward[0] + point.T @ code + (point / s).T @ slope,
            "curvature": -inverse / s**2,
        }
        back = point @ A - ((point / s) @ A) @ seen.problem.gram
        return gradients, (back,)

    def scales(self, layers, seen):
        """Rotations are by angles: antisymmetric signs have norm sqrt(p)."""
        return [
            found | {"rotation": layer["rotation"].shape[0] ** -0.5}
            for found, layer in zip(super().scales(layers, seen), layers, strict=True)
        ]

    def directions(self, weights, gradients):
        """The rotation's gradient along rotations, as an antisymmetric matrix."""
        A, slope = weights["rotation"], gradients["rotation"]
        turn = A.T @ slope
        return gradients | {"rotation": 0.5 * (turn - turn.T)}

    def moved(self, weights, directions, lengths):
        """Weights after a step: A turns by the Cayley transform of a small rotation."""
        xp, A, s = namespace(weights["rotation"]), weights["rotation"], weights["curvature"]
        half = 0.5 * lengths["rotation"] * directions["rotation"]
        identity = xp.eye(A.shape[0], dtype=A.dtype, device=device_of(A))
        turned = A @ xp.linalg.solve(identity + half, identity - half)
        turned = turned @ (1.5 * identity - 0.5 * (turned.T @ turned))  # away with the rounding
        moved = s - lengths["curvature"] * directions["curvature"]
        floor = _LEAST * xp.max(s) * xp.ones_like(s)
        return {"rotation": turned, "curvature": xp.maximum(moved, floor)}
