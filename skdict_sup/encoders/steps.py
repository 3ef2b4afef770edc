"""Networks that learn one or two numbers per layer: step-LISTA and ALISTA."""

from dataclasses import dataclass
from itertools import product
from math import inf, isfinite

from .._array import device_of, namespace
from ._protocol import ista_step_size
from .affine import Affine, fused_steps
from .network import forward_with_residuals, objective
from .shrink import soft_threshold, soft_threshold_vjp

# candidates for the untrained layers of ALISTA; an infinite ridge gives those of ISTA
_RIDGES, _STEPS, _THRESHOLDS = (0.0, 0.1, 1.0, 10.0, inf), (1.0, 0.5, 0.2), (1.0, 3.0, 10.0)
_N_SELECTION = 300  # signals on which the best candidate is selected


@dataclass(frozen=True)
class StepLISTA(Affine):
    """ISTA with a learned step size for each layer.

    References
    ----------
    P. Ablin, T. Moreau, M. Massias, A. Gramfort, "Learning step sizes for unfolded sparse coding",
    2019.
    """

    nonnegative: tuple = ("step",)

    def initial_layers(self, inputs, n_layers):
        """Untrained layers: the step size of ISTA."""
        return [{"step": _scalar(ista_step_size(inputs.problem), inputs.problem.gram)}] * n_layers

    def forward_with_residuals(self, weights, state, inputs):
        """The next code, by a proximal gradient step, and the residuals."""
        code, prior, step = state[0], inputs.problem.prior, weights["step"]
        neg_grad = inputs.corr - code @ inputs.problem.gram
        shrinkage = 1 + step * prior.lam2
        shrunk = soft_threshold(code + step * neg_grad, step * prior.weight(code), prior.positive)
        return (shrunk / shrinkage,), (neg_grad, shrunk)

    def vjp(self, weights, residuals, grad_state, inputs):
        """Gradients with respect to the step size and to the previous code."""
        xp, prior, step = namespace(grad_state[0]), inputs.problem.prior, weights["step"]
        neg_grad, shrunk = residuals
        shrinkage = 1 + step * prior.lam2
        grad_pre_activation, grad_threshold = soft_threshold_vjp(shrunk, grad_state[0] / shrinkage)
        lam = prior.weight(grad_threshold)
        grad_step = xp.sum(grad_pre_activation * neg_grad + lam * grad_threshold)
        grad_step = grad_step - prior.lam2 * xp.sum(grad_state[0] * shrunk) / shrinkage**2
        grad_code = grad_pre_activation - step * (grad_pre_activation @ inputs.problem.gram)
        return {"step": xp.reshape(grad_step, (1,))}, (grad_code,)

    def fused(self, layers, problem, every_code):
        """Layers as thresholded affine maps."""
        prior, steps = problem.prior, []
        for step in (weights["step"] for weights in layers):
            shrinkage = 1 + step * prior.lam2
            threshold = step * prior.weight(step) / shrinkage
            steps.append((step / shrinkage, 1 / shrinkage, threshold))
        return fused_steps([problem.dictionary] * len(layers), steps, problem)


