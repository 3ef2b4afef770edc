"""Elastic-net codes from products in float32, certified in float64.

Products with the dictionary take most of the time of short codes, and half as long in float32.
Codes found with them are certified through their residuals, in float64.
"""

from .._array import is_numpy, namespace
from ..certificate import Certificate
from ..kernels import certified_codes
from ..priors import elastic_net_weights, free_atoms, is_plain_elastic_net, weight_of
from ..solvers.homotopy import Homotopy
from .coded import Coded


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


def certified(problem, X, data, code, slope, tol):
    """`Coded` of a slice, given its codes and their slopes."""
    atoms = problem.atoms
    arrays = X.values, atoms.dictionary, atoms.gram, data.corr, code, slope
    code, *parts = certified_codes(*arrays, *elastic_net_weights(problem.prior, code), tol)
    return Coded(code, Certificate(*parts))
