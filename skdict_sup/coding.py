"""`encode` and `lam_max`: sparse coding as functions."""

from typing import Any

from ._array import is_array, is_differentiated, namespace
from ._atoms import atoms_of, kept_atoms
from ._signals import Signals, check_signals
from ._typing import Array
from ._validation import (
    check_matrix,
    check_option,
    check_scalar,
    check_shapes,
    check_sparse,
    check_verbose,
    warn,
    warn_of_empty,
    warn_of_unobserved,
)
from ._weighted_signals import weighted_signals
from .execution import Limits, solve
from .limit_arguments import GREEDY, check_length, make_limits, refuse_max_iter, without_lam
from .priors import (
    Prior,
    as_prior,
    check_components,
    is_unresolved,
)
from .problem import Problem, resolve_prior
from .reconstruction import as_reconstruction
from .solution import Solution
from .solvers import SOLVERS

__all__ = ["encode", "lam_max", "make_problem", "make_solver"]


_MOST_ITERATIONS = 2**31 - 1  # what counters of compiled kernels hold


def make_solver(solver, reconstruction, prior, max_iter=None):
    """Solver for a name; "auto" is the first that handles the reconstruction and the prior."""
    check_option(solver, "solver", {"auto", GREEDY, *SOLVERS})
    if max_iter is not None:
        max_iter = check_scalar(max_iter, "max_iter", low=1, integer=True, also="or None")
        max_iter = min(int(max_iter), _MOST_ITERATIONS)
    fitting = [name for name, kind in SOLVERS.items() if kind.handles(reconstruction, prior)]
    chosen = fitting[0] if solver == "auto" and fitting else solver
    if chosen not in fitting:
        terms = f"prior {prior!r} with transfer={reconstruction.name!r}"
        if not fitting:
            raise ValueError(
                f"no solver handles {terms}: use another prior or transfer; got {solver!r}."
            )
        options = ["auto", *fitting]
        raise ValueError(f"solver must be one of {options} for {terms}, got {solver!r}.")
    return SOLVERS[chosen](max_iter)


def make_problem(X, dictionary, prior, transfer, finite=True, **codes):
    """Check the inputs and return `Signals` and a problem with lam="auto" resolved on them.

    With `finite=False`, the caller must check the signals for NaN and infinity.
    """
    prior, reconstruction = as_prior(prior), as_reconstruction(transfer)
    X, atoms = check_signals(X, finite or is_unresolved(prior)), kept_atoms(dictionary)
    dictionary = check_matrix(dictionary, "dictionary") if atoms is None else atoms.dictionary
    check_shapes(X, dictionary, **codes)
    reconstruction.check(X)
    if atoms is None or dictionary.dtype != X.dtype:
        dictionary = namespace(dictionary).astype(dictionary, X.dtype, copy=False)
        atoms = atoms_of(dictionary)
    prior = resolve_prior(prior, X, dictionary, reconstruction)
    problem = Problem(reconstruction, prior, atoms)
    X, n_empty = problem.filled(X)
    warn_of_empty(n_empty)
    return X, problem


