"""Records that functions return: codes with their certificates, and gradients."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._array import is_lazy, to_numpy
from ._typing import Array


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
        at or below the tolerance; without a weight lam, of least squares, either of the two. With
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

    def __repr__(self) -> str:
        """Shape of the codes, number of converged codes and largest duality gap."""
        n, p = self.code.shape
        if is_lazy(self.code):
            return f"Solution(code=({n}, {p}) {self.code.dtype}, lazy)"
        gap = to_numpy(self.duality_gap)
        numbers = gap[~np.isnan(gap)]
        largest = f"{numbers.max():.2g}" if numbers.size else "unknown"
        return (
            f"Solution(code=({n}, {p}) {self.code.dtype}, "
            f"converged={int(to_numpy(self.converged).sum())} of {n}, "
            f"largest duality_gap={largest})"
        )


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
