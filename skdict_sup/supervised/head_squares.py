"""Optimal linear heads of the squared loss: the solutions of linear systems."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from .._array import is_array, to_numpy
from ..losses import Square
from .heads import LinearHead

_MAX_COLUMNS = 1000  # features, signals and the constant: beyond, a Gram matrix costs too much
_LEAST_PIVOT = 1e-13  # that of a matrix with ones on its diagonal: below is rounding
_N_STEPS = 2  # the second one removes what rounding of the Gram matrix has left


def is_least_squares(problem, inputs):
    """Whether the optimal head is the solution of a linear system of moderate size."""
    head, signals = problem.settings.head, inputs.signals
    n_columns = inputs.features.shape[1] + (0 if signals is None else signals.shape[1]) + 1
    return (
        type(problem.settings.loss) is Square  # a subclass may have another value
        and type(head) is LinearHead
        and (signals is None or is_array(signals))
        and n_columns <= _MAX_COLUMNS
    )


class LeastSquares:
    """Training loss of a linear head, a quadratic function of its parameters theta.

    It is 1 / 2 sum_i w_i ||A_i theta - y_i||^2 + 1 / 2 sum_j nu_j ||theta_j||^2, where A has the
    features, the signals if the head has a linear path, and ones, and weights w sum to one.
    """

    def __init__(self, problem, inputs):
        self.problem = problem
        self.widths = [problem.like[name].shape[1] for name in problem.names]
        columns = {"coef": inputs.features, "linear": inputs.signals}
        columns["intercept"] = np.ones((inputs.target.shape[0], 1))
        self.design = np.hstack([_host(columns[name]) for name in problem.names])
        self.target, weight = _host(inputs.target), _host(inputs.weight)[:, None]
        self.weight = weight / weight.sum()
        nus = problem.settings.ridges() | {"intercept": problem.ridge}
        nu = [float(nus[name]) for name in problem.names]
        self.nu = np.repeat(nu, self.widths)[:, None]
        hessian = self.design.T @ (self.weight * self.design) + np.diag(self.nu[:, 0])
        self._solve = _solver(hessian)

    def minimiser(self):
        """Vector of the parameters at the minimum."""
        theta = np.zeros((self.design.shape[1], self.target.shape[1]))
        for _ in range(_N_STEPS):
            errors = self.weight * (self.design @ theta - self.target)
            theta = theta - self._solve(self.design.T @ errors + self.nu * theta)
        return self._vector(theta)

    def solve_hessian(self, rhs):
        """Solution q of H q = rhs for a vector, with H the Hessian."""
        n_outputs = self.target.shape[1]
        parts = np.split(rhs, n_outputs * np.cumsum(self.widths)[:-1])
        theta = np.hstack([part.reshape(n_outputs, -1) for part in parts]).T
        return self._vector(self._solve(theta))

    def _vector(self, theta):
        """Parameters, one column for each output, as a vector: array after array."""
        parts = np.split(theta, np.cumsum(self.widths)[:-1])
        return np.concatenate([part.T.ravel() for part in parts])


def _host(array):
    """An array in host memory, in float64."""
    return to_numpy(array).astype(np.float64, copy=False)


def _solver(matrix):
    """Function that solves systems with a positive semidefinite matrix, singular ones too."""
    diagonal = matrix.diagonal()
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))[:, None]
    scaled = scale * matrix * scale.T  # free of the units of the columns
    try:
        factor = cho_factor(scaled)
        is_regular = factor[0].diagonal().min() ** 2 > _LEAST_PIVOT
    except LinAlgError:
        is_regular = False
    if is_regular:
        return lambda rhs: scale * cho_solve(factor, scale * rhs)
    inverse = np.linalg.pinv(scaled, rcond=_LEAST_PIVOT, hermitian=True)
    return lambda rhs: scale * (inverse @ (scale * rhs))
