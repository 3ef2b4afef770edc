"""Elastic-net codes from products in float32, certified in float64.

Products with the dictionary take most of the time of short codes, and half as long in float32.
Codes found with them are certified through their residuals, in float64.
"""

from .._array import is_numpy, namespace, set_rows, take_rows
from .._records import Data
from ..certificate import Certificate
from ..kernels import certified_codes, product_rounding
from ..priors import (
    elastic_net_weights,
    free_atoms,
    is_plain_elastic_net,
    least_weight,
    weight_of,
)
from ..solvers.homotopy import Homotopy
from .coded import Coded

_MAX_ERROR = 2.0**-10  # bound on errors of products in float32, relative to lam


def multiplies_in_float32(problem, solver):
    """Whether products in float32 are enough for the codes of a problem without entry weights."""
    dictionary, prior = problem.dictionary, problem.prior
    return (
        is_numpy(dictionary)
        and dictionary.dtype == namespace(dictionary).float32
        and isinstance(solver, Homotopy)
        and problem.reconstruction.quadratic
        and is_plain_elastic_net(prior)
        and weight_of(prior) > 0.0
        and not len(free_atoms(prior))
    )


def observe(problem, X, offset):
    """`Data` of a slice, and which of its correlations have been computed in float64.

    These are those of signals whose products in float32 have errors that lam does not hide.
    """
    atoms = problem.atoms
    longest = atoms.sq_norm_range[1] ** 0.5
    error = product_rounding(X.shape[1]) * longest / least_weight(problem.prior)
    is_exact = ~(error * error * offset <= _MAX_ERROR * _MAX_ERROR)
    corr = atoms.own_correlations(X.values)
    rows = is_exact.nonzero()[0]
    if len(rows):
        corr = set_rows(corr, atoms.correlations(take_rows(X.values, rows)), rows)
    return Data(corr, offset), is_exact


def certified(problem, X, data, is_exact, code, slope, tol):
    """`Coded` of a slice, given its codes and their slopes."""
    atoms = problem.atoms
    arrays = X.values, atoms.dictionary, atoms.gram, data.corr, code, slope
    weights = elastic_net_weights(problem.prior, code)
    code, *parts = certified_codes(*arrays, *weights, tol, is_exact)
    return Coded(code, Certificate(*parts))
