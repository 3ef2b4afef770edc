"""The layer of codes: signals, projected or not, coded by one dictionary or one for each output.

Several dictionaries are the blocks of one matrix, one after another, and so are their codes.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .._array import namespace, on_host
from .._atoms import Atoms
from .._threads import effective_n_jobs, map_threads
from ..execution import solve
from ..implicit import pull_back, solve_adjoints
from ..problem import Problem


@dataclass(frozen=True, eq=False)
class Coded:
    """Codes for each dictionary, the signals they are codes of, and the problem of each."""

    signals: Any
    problems: tuple
    codes: list

    @cached_property
    def code(self):
        """Codes (n_samples, n_blocks * n_components)."""
        if len(self.codes) == 1:
            return self.codes[0]
        return namespace(self.codes[0]).concat(self.codes, axis=1)


def seen(parameters, X):
    """Signals, or a batch of them, as the dictionary sees them."""
    return X @ parameters["projection"].T if "projection" in parameters else X


def _threads(settings, problems):
    """Threads within a problem, and problems at a time; a device is fed by one thread."""
    jobs = effective_n_jobs(settings.n_jobs) if on_host(problems[0].dictionary) else 1
    return (jobs, 1) if len(problems) == 1 else (1, jobs)


def encoded(parameters, X, settings):
    """Codes of signals, or of a batch of them."""
    signals, dictionary = seen(parameters, X), parameters["dictionary"]
    p = dictionary.shape[0] // settings.n_blocks
    problems = tuple(
        Problem(settings.reconstruction, settings.prior, Atoms(dictionary[k * p : (k + 1) * p, :]))
        for k in range(settings.n_blocks)
    )
    inner, outer = _threads(settings, problems)

    def codes_for(problem):
        return solve(problem, signals, settings.solver, n_jobs=inner).code

    return Coded(signals, problems, map_threads(codes_for, problems, outer))


def gradients(coded, cotangent, parameters, X, settings):
    """Gradients of dictionary (and projection) for one in the codes, and the amplification.

    The amplification is the norm of the adjoints over that of the gradient in the codes; it is at
    most 1 / lam2, and large where the atoms of a code are nearly dependent.
    """
    xp = namespace(X)
    inner, outer = _threads(settings, coded.problems)
    p = coded.problems[0].dictionary.shape[0]

    def back(k):
        problem, code = coded.problems[k], coded.codes[k]
        part = cotangent[:, k * p : (k + 1) * p]
        beta = solve_adjoints(problem, code, part, inner)
        found = pull_back(problem, coded.signals, code, beta, inner)
        return found.dictionary, found.X, xp.sum(beta * beta)

    toward, toward_signals, squares = zip(
        *map_threads(back, range(len(coded.problems)), outer), strict=True
    )
    found = {"dictionary": toward[0] if len(toward) == 1 else xp.concat(toward, axis=0)}
    if "projection" in parameters:
        total: Any = sum(toward_signals)
        found["projection"] = total.T @ X
    given = xp.sum(cotangent * cotangent)
    return found, xp.sqrt(sum(squares) / xp.where(given > 0, given, xp.ones_like(given)))


def reconstruction_term(coded, scale):
    """Mean sparse-coding objective of signals over a scale, and its gradient in the dictionary.

    By the envelope theorem the codes count as constants: -w' (x - f(w D)).
    """
    xp = namespace(coded.signals)
    share = 1.0 / (scale * coded.signals.shape[0])
    total, toward = 0.0, []
    for problem, code in zip(coded.problems, coded.codes, strict=True):
        total = total + share * xp.sum(problem.objective(problem.observe(coded.signals), code))
        residual = coded.signals - problem.reconstruct(code)
        toward.append(-share * (code.T @ residual))
    return total, toward[0] if len(toward) == 1 else xp.concat(toward, axis=0)