def encode(  # noqa: PLR0913 - keyword-only settings
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
    mask: Array | None = None,
    entry_weight: Array | None = None,
    max_residual: Any = None,
    max_nonzeros: int | None = None,
) -> Solution:
    r"""Sparse codes of signals over a dictionary, each with a certificate.

    .. math:: w(x) = \arg\min_w \; \tfrac12 \|x - w D\|_2^2 + \varphi(w)
              \quad \text{or} \quad
              \arg\min_w \; \mathrm{KL}(x \,\|\, \mathrm{softmax}(w D)) + \varphi(w)

    Parameters
    ----------
    X : array or SciPy sparse matrix of shape (n_samples, n_features)
        Signals in float32 or float64, from NumPy or any array API library. Sparse matrices are
        read slice by slice.
    dictionary : array of shape (n_components, n_features)
        Atoms as rows, of any norm. They are cast to the dtype of X.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes: :class:`~skdict_sup.ElasticNet`, :class:`~skdict_sup.KL`,
        :class:`~skdict_sup.Lp` or a custom prior. "auto" hyper-parameters are resolved on X.
    transfer : {"linear", "softmax"}, default="linear"
        Map from w D to the signal; "softmax" is for signals that are distributions, such as
        normalised word counts. The code of a zero signal then minimises the prior alone.
    solver : str, default="auto"
        "auto" is the best solver for the problem: the exact "homotopy" for elastic-net codes,
        "newton" for smooth priors, "projected_newton" for an elastic net with the softmax
        transfer, "reweighted" for powers below one. "coordinate_descent" and "fista" (elastic
        net) and "exponentiated_gradient" (KL) are for comparison. "omp" is orthogonal matching
        pursuit to `max_nonzeros` or `max_residual`: greedy codes, which have no gradients.
    tol : float or None, default=None
        Tolerance on the relative duality gap, or for smooth priors on the relative optimality
        residual, at which a code counts as converged and iterative solvers stop; None means 1e-9
        in float64 and 1e-5 in float32.
    max_iter : int or None, default=None
        Maximum number of iterations per signal. None uses a limit that practical problems do not
        reach, and retries signals that do not converge in float64.
    init : array of shape (n_samples, n_components), sparse matrix, encoder or None, default=None
        Initial codes, or an encoder whose output is used as the initial codes. The exact solver
        of elastic nets uses those that are near the optimum, and starts other signals at zero.
    output : {"dense", "sparse"}, default="dense"
        "sparse" returns a SciPy CSR matrix, assembled slice by slice.
    n_jobs : int or None, default=None
        Number of threads; None uses the limit that threadpoolctl reports for BLAS, -1 all cores.
        The result does not depend on it.
    verbose : int, default=0
        Above 0, prints every two seconds how many signals are coded, and the time that is left.
    mask : array or CSR matrix of bool of shape (n_samples, n_features) or None, default=None
        True where an entry of X is observed. The loss of a signal is that of its observed
        entries, 1/2 ||m * (x - w D)||^2; others may have any value, such as NaN. The code of a
        signal without observed entries minimises the prior alone. Signals with equal masks share
        the work that depends on the mask.
    entry_weight : array or CSR matrix of shape (n_samples, n_features) or None, default=None
        Weights v >= 0 of the entries, 1/2 sum_m v_m (x - w D)_m^2: inverse noise variances, in
        inverse squared units of X. A mask is the case of weights 0 and 1.
    max_residual : float, array of shape (n_samples,) or None, default=None
        Bound on the norm of the residual, ||x - w D||_2 (with weights of entries the weighted
        one), in place of lam, in the units of X: the code is the sparsest one of the path, that
        of the largest lam whose residual is within the bound. `prior` is an elastic net whose lam
        is "auto" or has weights of atoms. Signals whose bound is below the residual of least
        squares get the code of least squares, and do not count as converged.
        With solver="omp", the pursuit ends at the first residual within the bound.
    max_nonzeros : int or None, default=None
        Largest number of nonzeros (among atoms with a penalty): the path of elastic nets stops
        where another atom would enter, or at lam (unless it is "auto"), whichever is first. These
        are codes of elastic nets, whose entries are shrunk; solver="omp" takes this number of
        greedy steps instead.

    Returns
    -------
    Solution
        Record with the fields code, kkt_residual, duality_gap, n_iter, converged and objective,
        one row per signal.

    Raises
    ------
    ValueError, TypeError
        If shapes do not match, values are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        Once per call, if codes have not converged to the tolerance.
    UserWarning
        If X or the dictionary is a tensor that requires gradients: autograd does not see the
        codes, use :func:`~skdict_sup.code_vjp`. Also if signals are zero with the softmax
        transfer, which expects distributions.

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
    check_verbose(verbose)
    tracked = [
        name for name, value in (("X", X), ("dictionary", dictionary)) if is_differentiated(value)
    ]
    if tracked:
        warn(
            f"{' and '.join(tracked)} {'require' if len(tracked) > 1 else 'requires'} gradients, "
            "but autograd cannot differentiate encode: the codes are returned detached. Use "
            "code_vjp for gradients through the codes, or detach the inputs."
        )
    X = with_weights(X, mask, entry_weight)
    limits = make_limits(prior, transfer, solver, max_residual, max_nonzeros)
    X, problem, settings = prepare_encoding(
        X, dictionary, prior, transfer, limits or solver, tol, max_iter, init
    )
    return solve(problem, X, output=output, n_jobs=n_jobs, verbose=verbose, **settings)


def with_weights(X, mask, entry_weight):
    """Signals of a user with a mask or with weights of entries; unchanged without."""
    if mask is None and entry_weight is None:
        return X
    X = weighted_signals(X, mask, entry_weight)
    warn_of_unobserved(X.n_empty(), X.shape[0])
    return X


def prepare_encoding(X, dictionary, prior, transfer, solver, tol, max_iter, init: Any):
    """Check the arguments of `encode`; return `Signals`, a problem and the settings of `solve`.

    `solver` is a name, or `Limits`.
    """
    prior = without_lam(prior) if isinstance(solver, Limits) else prior
    codes = {"init": init} if init is None or is_array(init) else {}
    signals, problem = make_problem(X, dictionary, prior, transfer, finite=False, **codes)
    if init is not None and hasattr(init, "transform"):
        init = init.transform(signals.dense() if isinstance(X, Signals) else X)
    if init is not None:
        init = _check_init(init, signals, problem)
    if tol is not None:
        check_scalar(tol, "tol", low=0.0, strict=True, also="or None")
    if isinstance(solver, Limits):
        refuse_max_iter(max_iter)
        check_length(solver, signals.shape[0])
    else:
        solver = make_solver(solver, problem.reconstruction, problem.prior, max_iter)
    return signals, problem, {"solver": solver, "tol": tol, "init": init}


def _check_init(init, X, problem):
    expected = (X.shape[0], problem.dictionary.shape[0])
    if hasattr(init, "tocsr"):
        return check_sparse(init, "init", expected)
    init = check_matrix(init, "init")
    check_shapes(X, problem.dictionary, init=init)
    return namespace(init).astype(init, X.dtype, copy=False)


def lam_max(X: Array, dictionary: Array, prior: Prior | str = "elastic_net") -> Array:
    r"""Smallest lam at which the code of each signal is zero.

    .. math:: \lambda_{\max}(x) = \max_j |\langle d_j, x \rangle|
              \quad \text{(without the absolute value if codes are nonnegative)}

    for elastic nets. The result is infinite for smooth priors, whose codes are never zero.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Signals.
    dictionary : array of shape (n_components, n_features)
        Atoms as rows.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes; a number lam is ignored.

    Returns
    -------
    array of shape (n_samples,)
        Values of lam, in the units of X times the norm of an atom. If the prior has an array lam,
        they are the smallest factors of it with a zero code, infinite where an atom without
        penalty is correlated with the signal.

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
    checked: Any = as_prior(prior)
    check_components(checked, dictionary.shape[0])
    return checked.lam_max(X @ dictionary.T)
