"""`encode` and `lam_max`: the functional entry to sparse coding."""

from typing import Any

from ._array import is_array, is_differentiated, namespace
from ._atoms import Atoms
from ._signals import check_signals
from ._typing import Array
from ._validation import (
    check_matrix,
    check_option,
    check_scalar,
    check_shapes,
    check_sparse,
    warn,
    warn_of_empty,
)
from .execution import solve
from .priors import Prior, as_prior, is_unresolved
from .problem import Problem, resolve_prior
from .reconstruction import as_reconstruction
from .solution import Solution
from .solvers import SOLVERS

__all__ = ["encode", "lam_max", "make_problem", "make_solver"]


def make_solver(solver, reconstruction, prior, max_iter=None):
    """Solver record of a name, for a problem of these terms; "auto" is the first that fits."""
    check_option(solver, "solver", {"auto", *SOLVERS})
    if max_iter is not None:
        max_iter = int(check_scalar(max_iter, "max_iter", low=1, integer=True, also="or None"))
    fitting = [name for name, kind in SOLVERS.items() if kind.handles(reconstruction, prior)]
    chosen = fitting[0] if solver == "auto" and fitting else solver
    if chosen not in fitting:
        these = f"prior {prior!r} with transfer={reconstruction.name!r}"
        able = f"one of {['auto', *fitting]}" if fitting else "another prior: none handles it"
        raise ValueError(f"solver must be, for {these}, {able}; got {solver!r}.")
    return SOLVERS[chosen](max_iter)


def make_problem(X, dictionary, prior, transfer, finite=True, **codes):
    """Checked `Signals` and the problem that they pose, with lam="auto" resolved on them.

    With `finite=False` whoever sees the signals next has to refuse those that are not finite.
    """
    prior, reconstruction = as_prior(prior), as_reconstruction(transfer)
    X = check_signals(X, finite or is_unresolved(prior))
    dictionary = check_matrix(dictionary, "dictionary")
    check_shapes(X, dictionary, **codes)
    reconstruction.check(X)
    dictionary = namespace(dictionary).astype(dictionary, X.dtype, copy=False)
    problem = Problem(reconstruction, resolve_prior(prior, X, dictionary), Atoms(dictionary))
    X, n_empty = problem.filled(X)
    warn_of_empty(n_empty)
    return X, problem


