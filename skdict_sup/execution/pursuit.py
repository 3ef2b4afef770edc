"""Orthogonal matching pursuit: greedy codes to a limit on nonzeros or on the residual.

Each step adds the atom with the largest correlation with the residual, and the code becomes that
of least squares on the atoms so far. Codes are certified as such: no bound on the distance to the
best support is known, so that their duality gap is NaN.
"""

from dataclasses import dataclass

from .._array import namespace
from ..certificate import Certificate
from ..kernels import matching_pursuit_codes
from .limits import LimitCoder, Reached, squared


@dataclass(frozen=True, eq=False)
class PursuitCoder(LimitCoder):
    """Greedy codes of slices of signals."""

    @property
    def is_by_residual(self):
        """Whether the optimality residual, not the duality gap, decides on convergence."""
        return True

    def converged(self, certificate, reached):
        """Whether codes are those of least squares on their supports, and at their limits."""
        return (certificate.kkt_residual <= self.tol) & reached.is_feasible

    def _codes(self, problem, X, bound):
        """Greedy codes and their iterations; None stands for weights."""
        corr, sq_norm, (gram, *entries) = self._kernel_input(problem, X)
        limits = self.limits.max_nonzeros, squared(bound, corr)
        code, _, n_iter = matching_pursuit_codes(gram, corr, sq_norm, *limits, *entries)
        return code, None, n_iter

    def _reached(self, X, code, mu, norm, n_iter, bound):
        """Codes may stop at either limit, where the other one is met as well or not."""
        is_feasible = self._is_within_count(code)
        is_low = is_feasible & False
        if bound is not None:
            is_full = self._count(code) == (self.limits.max_nonzeros or code.shape[1] + 1)
            is_within = (norm <= bound + self._slack(X)) | is_full
            is_low, is_feasible = ~is_within, is_feasible & is_within
        return Reached(None, norm, is_feasible, is_low, n_iter)

    def _certificate(self, X, code, mu, unit):
        """Violation of the normal equations on the support, relative to the correlations."""
        xp, wide = namespace(code), self.problem.wide
        data = wide.observe(X)
        residual = X.values - code @ wide.dictionary
        residual = residual if X.weight is None else residual * X.weight
        slope = residual @ wide.dictionary.T
        violation = xp.where(code != 0, xp.abs(slope), xp.zeros_like(slope))
        norm = self._residual_norm(X, code)
        gap = xp.full_like(norm, xp.nan)
        return Certificate(data.relative_residual(violation), gap, 0.5 * norm * norm)
