"""Optimal head on fixed codes: the solution of a convex problem."""

from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg

from .._array import astype_like, ignore_float_warnings, to_numpy
from .coding_layer import encode
from .head_squares import LeastSquares, is_least_squares
from .step import HeadInput, head_loss_and_gradients, make_head_input

DIFFERENCE_STEP = 1e-4  # step of finite differences, relative to the parameters
_NEWTON_STEPS = 3
# norm of the gradient of a mean loss of features of size one at which it is mostly rounding error
_ROUNDING = 1e-13
_OVERFLOW_LOSS = 1e100  # finite stand-in for a loss that overflows
_FAR_FACTOR = 1e6  # distance, relative to the parameters, at which a bounded loss has risen again
_MAX_FIRST_FIT, _MIN_FIRST_FIT = 20_000, 1000  # samples of the first fit of the head
_MAX_PRODUCTS = 6e8  # multiplications per gradient in the first fit, if samples suffice
# multiplications up to which Newton steps remove rounding errors, which depend on sample order
_MAX_REFINED_PRODUCTS = 3e6


class HeadProblem:
    """Training loss of a head, as a function of the flattened parameters.

    `ridge` is an additional ridge on the intercepts.
    """

    def __init__(self, parameters, settings, ridge=0.0):
        self.names = [n for n in ("coef", "linear", "intercept") if n in parameters]
        self.like = {name: parameters[name] for name in self.names}
        self.settings, self.ridge = settings, ridge

    def flatten(self, arrays):
        """Vector of all parameters, from a mapping of names to arrays."""
        return np.concatenate([to_numpy(arrays[name]).ravel() for name in self.names], dtype=float)

    def unflatten(self, vector):
        """Mapping of names to arrays, from a vector of all parameters."""
        arrays, start = {}, 0
        for name, like in self.like.items():
            n_entries = int(np.prod(like.shape))
            entries = vector[start : start + n_entries].reshape(tuple(like.shape))
            arrays[name], start = astype_like(entries, like), start + n_entries
        return arrays

    def loss_and_gradients(self, vector, inputs, *, ridge=True):
        """Loss, and its gradients with respect to the vector and to the features."""
        arrays = self.unflatten(vector)
        settings = self.settings if ridge else self.settings.without_ridge()
        loss, gradients, grad_features = head_loss_and_gradients(arrays, inputs, settings)
        if self.ridge:
            intercept = arrays["intercept"]
            loss = loss + 0.5 * self.ridge * float(np.sum(to_numpy(intercept) ** 2))
            gradients["intercept"] = gradients["intercept"] + self.ridge * intercept
        return float(loss), self.flatten(gradients), grad_features

    def minimize_loss(self, vector, inputs, *, tol=1e-12, max_iter=1000):
        """Vector that minimises the training loss; raises if the loss is unbounded.

        By L-BFGS, or by a linear system if the loss is the squared one.
        """
        if is_least_squares(self, inputs):
            return LeastSquares(self, inputs).minimiser()

        def objective(vector):
            # a line search may evaluate points where the loss overflows
            with ignore_float_warnings():
                loss, gradient, _ = self.loss_and_gradients(vector, inputs)
            is_finite = np.isfinite(loss) and np.isfinite(gradient).all()
            return (loss, gradient) if is_finite else (_OVERFLOW_LOSS, np.zeros_like(gradient))

        result = minimize(
            objective,
            vector,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": max_iter, "maxcor": 20, "ftol": tol, "gtol": 1e-7},
        )
        if result.fun < 0:  # nonnegative losses need no check
            self._check_bounded(result.x, inputs)
        return result.x

    def _check_bounded(self, vector, inputs):
        """Raise if the loss still decreases far beyond the supposed minimum."""
        without_ridge = HeadProblem(self.like, self.settings)
        with ignore_float_warnings():
            loss, gradient, _ = without_ridge.loss_and_gradients(vector, inputs)
            if self.settings.nu:  # with a ridge only the intercepts can be unbounded
                n_outputs = int(np.prod(self.like["intercept"].shape))
                gradient[:-n_outputs] = 0.0
            steepest = float(np.abs(gradient).max()) or 1.0
            far = vector - _FAR_FACTOR * (1 + float(np.abs(vector).max())) / steepest * gradient
            far_loss = without_ridge.loss_and_gradients(far, inputs)[0]
        if not np.isfinite(loss) or far_loss < loss - 1e3 * (1 + abs(loss)):
            raise ValueError(
                f"loss must be bounded below in the scores, got {self.settings.loss!r}, which "
                f"falls to {min(loss, far_loss):.3g} and further on these targets; check its "
                "value and gradient, and that y is within the range it is meant for."
            )

    def newton_refine(self, vector, inputs):
        """Vector after Newton steps, for uses that need the exact optimum."""
        if is_least_squares(self, inputs):  # which is exact
            return vector
        gradient = self.loss_and_gradients(vector, inputs)[1]
        for _ in range(_NEWTON_STEPS):
            new_vector = vector - self.solve_hessian(vector, inputs, gradient)
            new_gradient = self.loss_and_gradients(new_vector, inputs)[1]
            if not np.linalg.norm(new_gradient) < np.linalg.norm(gradient):
                break
            vector, gradient = new_vector, new_gradient
            if np.linalg.norm(gradient) < _ROUNDING:
                break
        return vector

    def solve_hessian(self, vector, inputs, rhs):
        """Solution q of H q = rhs, H the Hessian of the training loss: by conjugate gradients.

        Zero where the curvature vanishes in floating point, as it may for exponential losses.
        """
        if is_least_squares(self, inputs):
            return LeastSquares(self, inputs).solve_hessian(rhs)
        scale = max(1.0, float(np.abs(vector).max()))

        def product(direction):
            norm = float(np.abs(direction).max()) or 1.0
            step = DIFFERENCE_STEP * scale / norm * direction
            ends = [self.loss_and_gradients(vector + s * step, inputs)[1] for s in (1, -1)]
            return (ends[0] - ends[1]) / (2 * DIFFERENCE_STEP * scale / norm)

        shape = len(vector), len(vector)
        with ignore_float_warnings():
            system: Any = (
                LinearOperator  # its constructor returns a subclass, which checkers reject
            )
            solution, _ = cg(system(shape, matvec=product), rhs, rtol=1e-6, maxiter=200)
        return solution if np.isfinite(solution).all() else np.zeros_like(solution)