@dataclass(frozen=True)
class ALISTA(Affine):
    """Learned step size and threshold per layer: w+ = soft(w + gamma (x - w D) V', theta).

    V is computed, not learned: row j has v_j d_j' = 1 and the smallest mean squared inner product
    with the other atoms, plus a ridge for strongly correlated atoms. Ridge, initial step size and
    threshold are the best of a grid on a part of the signals; the grid contains those of ISTA.

    References
    ----------
    J. Liu, X. Chen, Z. Wang, W. Yin, "ALISTA: analytic weights are as good as learned weights in
    LISTA", 2019.
    """

    nonnegative: tuple = ("step", "threshold")
    needs_one_weight = True  # a layer learns one threshold for all atoms

    def initial_layers(self, inputs, n_layers):
        """Untrained layers: the best candidate of the grid for all layers."""
        return self.extend([], inputs, n_layers)

    def extend(self, trained, inputs, n_layers):
        """Trained layers, then copies of the best candidate or of the last trained layer."""
        n_new, sample, trials = n_layers - len(trained), inputs.first(_N_SELECTION), []
        for layer in (*trained[-1:], *_candidates(inputs.problem)) if n_new else ():
            codes, _ = forward_with_residuals(self, [*trained, *[layer] * n_new], sample)
            value = float(namespace(sample.X).mean(objective(codes[-1], sample)))
            trials.append((value if isfinite(value) else inf, len(trials), layer))
        return [*trained, *[min(trials)[-1]] * n_new] if trials else trained

    def forward_with_residuals(self, weights, state, inputs):
        """The next code, by a step along the analytic directions, and the residuals."""
        code, prior = state[0], inputs.problem.prior
        neg_grad = (inputs.X - code @ inputs.problem.dictionary) @ weights["analytic"].T
        neg_grad = neg_grad - prior.lam2 * code
        code = soft_threshold(
            code + weights["step"] * neg_grad, weights["threshold"], prior.positive
        )
        return (code,), (neg_grad, code)

    def vjp(self, weights, residuals, grad_state, inputs):
        """Gradients with respect to step size and threshold, and to the previous code."""
        xp, prior = namespace(grad_state[0]), inputs.problem.prior
        neg_grad, code = residuals
        grad_pre_activation, grad_threshold = soft_threshold_vjp(code, grad_state[0])
        gradients = {
            "step": xp.reshape(xp.sum(grad_pre_activation * neg_grad), (1,)),
            "threshold": xp.reshape(xp.sum(grad_threshold), (1,)),
        }
        grad_residual = (
            grad_pre_activation @ weights["analytic"]
        ) @ inputs.problem.dictionary.T + prior.lam2 * grad_pre_activation
        return gradients, (grad_pre_activation - weights["step"] * grad_residual,)

    def fused(self, layers, problem, every_code):
        """Layers as thresholded affine maps."""
        lam2 = problem.prior.lam2
        steps = [(w["step"], 1 - w["step"] * lam2, w["threshold"]) for w in layers]
        return fused_steps([weights["analytic"] for weights in layers], steps, problem)


def _candidates(problem):
    """Candidates for the untrained layers of ALISTA."""
    xp, gram, lam = namespace(problem.gram), problem.gram, problem.prior.lam
    for ridge in _RIDGES:
        analytic = analytic_weights(problem.dictionary, ridge)
        norm = float(xp.max(xp.linalg.svdvals(analytic @ problem.dictionary.T))) or 1.0
        for step, factor in product(_STEPS, _THRESHOLDS):
            yield {
                "analytic": analytic,
                "step": _scalar(step / norm, gram),
                "threshold": _scalar(factor * step / norm * lam, gram),
            }


def analytic_weights(dictionary, ridge=0.0):
    r"""Analytic weights of ALISTA: row j is least correlated with the atoms, with <v_j, d_j> = 1.

    It minimises :math:`\sum_i \langle v, d_i \rangle^2 + r \|v\|^2`. By Lagrange's rule v_j is
    (M + r)+ d_j, scaled, with M the second moments of the atoms. The ridge is in units of the mean
    eigenvalue of M.
    """
    xp = namespace(dictionary)
    rows = dictionary
    if ridge < inf:
        moments = dictionary.T @ dictionary
        m = moments.shape[0]
        identity = xp.eye(m, dtype=moments.dtype, device=device_of(moments))
        mean = xp.sum(xp.linalg.diagonal(moments)) / m
        rows = dictionary @ xp.linalg.pinv(moments + ridge * mean * identity)
    scale = xp.vecdot(rows, dictionary, axis=-1)[:, None]
    return rows / xp.where(scale > 0, scale, xp.ones_like(scale))


def _scalar(value, like):
    """Array of one entry, with the dtype and device of another array."""
    return namespace(like).full((1,), value, dtype=like.dtype, device=device_of(like))
