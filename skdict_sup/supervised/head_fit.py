"""The best head on given codes: a convex problem, solved whole."""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg

from .._array import astype_like, ignore_float_warnings, to_numpy
from .coding_layer import encoded
from .step import HeadInput, head_input, head_loss

STEP = 1e-4  # of differences of gradients, relative to the typical size of what is moved
_NEWTON_STEPS = 3
_TOO_FAR = 1e100
_FAR = 1e6  # times the size of the parameters: where a loss that is bounded has risen again
_RIDGES = (0.1, 1.0, 10.0, 100.0)  # times the ridge of C=1, to choose from
_LEAST, _MOST = 20, 10_000  # samples between which a ridge is chosen
_CODED = 3000  # samples, at most, that it is chosen by
_MOST_FIRST, _FEWEST_FIRST = 20_000, 1000  # samples of the first head
_WORK = 6e8  # products of one gradient of the first head, beyond the fewest samples
_EXACT = 3e6  # products up to which rounding, and so the order of the samples, is polished away


class HeadProblem:
    """Training loss of a head, as a function of its parameters in one vector.

    `ridge` is one on the intercepts.
    """

    def __init__(self, parameters, settings, ridge=0.0):
        self.names = [n for n in ("coef", "linear", "intercept") if n in parameters]
        self.like = {name: parameters[name] for name in self.names}
        self.settings, self.ridge = settings, ridge

    def vector(self, arrays):
        """Vector of the arrays of a mapping."""
        return np.concatenate([to_numpy(arrays[name]).ravel() for name in self.names], dtype=float)

    def arrays(self, vector):
        """Mapping of names to the arrays of a vector."""
        found, first = {}, 0
        for name, like in self.like.items():
            size = int(np.prod(like.shape))
            part = vector[first : first + size].reshape(tuple(like.shape))
            found[name], first = astype_like(part, like), first + size
        return found

    def gradients(self, vector, seen, nu):
        """Loss, its gradient in the vector, and in the features."""
        arrays = self.arrays(vector)
        loss, found, toward = head_loss(arrays, seen, replace(self.settings, nu=nu))
        if self.ridge:
            intercept = arrays["intercept"]
            loss = loss + 0.5 * self.ridge * float(np.sum(to_numpy(intercept) ** 2))
            found["intercept"] = found["intercept"] + self.ridge * intercept
        return float(loss), self.vector(found), toward

    def fitted(self, vector, seen, *, tol=1e-12, max_iter=1000):
        """Vector with the least training loss."""

        def objective(vector):
            # a line search may look where a loss overflows: too far
            with ignore_float_warnings():
                loss, slope, _ = self.gradients(vector, seen, self.settings.nu)
            good = np.isfinite(loss) and np.isfinite(slope).all()
            return (loss, slope) if good else (_TOO_FAR, np.zeros_like(slope))

        found = minimize(
            objective,
            vector,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": max_iter, "maxcor": 20, "ftol": tol, "gtol": 1e-7},
        )
        if found.fun < 0:  # most losses are at least zero
            self._check_bounded(found.x, seen)
        return found.x

    def _check_bounded(self, vector, seen):
        """Raise if the loss goes on falling far beyond what was taken for its least value."""
        plain = HeadProblem(self.like, self.settings)
        with ignore_float_warnings():
            loss, slope, _ = plain.gradients(vector, seen, self.settings.nu)
            if self.settings.nu:  # a ridge bounds all but the intercepts
                n_outputs = int(np.prod(self.like["intercept"].shape))
                slope[:-n_outputs] = 0.0
            steepest = float(np.abs(slope).max()) or 1.0
            far = vector - _FAR * (1 + float(np.abs(vector).max())) / steepest * slope
            below = plain.gradients(far, seen, self.settings.nu)[0]
        if not np.isfinite(loss) or below < loss - 1e3 * (1 + abs(loss)):
            raise ValueError(
                f"loss must be bounded below in the scores, got {self.settings.loss!r}, which "
                f"falls to {min(loss, below):.3g} and further on these targets; check its value "
                "and gradient, and that y is within the range it is meant for."
            )

    def refined(self, vector, seen):
        """Vector after Newton steps, for what follows takes it for the exact optimum."""
        for _ in range(_NEWTON_STEPS):
            slope = self.gradients(vector, seen, self.settings.nu)[1]
            nearer = vector - self.response(vector, seen, slope)
            better = self.gradients(nearer, seen, self.settings.nu)[1]
            if not np.linalg.norm(better) < np.linalg.norm(slope):
                break
            vector = nearer
        return vector

    def response(self, vector, seen, right):
        """Solution q of (second derivatives of the training loss) q = right.

        Zero where there is no curvature to solve with, as far from the samples of a loss that
        grows like an exponential.
        """
        nu, size = self.settings.nu, max(1.0, float(np.abs(vector).max()))

        def product(direction):
            norm = float(np.abs(direction).max()) or 1.0
            step = STEP * size / norm * direction
            ends = [self.gradients(vector + s * step, seen, nu)[1] for s in (1, -1)]
            return (ends[0] - ends[1]) / (2 * STEP * size / norm)

        shape = len(vector), len(vector)
        with ignore_float_warnings():
            system: Any = LinearOperator  # a class that makes others
            q, _ = cg(system(shape, matvec=product), right, rtol=1e-6, maxiter=200)
        return q if np.isfinite(q).all() else np.zeros_like(q)


