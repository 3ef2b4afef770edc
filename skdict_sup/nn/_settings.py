"""Arguments of the coding operators: a text for choices, a tensor for numbers.

Operators take tensors and constants. The text has the kind of the prior, its switches, the names
of its hyper-parameters and the options of the solver; compilers of graphs treat it as a constant.
The values of the hyper-parameters, which may be learned, are in one float64 tensor.
"""

from ast import literal_eval
from functools import lru_cache
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch

from .._array import as_numpy_view, to_numpy
from .._atoms import Atoms
from .._validation import check_scalar
from ..coding import make_solver
from ..priors import (
    KL,
    TO_DIFFERENTIATE,
    ElasticNet,
    Lp,
    as_prior,
    check_components,
    check_methods,
    settings_of,
)
from ..problem import Problem
from ..reconstruction import as_reconstruction

_KINDS = {kind.__name__: kind for kind in (ElasticNet, KL, Lp)}
_NAMES = {
    ElasticNet: ("lam", "lam2", "positive"),
    KL: ("lam", "p", "positive"),
    Lp: ("lam", "exponent"),
}
_custom_priors: Any = WeakValueDictionary()  # by the text of their id


def settings_by_name(prior):
    """Hyper-parameters and switches of a prior by name; compilers can trace those of ours."""
    kind = type(prior)
    if kind in _NAMES:
        return {name: getattr(prior, name) for name in _NAMES[kind]}
    return settings_of(prior)


def describe(prior, lengths, options) -> str:
    """Text for a prior and options of the solver.

    `lengths` has the names of the hyper-parameters in the tensor, each with None for a number or
    the length of a vector; `options` has the values of `OPTIONS`.
    """
    kind = type(prior)
    if kind in _NAMES:
        name, switches = kind.__name__, []
        for key, value in settings_by_name(prior).items():
            if isinstance(value, bool):
                switches.append((key, value))
    else:
        name, switches = str(id(prior)), []
        _custom_priors[name] = prior
    plain = [value.item() if isinstance(value, np.generic) else value for value in options]
    return repr((name, tuple(switches), tuple(lengths.items()), tuple(plain)))


OPTIONS = "transfer", "solver", "tol", "max_iter", "n_jobs"


@lru_cache(maxsize=256)
def _parsed(text):
    kind, switches, lengths, options = literal_eval(text)
    return kind, dict(switches), dict(lengths), dict(zip(OPTIONS, options, strict=True))


def custom_prior_of(text):
    """Custom prior that a text refers to, or None; a backward pass needs it alive."""
    return _custom_priors.get(_parsed(text)[0])


def prior_of(text, weights):
    """Prior that a text and the tensor of its hyper-parameters describe."""
    kind, values, lengths, _ = _parsed(text)
    numbers, start = to_numpy(weights), 0
    values = dict(values)
    for name, length in lengths.items():
        stop = start + (1 if length is None else length)
        values[name] = float(numbers[start]) if length is None else numbers[start:stop].copy()
        start = stop
    if kind in _KINDS:
        prior = _KINDS[kind](**values)
        prior.check()
        return prior
    prior = _custom_priors.get(kind)
    if prior is None:
        raise RuntimeError(
            "the custom prior of these codes does not exist any more: graphs that are compiled or "
            "exported with one run in the same process, as long as there is a reference to it."
        )
    prior = as_prior(type(prior)(**settings_of(prior) | values) if values else prior)
    check_methods(prior, TO_DIFFERENTIATE, "to be the prior of a layer")
    return prior


def packed_gradients(text, record, like):
    """Gradients for the tensor of hyper-parameters, from a record with a field for each."""
    names = _parsed(text)[2]
    parts = [np.atleast_1d(to_numpy(getattr(record, name))) for name in names]
    packed = np.concatenate([np.zeros(0), *parts])
    return torch.as_tensor(packed, dtype=like.dtype, device=like.device)


def problem_of(text, weights, dictionary, gram=None):
    """Problem of the arguments of an operator, on NumPy arrays for tensors in host memory."""
    prior = prior_of(text, weights)
    check_components(prior, dictionary.shape[0])
    atoms = Atoms(as_numpy_view(dictionary))
    if gram is not None and gram.numel():
        atoms.__dict__["gram"] = as_numpy_view(gram)  # the value of the cached property
    return Problem(as_reconstruction(option(text, "transfer")), prior, atoms)


def solver_of(text, problem):
    """Solver, and keywords of `solve`."""
    terms, tol = (problem.reconstruction, problem.prior), option(text, "tol")
    if tol is not None:
        check_scalar(tol, "tol", low=0.0, strict=True, also="or None")
    solver = make_solver(option(text, "solver"), *terms, option(text, "max_iter"))
    return solver, {"tol": tol, "n_jobs": n_jobs_of(text)}


def n_jobs_of(text):
    """Number of threads; by default that of torch."""
    n_jobs = option(text, "n_jobs")
    return torch.get_num_threads() if n_jobs is None else n_jobs


def option(text, name):
    """Value of one of the options."""
    return _parsed(text)[3][name]
