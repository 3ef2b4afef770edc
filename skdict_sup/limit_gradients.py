r"""Gradients through codes at a limit on the residual or on the number of nonzeros.

The weight mu of such a code is a function of the data too. With S the support, H the Hessian, c
the weights of atoms times the signs of the code, t the slope on S, g the gradient for the code:

- at a bound b on the residual r, its norm is b, beside the optimality condition. With
  :math:`q = H^{-1} c` and :math:`\kappa = \langle g, q \rangle / \langle t, q \rangle`, the
  adjoint is :math:`H^{-1} (g - \kappa t)`, signals get :math:`\kappa r` in addition, and the bound
  gets :math:`-\kappa b`;
- where another atom e would enter, its correlation equals its bound. The adjoint has an entry for
  this atom, such that :math:`H a_S + G_{Se} a_e = g`,
  :math:`\langle c, a_S \rangle + c_e a_e = 0`.
"""

from dataclasses import dataclass
from typing import Any

from ._array import device_of, eps, namespace
from ._records import as_observations
from ._threads import effective_n_jobs
from .adjoints import solve_adjoints
from .priors import ElasticNet, elastic_net_weights, is_per_atom
from .solution import Gradients

_TIE = 1e-5  # relative distance of a correlation to its bound that counts as none, in float64


def _tie(code):
    """`_TIE` for the dtype of a code."""
    return _TIE if eps(code) < 1e-10 else 1e-3


@dataclass(frozen=True, eq=False)
class _Terms:
    """What the gradients of a batch are computed from."""

    problem: Any
    X: Any
    code: Any
    plain: Any  # residuals
    residual: Any  # the same with the weights of entries
    slope: Any
    pulls: Any  # weights of atoms times signs of the code
    mu: Any
    n_jobs: Any

    @property
    def has_weight(self):
        """Whether the weight of a code is above rounding."""
        xp = namespace(self.code)
        corr = self.problem.correlations(self.X)
        top = xp.max(xp.abs(corr), axis=1)
        return self.mu > _tie(self.code) ** 2 * top

    def solve(self, rhs):
        """Solutions of the systems of the supports."""
        return solve_adjoints(self.problem, self.code, rhs, self.X.weight, self.n_jobs)


@dataclass(frozen=True, eq=False)
class LimitedAdjoints:
    """Adjoints of codes at limits, from which all gradients follow."""

    terms: _Terms
    adjoint: Any  # like the codes
    has_lam: Any  # which codes are for the number lam of the prior: (n_samples,)
    factor: Any = None  # the factor of each residual in the gradients; None without bounds
    bound: Any = None

    def pull_back(self, n_jobs=None):
        """`Gradients` of the batch."""
        terms, factor = self.terms, self.factor
        problem, X, code = terms.problem, terms.X, terms.code
        found = problem.vjp(X, code, self.adjoint, effective_n_jobs(n_jobs))
        dictionary, signals, weights = found
        xp, grad_bound = namespace(code), None
        if factor is not None:
            residual = terms.residual
            signals = signals + factor[:, None] * residual
            dictionary = dictionary - code.T @ (factor[:, None] * residual)
            if weights is not None:
                extra = 0.5 * factor[:, None] * terms.plain * terms.plain
                weights = weights + xp.where(X.weight > 0, extra, xp.zeros_like(extra))
            grad_bound = -factor * self.bound
        prior = _prior_gradients(problem.prior, terms, self.adjoint, self.has_lam)
        return Gradients(dictionary, signals, prior, weights, grad_bound)


def limited_adjoints(problem, X, code, cotangent, limits, bound, n_jobs=None):
    """Adjoints of a batch of codes at `Limits`; `bound` is an array (n_samples,), or None."""
    terms = _terms(problem, as_observations(X), code, n_jobs)
    least_lam = problem.prior.lam if limits.ends_at_lam else 0.0
    none = terms.mu < 0
    if bound is None:
        adjoint, is_tied = _adjoint_at_count(terms, cotangent, least_lam)
        return LimitedAdjoints(terms, adjoint, ~is_tied if limits.ends_at_lam else none)
    adjoint, factor = _adjoint_at_residual(terms, cotangent)
    if limits.max_nonzeros is not None:  # codes that end at the count do not meet the bound
        xp = namespace(code)
        is_full = _is_at_count(terms, limits.max_nonzeros, bound)
        at_count, _ = _adjoint_at_count(terms, cotangent, least_lam)
        adjoint = xp.where(is_full[:, None], at_count, adjoint)
        factor = xp.where(is_full, xp.zeros_like(factor), factor)
    return LimitedAdjoints(terms, adjoint, none, factor, bound)