def with_chosen_ridge(parameters, samples, settings, rng):
    """Settings with nu chosen by a quarter of the samples, left out, on codes of the start.

    Beyond 10 000 samples it stays as it is: the more there are the less it matters.
    """
    n = samples.X.shape[0]
    if not _LEAST <= n <= _MOST:
        return settings
    rows = rng.permutation(n)[:_CODED]
    parts = rows[len(rows) // 4 :], rows[: len(rows) // 4]
    train, left_out = (_seen_of(parameters, samples.batch(part), settings) for part in parts)
    share = float(samples.weight.sum()) / float(samples.weight[parts[0]].sum())
    losses, vector = [], None
    for ridge in _RIDGES:
        head = HeadProblem(parameters, replace(settings, nu=ridge * share * settings.nu))
        vector = head.fitted(head.vector(parameters) if vector is None else vector, train)
        losses.append(head.gradients(vector, left_out, 0.0)[0])
    return replace(settings, nu=_RIDGES[int(np.argmin(losses))] * settings.nu)


def first_head(state, samples, settings, rng, ridge=0.0):
    """State with the best head on the codes of (at most 20 000) samples.

    The result does not depend on the learning rate; `ridge` is one on the intercepts.
    """
    n_weights = int(np.prod(state.parameters["coef"].shape))
    most = int(min(_MOST_FIRST, max(_FEWEST_FIRST, _WORK / n_weights)))
    rows = rng.permutation(samples.X.shape[0])[:most]
    exact = len(rows) * n_weights <= _EXACT
    return _best_head(state, samples.batch(rows), settings, ridge, exact, tol=1e-8, max_iter=200)


def last_head(state, samples, settings):
    """State with the best head on the codes of all samples."""
    return _best_head(state, samples.batch(np.arange(samples.X.shape[0])), settings)


def best_head_on(parameters, code, target, settings):
    """Parameters of the best head on given codes, all of the same weight."""
    seen = HeadInput(code / settings.code_scale, target, 0 * target[:, 0] + 1)
    return _fitted(HeadProblem(parameters, settings), parameters, seen)


def _best_head(state, batch, settings, ridge=0.0, exact=True, **stop):
    problem = HeadProblem(state.parameters, settings, ridge)
    seen = _seen_of(state.parameters, batch, settings)
    return state.having(**_fitted(problem, state.parameters, seen, exact, **stop))


def _fitted(problem, parameters, seen, exact=True, **stop):
    """Parameters of the head that solve its problem."""
    vector = problem.fitted(problem.vector(parameters), seen, **stop)
    return problem.arrays(problem.refined(vector, seen) if exact else vector)


def _seen_of(parameters, batch, settings):
    """What the head sees of a batch."""
    return head_input(encoded(parameters, batch.X, settings).code, batch, settings)
