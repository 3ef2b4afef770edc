"""Codes of a batch for several priors, whose weights decrease, along one path."""

from dataclasses import dataclass

from ..kernels import elastic_net_path
from ..priors import is_per_atom
from ..problem import Problem
from ..solvers.homotopy import Homotopy, clip_negative
from .precision import Coder


@dataclass(frozen=True)
class PathCoder:
    """Codes slices of signals for each of several priors.

    `coders` has one for each prior: that of `problem` with its weights multiplied by a factor.
    The factors decrease.
    """

    problem: Problem
    coders: tuple[Coder, ...]
    factors: tuple[float, ...]

    def code(self, X, init, rows):
        """Code a slice: the result of `Coder.code` for each prior."""
        first = self.coders[0]
        is_exact = isinstance(first.solver, Homotopy) and first.solver.max_iter is None
        if init is None and is_exact and first.is_in_range(X):
            return self._along_path(X)
        results = []
        for coder in self.coders:
            results.append(coder.code(X, init, rows))
            init = results[-1][0].code
        return results

    def _along_path(self, X):
        """Results by one homotopy for each signal."""
        problem, observed = self.problem, self.coders[0].observe(X)
        data, prior = observed[0], problem.prior
        lams, weights = [factor * prior.lam for factor in self.factors], None
        if is_per_atom(prior.lam):
            lams, weights = self.factors, prior.weight(data.corr)
        gram = problem.gram if X.weight is None else None
        entries = (None, None) if X.weight is None else (problem.dictionary, X.weight)
        settings = lams, prior.lam2, prior.positive, weights
        arrays, results = elastic_net_path(gram, data.corr, *settings, *entries), []
        for place, coder in enumerate(self.coders):
            code, slope, n_iter = (array[place, ...] for array in arrays)
            if prior.positive:
                code, slope = clip_negative(problem, data, code, slope)
            results.append(coder.accept(X, observed, code, slope, n_iter))
        return results