def encode(  # noqa: PLR0913 - a setting each, by keyword
    X: Array,
    dictionary: Array,
    *,
    prior: Prior | str = "elastic_net",
    transfer: str = "linear",
    solver: str = "auto",
    tol: float | None = None,
    max_iter: int | None = None,
    init: Any = None,
    output: str = "dense",
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Solution:
    r"""Sparse codes of signals over a dictionary, each with a certificate.

    .. math:: w(x) = \arg\min_w \; \tfrac12 \|x - w D\|_2^2 + \varphi(w)
              \quad \text{or} \quad
              \arg\min_w \; \mathrm{KL}(x \,\|\, \mathrm{softmax}(w D)) + \varphi(w)

    Parameters
    ----------
    X : array or SciPy sparse matrix of shape (n_samples, n_features)
        Signals, float32 or float64, of NumPy or any library of the array API standard; a sparse
        matrix is read slice by slice.
    dictionary : array of shape (n_components, n_features)
        Atoms as rows, of any norm; taken in the dtype of X.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes: :class:`~skdict_sup.ElasticNet`, :class:`~skdict_sup.KL`,
        :class:`~skdict_sup.Lp` or a custom prior. What is "auto" in it is resolved on X.
    transfer : {"linear", "softmax"}, default="linear"
        Map from w D to the signal; "softmax" is for signals that are distributions, such as
        normalised counts of words. A signal of zero then gets the code of the prior alone.
    solver : str, default="auto"
        "auto" takes the best that fits: the exact "homotopy" for elastic-net codes, "newton" for
        smooth priors, "fista" for an elastic net with the softmax transfer, "reweighted" for
        powers below one. "coordinate_descent" (elastic net) and "exponentiated_gradient" (KL) are
        for comparison.
    tol : float or None, default=None
        Relative duality gap, for smooth priors relative optimality residual, at which a code
        counts as converged and iterative solvers stop; None is 1e-9 in float64, 1e-5 in float32.
    max_iter : int or None, default=None
        Most iterations per signal; None leaves room enough for any problem in practice, and lets
        signals that fall short be coded a second time in wider floats.
    init : array of shape (n_samples, n_components), sparse matrix, encoder or None, default=None
        Codes to start from; those of its forward pass, of an encoder. The exact solver of elastic
        nets starts at those that are near the optimum, and at zero elsewhere.
    output : {"dense", "sparse"}, default="dense"
        "sparse" gives a SciPy CSR matrix, assembled slice by slice.
    n_jobs : int or None, default=None
        Threads; None takes as many as threadpoolctl grants to BLAS, -1 all cores. The result does
        not depend on it.
    verbose : int, default=0
        Above 0, prints progress every two seconds.

    Returns
    -------
    Solution
        With code, kkt_residual, duality_gap, n_iter, converged and objective, one row per signal.

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit, values are not finite, or a parameter is out of its range.

    Warns
    -----
    ConvergenceWarning
        Once per call, if codes are above the tolerance.
    UserWarning
        If X or the dictionary is a tensor that requires gradients, which get lost: they are those
        of :func:`~skdict_sup.code_vjp`. Also if signals are zero where the softmax transfer asks
        for distributions, with their number.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", section "Formulation with expected cost";
    D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, equations 2 to 4.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup import ElasticNet, encode
    >>> solution = encode(np.array([[3.0, 0.5]]), np.eye(2), prior=ElasticNet(lam=1.0))
    >>> solution.code
    array([[2., 0.]])
    >>> bool(solution.converged.all())
    True
    """
    check_option(output, "output", {"dense", "sparse"})
    tracked = [
        name for name, value in (("X", X), ("dictionary", dictionary)) if is_differentiated(value)
    ]
    if tracked:
        warn(
            f"{' and '.join(tracked)} require(s) gradients, which encode does not record: the "
            "code comes back without them. Pull gradients in the code back with code_vjp, or "
            "detach what needs none."
        )
    X, problem, settings = pose(X, dictionary, prior, transfer, solver, tol, max_iter, init)
    return solve(problem, X, output=output, n_jobs=n_jobs, verbose=verbose, **settings)


def pose(X, dictionary, prior, transfer, solver, tol, max_iter, init: Any):
    """Checked `Signals`, the problem that they pose, and the settings of `solve`."""
    codes = {"init": init} if init is None or is_array(init) else {}
    signals, problem = make_problem(X, dictionary, prior, transfer, finite=False, **codes)
    if init is not None and hasattr(init, "transform"):
        init = init.transform(X)
    if init is not None:
        init = _check_init(init, signals, problem)
    if tol is not None:
        check_scalar(tol, "tol", low=0.0, strict=True, also="or None")
    engine = make_solver(solver, problem.reconstruction, problem.prior, max_iter)
    return signals, problem, {"solver": engine, "tol": tol, "init": init}


def _check_init(init, X, problem):
    expected = (X.shape[0], problem.dictionary.shape[0])
    if hasattr(init, "tocsr"):
        return check_sparse(init, "init", expected)
    init = check_matrix(init, "init")
    check_shapes(X, problem.dictionary, init=init)
    return namespace(init).astype(init, X.dtype, copy=False)


def lam_max(X: Array, dictionary: Array, prior: Prior | str = "elastic_net") -> Array:
    r"""Smallest lam at which a signal's code is zero.

    .. math:: \lambda_{\max}(x) = \max_j |\langle d_j, x \rangle|
              \quad \text{(without the absolute value if codes are nonnegative)}

    for elastic nets; smooth priors have no zero codes, and infinity here.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Signals.
    dictionary : array of shape (n_components, n_features)
        Atoms as rows.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes; its lam is not looked at.

    Returns
    -------
    array of shape (n_samples,)
        In the units of X times the norm of an atom.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup import lam_max
    >>> lam_max(np.array([[3.0, -4.0]]), np.eye(2))
    array([4.])
    """
    X, dictionary = check_signals(X), check_matrix(dictionary, "dictionary")
    check_shapes(X, dictionary)
    dictionary = namespace(dictionary).astype(dictionary, X.dtype, copy=False)
    return as_prior(prior).lam_max(X @ dictionary.T)