def _is_at_count(terms, max_nonzeros, bound):
    """Whether codes have all nonzeros that they may have, and residuals above their bounds."""
    xp, code = namespace(terms.code), terms.code
    weights = terms.problem.prior.weight(code)
    is_counted = (code != 0) & (code * 0 + weights > 0)
    norm = xp.sqrt(xp.vecdot(terms.residual, terms.plain, axis=-1))
    count = xp.sum(xp.astype(is_counted, xp.int64), axis=1)
    return (count == max_nonzeros) & (norm > (1 + _tie(code)) * bound)


def _terms(problem, X, code, n_jobs):
    """Residuals, slopes and weights mu of codes."""
    xp, prior = namespace(code), problem.prior
    plain = X.values - code @ problem.dictionary
    residual = plain if X.weight is None else plain * X.weight
    slope = residual @ problem.dictionary.T
    lam, lam2, _ = elastic_net_weights(prior, code)
    weights = lam if is_per_atom(prior.lam) else xp.ones_like(code[0, :])
    pulls = weights * xp.sign(code)
    squares = xp.vecdot(pulls, pulls, axis=-1)
    along = xp.sum(pulls * (slope - lam2 * code), axis=1)
    mu = along / xp.where(squares > 0, squares, xp.ones_like(squares))
    mu = xp.maximum(mu, xp.zeros_like(mu))
    return _Terms(problem, X, code, plain, residual, slope, pulls, mu, n_jobs)


def _adjoint_at_residual(terms, cotangent):
    """Adjoints of codes at a bound on the residual, and the factors of the residuals."""
    xp, code = namespace(terms.code), terms.code
    support = terms.problem.prior.support(code)
    t = xp.where(support, terms.slope, xp.zeros_like(code))
    adjoint, q = terms.solve(cotangent), terms.solve(terms.pulls)
    scale = xp.sum(t * q, axis=1)
    # without a weight, the code is that of least squares, or zero whatever the bound
    is_bound = terms.has_weight & (scale > 0)
    one = xp.ones_like(scale)
    factor = xp.sum(cotangent * q, axis=1) / xp.where(is_bound, scale, one)
    factor = xp.where(is_bound, factor, xp.zeros_like(factor))
    return adjoint - factor[:, None] * terms.solve(t), factor


def _adjoint_at_count(terms, cotangent, least_lam):
    """Adjoints of codes where another atom would enter, or at a fixed weight; which is tied."""
    xp, code, problem = namespace(terms.code), terms.code, terms.problem
    prior = problem.prior
    zero = xp.zeros_like(code)
    lam, lam2, positive = elastic_net_weights(prior, code)
    weights = zero + (lam if is_per_atom(prior.lam) else 1.0)
    u = terms.slope - lam2 * code
    size = u if positive else xp.abs(u)
    may_enter = (code == 0) & (weights > 0)
    ratio = xp.where(may_enter, size / xp.where(weights > 0, weights, zero + 1), zero)
    atoms = xp.arange(code.shape[1], device=device_of(code))[None, :]
    entrant = atoms == xp.argmax(ratio, axis=1)[:, None]
    tie = _tie(code)
    is_tied = (xp.max(ratio, axis=1) >= (1 - tie) * terms.mu) & terms.has_weight
    is_tied = is_tied & (terms.mu > (1 + tie) * least_lam)
    indicator = xp.where(entrant & is_tied[:, None], zero + 1, zero)
    column = problem.product(indicator, code, terms.X.weight)
    pull = xp.sum(indicator * weights * xp.sign(u), axis=1)
    adjoint, q = terms.solve(cotangent), terms.solve(terms.pulls)
    along = pull - xp.sum(q * column, axis=1)
    is_tied = is_tied & (along != 0)
    entry = -xp.sum(q * cotangent, axis=1) / xp.where(is_tied, along, xp.ones_like(along))
    entry = xp.where(is_tied, entry, xp.zeros_like(entry))[:, None]
    return adjoint + entry * (indicator - terms.solve(column)), is_tied


def _prior_gradients(prior, terms, adjoint, has_lam):
    """Gradients for the hyper-parameters; a number lam has one of the codes that end at it."""
    xp = namespace(adjoint)
    found = ElasticNet(prior.lam, prior.lam2, prior.positive).pull_back(terms.code, adjoint)
    if not is_per_atom(prior.lam):
        lam = -xp.sum(adjoint * xp.sign(terms.code), axis=1)
        lam = xp.sum(xp.where(has_lam, lam, xp.zeros_like(lam)))
        return type(found)(lam=lam, lam2=found.lam2)
    # slopes of atoms without penalty are zero but for rounding, those of an entrant are not
    signs = xp.sign(terms.slope - prior.lam2 * terms.code)
    signs = xp.where(terms.code != 0, xp.sign(terms.code), signs)
    grad_lam = -xp.sum(terms.mu[:, None] * adjoint * signs, axis=0)
    return type(found)(lam=grad_lam, lam2=found.lam2)
