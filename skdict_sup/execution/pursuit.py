"""Orthogonal matching pursuit: greedy codes to a limit on nonzeros or on the residual.

Each step adds the atom with the largest correlation with the residual, and the code becomes that
of least squares on the atoms so far. Codes are certified as such: no bound on the distance to the
best support is known, so that their duality gap is NaN.
"""

from dataclasses import dataclass, replace

from .._array import namespace, set_rows, take_rows, to_numpy
from ..certificate import Certificate
from ..kernels import matching_pursuit_codes
from .limit_coder import LimitCoder, squared
from .limits import Reached


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

    def _codes(self, problem, X, data, bound):
        """Greedy codes, their slopes and iterations; None stands for weights."""
        corr, sq_norm, (gram, *entries) = self._kernel_input(problem, X, data)
        limits = self.limits.max_nonzeros, squared(bound, corr)
        code, slope, n_iter = matching_pursuit_codes(gram, corr, sq_norm, *limits, *entries)
        return code, slope, None, n_iter

    def _reached(self, X, code, mu, norm, n_iter, bound):
        """Codes stop at the first limit that they meet, or at least squares over all atoms."""
        is_done = self._count(code) == (self.limits.max_nonzeros or -1)
        if bound is not None:
            is_done = is_done | (norm <= bound + self._slack(X))
        is_least, rows = is_done & False, to_numpy(~is_done).nonzero()[0]
        if len(rows):
            is_least = set_rows(
                is_least, self._is_least(X.rows(rows), take_rows(code, rows)), rows
            )
        if bound is None:
            return Reached(None, norm, is_done | is_least, is_done & False, n_iter)
        return Reached(None, norm, is_done, is_least, n_iter)

    def _is_least(self, X, code):
        """Whether no atom is left that would lower the residual."""
        data = self.problem.wide.observe(X)
        slope = self.problem.wide.slope(data, code)
        return data.relative_residual(namespace(code).abs(slope)) <= self.tol

    def _certificate(self, data, code, mu, slope, unit):
        """Violation of the normal equations on the support, relative to the correlations."""
        xp = namespace(code)
        violation = xp.where(code != 0, xp.abs(slope), xp.zeros_like(slope))
        residual = data.relative_residual(violation)
        objective = 0.5 * (data.offset - xp.vecdot(code, data.corr + slope, axis=-1))
        nan, infinite = xp.full_like(residual, xp.nan), xp.full_like(residual, xp.inf)
        return Certificate(xp.where(xp.isfinite(residual), residual, infinite), nan, objective)

    def _certificate_from_residuals(self, X, code, mu, unit, before=None):
        """The same with slopes and objectives from the residuals."""
        wide = self.problem.wide
        residual = X.values - code @ wide.dictionary
        residual = residual if X.weight is None else residual * X.weight
        slope = residual @ wide.dictionary.T
        norm = self._residual_norm(X, code)
        found = self._certificate(wide.observe(X), code, mu, slope, unit)
        return replace(found, objective=0.5 * norm * norm)
