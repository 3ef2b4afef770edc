"""Checks of the limits that users give in place of lam: `max_residual` and `max_nonzeros`."""

from typing import Any

import numpy as np

from ._array import to_numpy
from ._validation import check_plain, check_scalar
from .execution import Limits
from .priors import ElasticNet, as_prior, is_per_atom, is_plain_elastic_net

__all__ = ["GREEDY", "check_length", "make_limits", "refuse_max_iter", "without_lam"]

GREEDY = "omp"  # the name of orthogonal matching pursuit among the solvers


def make_limits(prior, transfer, solver, max_residual, max_nonzeros):
    """`Limits` from arguments of a user, or None without any."""
    is_greedy = solver == GREEDY
    if max_residual is None and max_nonzeros is None:
        if is_greedy:
            raise ValueError(
                "solver='omp' requires max_nonzeros or max_residual, got None for both."
            )
        return None
    name = "max_nonzeros" if max_residual is None else "max_residual"
    checked: Any = as_prior(prior)
    if not is_plain_elastic_net(checked) or transfer != "linear":
        raise ValueError(
            f"{name} requires an ElasticNet and transfer='linear', got prior {checked!r} and "
            f"transfer={transfer!r}."
        )
    if solver not in ("auto", "homotopy", GREEDY):
        raise ValueError(
            f"{name} requires solver='auto', 'homotopy' or {GREEDY!r}, got {solver!r}."
        )
    is_automatic = isinstance(checked.lam, str) and checked.lam == "auto"
    if is_greedy and not (is_automatic and checked.lam2 == 0 and not checked.positive):
        raise ValueError(
            f"solver={GREEDY!r} uses no prior: leave prior at its default, ElasticNet(), with "
            f"lam='auto', lam2=0 and positive=False; got {checked!r}."
        )
    if max_residual is not None and not (is_automatic or is_per_atom(checked.lam)):
        raise ValueError(
            "max_residual takes the place of lam: lam must be 'auto' (or have weights of atoms), "
            f"got lam={checked.lam!r} beside max_residual."
        )
    if max_nonzeros is not None:
        max_nonzeros = int(check_scalar(max_nonzeros, "max_nonzeros", low=1, integer=True))
        max_nonzeros = min(max_nonzeros, 2**31)
    ends_at_lam = not (is_automatic or is_per_atom(checked.lam))
    return Limits(_check_bound(max_residual), max_nonzeros, ends_at_lam, is_greedy)


def _check_bound(max_residual):
    """Bounds on residuals as a NumPy array, or None."""
    if max_residual is None:
        return None
    check_plain(max_residual, "max_residual")
    bound = to_numpy(max_residual)
    if bound.dtype.kind not in "fiu":
        raise TypeError(f"max_residual must be a number or an array, got {max_residual!r}.")
    if not (np.isfinite(bound) & (bound >= 0)).all():
        raise ValueError(
            "max_residual must be finite and >= 0, got "
            f"{bound[~(np.isfinite(bound) & (bound >= 0))][0]:g}."
        )
    return bound.astype(np.float64)


def check_length(limits, n_samples):
    """Raise unless there is one bound on the residual, or one for each signal."""
    shape = np.shape(limits.max_residual)
    if shape not in ((), (n_samples,)):
        raise ValueError(
            f"max_residual must be a number or have one entry per signal, ({n_samples},), got "
            f"shape {shape}."
        )


def refuse_max_iter(max_iter):
    """Raise if a number of iterations is given beside limits."""
    if max_iter is not None:
        raise ValueError(
            "max_iter must be None with max_residual or max_nonzeros, whose paths have "
            f"a limit of their own, got {max_iter!r}."
        )


def without_lam(prior):
    """Prior of codes at limits: an elastic net with lam="auto", not used, has the weight one."""
    checked: Any = as_prior(prior)
    if not (isinstance(checked.lam, str) and checked.lam == "auto"):
        return checked
    return ElasticNet(1.0, checked.lam2, checked.positive)