def fit_head(state, samples, settings, rng, ridge=0.0):
    """State with the optimal head on the codes of at most 20 000 samples.

    The result does not depend on the learning rate; `ridge` is a ridge on the intercepts.
    """
    batch, n_products = _first_batch(state, samples, rng)
    refine = n_products <= _MAX_REFINED_PRODUCTS
    return _with_fitted_head(state, batch, settings, ridge, refine, tol=1e-8, max_iter=200)


def fit_trial_head(state, samples, settings, rng):
    """State with a head near the optimal one, for a trial training."""
    batch, _ = _first_batch(state, samples, rng)
    return _with_fitted_head(state, batch, settings, refine=False, tol=1e-6, max_iter=100)


def _first_batch(state, samples, rng):
    """Batch of the samples of a first fit, and the number of products of its gradients."""
    n_weights = int(np.prod(state.parameters["coef"].shape))
    n_rows = int(min(_MAX_FIRST_FIT, max(_MIN_FIRST_FIT, _MAX_PRODUCTS / n_weights)))
    rows = rng.permutation(samples.X.shape[0])[:n_rows]
    return samples.batch(rows), len(rows) * n_weights


def refit_head(state, samples, settings):
    """State with the optimal head on the codes of all samples."""
    return _with_fitted_head(state, samples.batch(np.arange(samples.X.shape[0])), settings)


def fit_head_on_codes(parameters, code, target, settings):
    """Parameters of the optimal head on given codes, with equal sample weights."""
    inputs = HeadInput(code / settings.code_scale, target, 0 * target[:, 0] + 1)
    return _fit_parameters(HeadProblem(parameters, settings), parameters, inputs)


def _with_fitted_head(state, batch, settings, ridge=0.0, refine=True, **stop):
    """State with the optimal head on the codes of a batch."""
    problem = HeadProblem(state.parameters, settings, ridge)
    inputs = _head_input_of(state.parameters, batch, settings)
    parameters = _fit_parameters(problem, state.parameters, inputs, refine, **stop)
    return state.with_parameters(**parameters)


def _fit_parameters(problem, parameters, inputs, refine=True, **stop):
    """Parameters of the head that minimise its training loss."""
    vector = problem.minimize_loss(problem.flatten(parameters), inputs, **stop)
    return problem.unflatten(problem.newton_refine(vector, inputs) if refine else vector)


def _head_input_of(parameters, batch, settings):
    """Input of the head for a batch, which is coded first."""
    return make_head_input(encode(parameters, batch.X, settings).code, batch, settings)
