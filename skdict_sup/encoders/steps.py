"""Networks that learn a few numbers for each layer: step-LISTA and ALISTA."""

from dataclasses import dataclass
from itertools import product
from math import inf, isfinite

from .._array import device_of, namespace
from ._protocol import step_of
from .affine import Affine, step_along
from .network import forward, objective
from .shrink import soft, soft_back

# to begin ALISTA with; without bound, the ridge makes it ISTA
_RIDGES, _STEPS, _THRESHOLDS = (0.0, 0.1, 1.0, 10.0, inf), (1.0, 0.5, 0.2), (1.0, 3.0, 10.0)
_JUDGES = 300  # signals that choose among them


@dataclass(frozen=True)
class StepLISTA(Affine):
    """ISTA with a learned step for each layer: one number.

    References
    ----------
    P. Ablin, T. Moreau, M. Massias, A. Gramfort, "Learning step sizes for unfolded sparse coding",
    2019.
    """

    nonnegative: tuple = ("step",)

    def start(self, seen, n_layers):
        """The step of ISTA."""
        return [{"step": _number(step_of(seen.problem), seen.problem.gram)}] * n_layers

    def layer(self, weights, state, seen):
        """A proximal gradient step."""
        code, prior, step = state[0], seen.problem.prior, weights["step"]
        slope = seen.corr - code @ seen.problem.gram
        shrinks = 1 + step * prior.lam2
        inner = soft(code + step * slope, step * prior.lam, prior.positive)
        return (inner / shrinks,), (slope, inner)

    def back(self, weights, kept, toward, seen):
        """Gradients of the step and of the code before."""
        xp, prior, step = namespace(toward[0]), seen.problem.prior, weights["step"]
        slope, inner = kept
        shrinks = 1 + step * prior.lam2
        point, thresholds = soft_back(inner, toward[0] / shrinks)
        total = xp.sum(point * slope) + prior.lam * xp.sum(thresholds)
        total = total - prior.lam2 * xp.sum(toward[0] * inner) / shrinks**2
        return {"step": xp.reshape(total, (1,))}, (point - step * (point @ seen.problem.gram),)

    def prepared(self, layers, problem):
        """Affine maps."""
        prior, found = problem.prior, []
        for step in (weights["step"] for weights in layers):
            shrinks = 1 + step * prior.lam2
            threshold = step * prior.lam / shrinks
            form = problem.dictionary, step / shrinks, problem.gram, 1 / shrinks, threshold
            found.append(step_along(*form))
        return found


@dataclass(frozen=True)
class ALISTA(Affine):
    """A step and a threshold for each layer: w+ = soft(w + gamma (x - w D) V', theta).

    V is computed, not learned: row j has v_j d_j' = 1 and the least inner products with the other
    atoms, in the mean square; with a ridge, for atoms that are much alike. Ridge, step and
    threshold are those that serve some of the signals best, among which are those of ISTA.

    References
    ----------
    J. Liu, X. Chen, Z. Wang, W. Yin, "ALISTA: analytic weights are as good as learned weights in
    LISTA", 2019.
    """

    nonnegative: tuple = ("step", "threshold")

    def start(self, seen, n_layers):
        """The analytic matrix, and the same step and threshold for all layers."""
        return self.grown([], seen, n_layers)

    def grown(self, kept, seen, n_layers):
        """What serves best beyond the layers kept, among which is the last of these once more."""
        n_new, few, found = n_layers - len(kept), seen.few(_JUDGES), []
        for layer in (*kept[-1:], *_candidates(seen.problem)) if n_new else ():
            codes, _ = forward(self, [*kept, *[layer] * n_new], few)
            value = float(namespace(few.X).mean(objective(codes[-1], few)))
            found.append((value if isfinite(value) else inf, len(found), layer))
        return [*kept, *[min(found)[-1]] * n_new] if found else kept

    def layer(self, weights, state, seen):
        """A step along the analytic directions."""
        code, prior = state[0], seen.problem.prior
        slope = (seen.X - code @ seen.problem.dictionary) @ weights["analytic"].T
        slope = slope - prior.lam2 * code
        code = soft(code + weights["step"] * slope, weights["threshold"], prior.positive)
        return (code,), (slope, code)

    def back(self, weights, kept, toward, seen):
        """Gradients of step and threshold, and of the code before."""
        xp, prior = namespace(toward[0]), seen.problem.prior
        slope, code = kept
        point, thresholds = soft_back(code, toward[0])
        gradients = {
            "step": xp.reshape(xp.sum(point * slope), (1,)),
            "threshold": xp.reshape(xp.sum(thresholds), (1,)),
        }
        through = (point @ weights["analytic"]) @ seen.problem.dictionary.T + prior.lam2 * point
        return gradients, (point - weights["step"] * through,)

    def prepared(self, layers, problem):
        """Affine maps."""
        moved = {id(m): problem.dictionary @ m.T for m in (w["analytic"] for w in layers)}
        found = []
        for weights in layers:
            step, analytic = weights["step"], weights["analytic"]
            keep, threshold = 1 - step * problem.prior.lam2, weights["threshold"]
            found.append(step_along(analytic, step, moved[id(analytic)], keep, threshold))
        return found


def _candidates(problem):
    """Layers to begin ALISTA with."""
    xp, gram, lam = namespace(problem.gram), problem.gram, problem.prior.lam
    for ridge in _RIDGES:
        analytic = analytic_weights(problem.dictionary, ridge)
        size = float(xp.max(xp.linalg.svdvals(analytic @ problem.dictionary.T))) or 1.0
        for step, times in product(_STEPS, _THRESHOLDS):
            yield {
                "analytic": analytic,
                "step": _number(step / size, gram),
                "threshold": _number(times * step / size * lam, gram),
            }


def analytic_weights(dictionary, ridge=0.0):
    r"""Row j minimises :math:`\sum_i \langle v, d_i \rangle^2 + r \|v\|^2` with <v, d_j> = 1.

    By Lagrange's rule v_j is (M + r)+ d_j, scaled, with M the second moments of the atoms. The
    ridge is in units of the mean eigenvalue of M.
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


def _number(value, like):
    return namespace(like).full((1,), value, dtype=like.dtype, device=device_of(like))
