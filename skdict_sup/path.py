"""`codes_path`: codes of signals for several values of lam."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._array import to_numpy
from ._typing import Array
from ._validation import check_option, check_plain, check_verbose
from .coding import prepare_encoding, with_weights
from .execution import solve_path
from .priors import Prior, as_prior, is_per_atom, settings_of
from .solution import Solution

__all__ = ["codes_path"]


def codes_path(  # noqa: PLR0913 - the settings of encode
    X: Array,
    dictionary: Array,
    lams: Sequence[float] | Array,
    *,
    prior: Prior | str = "elastic_net",
    transfer: str = "linear",
    solver: str = "auto",
    tol: float | None = None,
    output: str = "dense",
    n_jobs: int | None = None,
    verbose: int = 0,
    mask: Array | None = None,
    entry_weight: Array | None = None,
) -> list[Solution]:
    r"""Sparse codes of signals for several values of lam, each with a certificate.

    .. math:: w(x; \lambda) = \arg\min_w \; \tfrac12 \|x - w D\|_2^2
              + \lambda \langle c, |w| \rangle + \tfrac{\lambda_2}{2} \|w\|_2^2,
              \quad \lambda = \lambda_1, \dots, \lambda_L

    Codes of an elastic net are piecewise linear in lam. One homotopy for each signal follows them
    from the largest lam to the smallest one, and stops at each to finish the code. Other priors
    start each code from that of the next larger lam.

    Parameters
    ----------
    X : array or SciPy sparse matrix of shape (n_samples, n_features)
        Signals, as in :func:`~skdict_sup.encode`.
    dictionary : array of shape (n_components, n_features)
        Atoms as rows.
    lams : array-like of shape (n_lams,)
        Values of lam, in any order, in the units of the signals (times the norm of an atom). If
        the prior has weights of atoms c, an array lam, these are factors of it.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes; its number lam is ignored.
    transfer : {"linear", "softmax"}, default="linear"
        Map from w D to the signals.
    solver : str, default="auto"
        Solver, as in :func:`~skdict_sup.encode`. Codes are those of one path for "homotopy", which
        "auto" is for elastic nets with the linear transfer.
    tol : float or None, default=None
        Tolerance on the relative duality gap, or on the optimality residual for smooth priors;
        None means 1e-9 in float64 and 1e-5 in float32.
    output : {"dense", "sparse"}, default="dense"
        "sparse" makes SciPy CSR matrices of the codes: many codes of many signals take much
        memory.
    n_jobs : int or None, default=None
        Number of threads, as in :func:`~skdict_sup.encode`.
    verbose : int, default=0
        Above 0, prints progress every two seconds.
    mask : array or CSR matrix of bool of shape (n_samples, n_features) or None, default=None
        Observed entries, as in :func:`~skdict_sup.encode`.
    entry_weight : array or CSR matrix of shape (n_samples, n_features) or None, default=None
        Weights of the entries of X, as in :func:`~skdict_sup.encode`.

    Returns
    -------
    list of Solution
        One for each value of lam, in the order of `lams`.

    Raises
    ------
    ValueError, TypeError
        If `lams` is empty, or has entries that are negative or not finite; also as in
        :func:`~skdict_sup.encode`.

    Warns
    -----
    ConvergenceWarning
        If codes have not converged to the tolerance, for each value of lam.

    References
    ----------
    M. Osborne et al., "A new approach to variable selection in least squares", 2000; B. Efron et
    al., "Least angle regression", 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup import codes_path
    >>> path = codes_path(np.array([[3.0, 0.5]]), np.eye(2), lams=[2.0, 1.0, 0.1])
    >>> [solution.code[0].round(1).tolist() for solution in path]
    [[1.0, 0.0], [2.0, 0.0], [2.9, 0.4]]
    """
    check_option(output, "output", {"dense", "sparse"})
    check_verbose(verbose)
    values = _check_lams(lams)
    unit: Any = _with_lam_one(as_prior(prior))
    X = with_weights(X, mask, entry_weight)
    X, problem, settings = prepare_encoding(X, dictionary, unit, transfer, solver, tol, None, None)
    del settings["init"]
    for lam in (values.min(), values.max()):  # a smooth prior may refuse zero
        as_prior(_with(problem.prior, lam=lam * problem.prior.lam))
    order = np.argsort(-values, kind="stable")
    settings |= {"output": output, "n_jobs": n_jobs, "verbose": verbose}
    found = solve_path(problem, X, settings.pop("solver"), values[order].tolist(), **settings)
    return [found[place] for place in np.argsort(order, kind="stable")]


def _check_lams(lams):
    """Values of lam as an array in float64."""
    check_plain(lams, "lams")
    values = to_numpy(lams) if hasattr(lams, "dtype") else np.asarray(lams)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(
            f"lams must be a sequence of at least one number, got shape {values.shape}."
        )
    if values.dtype.kind not in "fiu":
        raise TypeError(f"lams must be numbers, got dtype {values.dtype}.")
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(
            "lams must be finite and >= 0, got "
            f"{values[~(np.isfinite(values) & (values >= 0))][0]:g}."
        )
    return values.astype(np.float64)


def _with_lam_one(prior):
    """Prior with the weight one, unless it has weights of atoms."""
    if "lam" not in settings_of(prior):
        raise ValueError(f"codes_path requires a prior with a weight lam, got {prior!r}.")
    return prior if is_per_atom(prior.lam) else _with(prior, lam=1.0)


def _with(prior, **settings):
    """Copy of a prior with other hyper-parameters."""
    return type(prior)(**settings_of(prior) | settings)
