"""Coding layer: sparse codes of signals, with an optional projection, and its gradients.

There is one dictionary, or one for each output: they are blocks of rows of one matrix, and their
codes are blocks of columns.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .._array import astype_like, namespace, on_host
from .._atoms import Atoms
from .._records import as_observations
from .._threads import effective_n_jobs, map_threads
from .._weighted_signals import signals_of
from ..adjoints import solve_adjoints
from ..execution import Limits, solve, solve_path
from ..limit_gradients import limited_adjoints
from ..priors import scaled
from ..problem import Problem


@dataclass(frozen=True, eq=False)
class Coded:
    """Codes over each dictionary, with the projected signals and the coding problems."""

    signals: Any
    problems: tuple
    codes: list

    @cached_property
    def code(self):
        """Codes (n_samples, n_blocks * n_components)."""
        if len(self.codes) == 1:
            return self.codes[0]
        return namespace(self.codes[0]).concat(self.codes, axis=1)


def project(parameters, X):
    """Projected signals, or the signals themselves if there is no projection."""
    return X @ parameters["projection"].T if "projection" in parameters else X


def _thread_counts(settings, problems):
    """Numbers of threads within a problem and across problems; one thread for a device."""
    is_on_host = on_host(problems[0].dictionary)
    n_threads = effective_n_jobs(settings.n_jobs) if is_on_host else 1
    return (n_threads, 1) if len(problems) == 1 else (1, n_threads)


def encode(parameters, X, settings, atoms=None, tol=None):
    """Codes of signals, or of a batch of them, over each dictionary: a `Coded` record.

    `atoms` are `atoms_of_blocks` of the parameters, if they are known already, and `tol` is the
    tolerance of the codes, None for that of `encode`.
    """
    atoms = atoms_of_blocks(parameters, settings.n_blocks) if atoms is None else atoms
    signals, problems = project(parameters, X), _problems(atoms, settings)
    n_jobs_inside, n_jobs_outside = _thread_counts(settings, problems)

    def codes_for(problem):
        X = signals_of(signals)
        return solve(problem, X, settings.solver, tol=tol, n_jobs=n_jobs_inside).code

    return Coded(signals, problems, map_threads(codes_for, problems, n_jobs_outside))


def encode_path(parameters, X, settings, factors):
    """A `Coded` for each of some decreasing factors of the weight lam, by one path."""
    atoms = atoms_of_blocks(parameters, settings.n_blocks)
    signals, problems = project(parameters, X), _problems(atoms, settings)
    paths = [
        solve_path(problem, signals_of(signals), settings.solver, factors, n_jobs=settings.n_jobs)
        for problem in problems
    ]
    priors = [scaled(settings.prior, factor) for factor in factors]
    return [
        Coded(signals, tuple(p.with_prior(prior) for p in problems), [s.code for s in solutions])
        for prior, *solutions in zip(priors, *paths, strict=True)
    ]


def atoms_of_blocks(parameters, n_blocks):
    """`Atoms` of each dictionary."""
    dictionary = parameters["dictionary"]
    p = dictionary.shape[0] // n_blocks
    return tuple(Atoms(dictionary[k * p : (k + 1) * p, :]) for k in range(n_blocks))


def _problems(atoms, settings):
    """Coding problem for each dictionary."""
    return tuple(Problem(settings.reconstruction, settings.prior, each) for each in atoms)


def vjp(coded, grad_code, parameters, X, settings):
    """Gradients with respect to dictionary and projection, and the amplification.

    The amplification is the norm of the adjoints over that of `grad_code`, the gradient with
    respect to the codes. It is at most 1 / lam2, and large where the atoms of a code are nearly
    linearly dependent.
    """
    xp, signals = namespace(grad_code), as_observations(coded.signals)
    n_jobs_inside, n_jobs_outside = _thread_counts(settings, coded.problems)
    p, is_projected = coded.problems[0].dictionary.shape[0], "projection" in parameters

    def block_vjp(k):
        problem, code = coded.problems[k], coded.codes[k]
        grad_block = grad_code[:, k * p : (k + 1) * p]
        adjoint, *block_gradients = _block_gradients(
            problem, signals, code, grad_block, settings, n_jobs_inside, is_projected
        )
        return *block_gradients, xp.sum(adjoint * adjoint)

    grad_dictionaries, grad_signals, sq_norms = zip(
        *map_threads(block_vjp, range(len(coded.problems)), n_jobs_outside), strict=True
    )
    single = len(grad_dictionaries) == 1
    grad_dictionary = grad_dictionaries[0] if single else xp.concat(grad_dictionaries, axis=0)
    gradients = {"dictionary": grad_dictionary}
    if is_projected:
        total: Any = sum(grad_signals)
        gradients["projection"] = total.T @ X
    sq_norm = xp.sum(grad_code * grad_code)
    ratio = sum(sq_norms) / xp.where(sq_norm > 0, sq_norm, xp.ones_like(sq_norm))
    return gradients, xp.sqrt(ratio)


def _block_gradients(problem, signals, code, grad_code, settings, n_jobs, is_projected):
    """Adjoints of codes over one dictionary, and gradients for it and for projected signals."""
    solver = settings.solver
    if not isinstance(solver, Limits):
        adjoint = solve_adjoints(problem, code, grad_code, signals.weight, n_jobs, settings.tol)
        gradients = problem.vjp(signals, code, adjoint, n_jobs, signals=is_projected)
        return adjoint, *gradients[:2]
    bound = solver.bounds(slice(None), code.shape[0])
    bound = None if bound is None else astype_like(bound, code)
    limited = limited_adjoints(problem, signals, code, grad_code, solver, bound, n_jobs)
    found = limited.pull_back(n_jobs)
    return limited.adjoint, found.dictionary, found.X


def reconstruction_cost(coded, scale):
    """Mean sparse-coding objective divided by a scale, and its gradient in the dictionary.

    By the envelope theorem the codes are constants in the gradient, -w' (x - f(w D)).
    """
    signals = as_observations(coded.signals)
    xp, weight = namespace(signals.values), 1.0 / (scale * signals.shape[0])
    total, gradients = 0.0, []
    for problem, code in zip(coded.problems, coded.codes, strict=True):
        total = total + weight * xp.sum(problem.objective(problem.observe(signals), code))
        residual = signals.values - problem.reconstruct(code)
        residual = residual if signals.weight is None else signals.weight * residual
        gradients.append(-weight * (code.T @ residual))
    return total, gradients[0] if len(gradients) == 1 else xp.concat(gradients, axis=0)
