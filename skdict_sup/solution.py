"""Records that functions return: codes with their certificates, and gradients."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._array import is_lazy, is_sparse, namespace, to_numpy
from ._threads import slices
from ._typing import Array

_ROWS_AT_ONCE = 4096  # codes whose nonzeros are counted at once


@dataclass(frozen=True, eq=False)
class Solution:
    """Codes of a batch, each with its certificate.

    Attributes
    ----------
    code : array or scipy.sparse.csr_matrix of shape (n_samples, n_components)
        The sparse codes.
    kkt_residual : array of shape (n_samples,)
        Largest distance of an entry to its optimality condition, relative to the signal's
        largest correlation with an atom.
    duality_gap : array of shape (n_samples,)
        Upper bound on the difference between the objective and its minimum, relative to the
        objective (or to the signal's squared norm times the epsilon of its dtype, if that is
        larger); infinite where no bound is known, NaN for nonconvex priors.
    n_iter : array of shape (n_samples,)
        Iterations of the solver: changes of the support for "homotopy", rounds of sweeps
        for "coordinate_descent", steps for the others.
    converged : boolean array of shape (n_samples,)
        Whether the duality gap, or for smooth priors and greedy codes the optimality residual, is
        at or below the tolerance; without a weight lam, of least squares, also whether the
        residual implies as much, which it does for whole signals and independent atoms. With
        `max_residual` or `max_nonzeros` also whether the code is at a limit: the residual is its
        bound, within the tolerance relative to the norm of the signal.
    objective : array of shape (n_samples,)
        Value of the sparse-coding objective at the code, in squared units of the signals.
    lam : array of shape (n_samples,) or None
        With `max_residual` or `max_nonzeros`, and for `codes_path`, the weight that a code is for,
        in the units of the signals (times the norm of an atom), or the factor of weights of atoms.
        None for greedy codes, and for `encode` without limits.
    residual_norm : array of shape (n_samples,) or None
        With `max_residual` or `max_nonzeros`, the norm of each residual x - w D; else None.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup import ElasticNet, encode
    >>> solution = encode(np.array([[3.0, 0.5]]), np.eye(2), prior=ElasticNet(lam=1.0))
    >>> solution
    Solution(code=(1, 2) float64, nonzeros=1 per signal, converged=1 of 1, largest duality_gap=...)
    >>> solution.nonzeros
    array([1])
    """

    code: Array
    kkt_residual: Array
    duality_gap: Array
    n_iter: Array
    converged: Array
    objective: Array
    lam: Array | None = None
    residual_norm: Array | None = None

    def arrays(self) -> dict[str, Array]:
        """Arrays by name, without those that are None.

        Returns
        -------
        dict
            Names of attributes, and their arrays.
        """
        return {name: part for name, part in vars(self).items() if part is not None}

    @property
    def nonzeros(self) -> Array:
        """Number of nonzero entries of each code: array of int64 of shape (n_samples,)."""
        if not is_lazy(self.code):
            return _count_nonzeros(self.code)
        lazy: Any = self.code
        return lazy.map_blocks(_count_nonzeros, drop_axis=1, meta=np.zeros(0, np.int64))

    def __repr__(self) -> str:
        """Shape of the codes, mean number of nonzeros, how many have converged, largest gap."""
        n, p = self.code.shape
        if is_lazy(self.code):
            return f"Solution(code=({n}, {p}) {self.code.dtype}, lazy)"
        gap = to_numpy(self.duality_gap)
        numbers = gap[~np.isnan(gap)]
        largest = f"{numbers.max():.2g}" if numbers.size else "unknown"
        mean = f"{to_numpy(self.nonzeros).mean():.3g}" if n else "0"
        return (
            f"Solution(code=({n}, {p}) {self.code.dtype}, nonzeros={mean} per signal, "
            f"converged={int(to_numpy(self.converged).sum())} of {n}, "
            f"largest duality_gap={largest})"
        )


def _count_nonzeros(code):
    """Number of nonzero entries of each row of an array or a CSR matrix."""
    if is_sparse(code):
        counts = np.cumsum(code.data != 0, dtype=np.int64)  # zeros may be stored
        return np.diff(np.concatenate([[0], counts])[code.indptr])
    xp, n_rows = namespace(code), code.shape[0]
    parts = [  # without a second array of the size of the codes
        xp.sum(xp.astype(code[rows, :] != 0, xp.int64), axis=1)
        for rows in slices(max(n_rows, 1), _ROWS_AT_ONCE)
    ]
    return xp.concat(parts, axis=0)


@dataclass(frozen=True, eq=False)
class Contributions:
    """Parts of the scores of signals, whose sum is the decision function or the prediction.

    The axis of the outputs exists if these have one: not for two classes, nor for a vector y.

    Attributes
    ----------
    atoms : array of shape (n_samples, n_components) or (n_samples, n_outputs, n_components)
        What each atom adds, in the order of `components_`.
    linear : array of shape (n_samples,) or (n_samples, n_outputs), or None
        What the linear model of the signals adds; None without one.
    intercept : array of shape () or (n_outputs,)
        What is added for every signal.
    """

    atoms: Array
    linear: Array | None
    intercept: Array

    def __repr__(self) -> str:
        """Shapes of the parts."""
        linear = None if self.linear is None else tuple(self.linear.shape)
        return (
            f"Contributions(atoms={tuple(self.atoms.shape)} {self.atoms.dtype}, linear={linear}, "
            f"intercept={tuple(self.intercept.shape)})"
        )

    def total(self) -> Array:
        """Sum of all parts.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_outputs)
            The decision function of a classifier, or the scores of a regressor.
        """
        total = namespace(self.atoms).sum(self.atoms, axis=-1) + self.intercept
        return total if self.linear is None else total + self.linear


@dataclass(frozen=True, eq=False)
class Gradients:
    """Gradients of a scalar function of codes with respect to the inputs of the coding.

    Attributes
    ----------
    dictionary : array of shape (n_components, n_features)
        Gradient for the dictionary, summed over the batch.
    X : array of shape (n_samples, n_features)
        Gradient for the signals, one row for each.
    prior : record
        Gradients for the hyper-parameters of the prior, one field for each, summed over the batch.
    entry_weight : array of shape (n_samples, n_features) or None
        Gradient for the weights of the entries of the signals, zero where a weight is; None for
        signals without weights.
    max_residual : array of shape (n_samples,) or None
        Gradient for the bounds on the residuals, one for each signal; None without bounds.
    """

    dictionary: Array
    X: Array
    prior: Any
    entry_weight: Array | None = None
    max_residual: Array | None = None
