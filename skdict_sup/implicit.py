"""Gradients through the codes by implicit differentiation of the optimality condition."""

from collections.abc import Callable
from typing import Any

import scipy.sparse

from ._array import as_numpy_view, astype_like, dense, from_numpy_view, is_numpy, namespace
from ._atoms import Atoms
from ._threads import one_blas_thread, slices
from ._typing import Array
from ._validation import check_matrix, check_shapes, check_sparse
from .adjoints import vjp
from .coding import make_problem, prepare_encoding, with_weights
from .execution import solve
from .limit_arguments import GREEDY, check_length, make_limits, without_lam
from .limit_gradients import limited_adjoints
from .priors import TO_DIFFERENTIATE, Prior, check_methods
from .problem import Problem
from .solution import Gradients, Solution

_PURPOSE = "to be differentiated"
_CHUNK_ROWS = 4096  # signals whose adjoints are in memory at the same time

__all__ = ["code_vjp", "encode_with_vjp", "vjp_by_slices"]


@one_blas_thread()
def code_vjp(  # noqa: PLR0913 - the settings of encode
    X: Array,
    dictionary: Array,
    code: Array,
    cotangent: Array,
    *,
    prior: Prior | str = "elastic_net",
    transfer: str = "linear",
    mask: Array | None = None,
    entry_weight: Array | None = None,
    max_residual: Any = None,
    max_nonzeros: int | None = None,
) -> Gradients:
    r"""Gradients for dictionary, signals and hyper-parameters from gradients for the codes.

    For a scalar function L of the codes with gradient g = dL/dw, the optimality condition gives

    .. math:: \beta_S = (D_S J D_S^\top + \mathrm{diag}\, \varphi''(w_S))^{-1} g_S, \quad
              \beta_{S^c} = 0,

        \nabla_D L = -w^\top (\beta D J) + \beta^\top (x - r), \qquad
        \nabla_x L = \beta D, \qquad
        \partial_h L = -\langle \beta, \partial_h \varphi'(w) \rangle,

    with S the support of the code, r = w D and J = I for the linear transfer, r = softmax(w D) and
    J = diag(r) - r r' for the softmax, and h any hyper-parameter of the prior: lam and lam2 of an
    elastic net (phi'' = lam2), lam and p of KL, lam and the exponent of Lp. The gradient depends
    on the equation that the codes solve, not on the solver.

    Parameters
    ----------
    X : array or SciPy sparse matrix of shape (n_samples, n_features)
        Signals.
    dictionary : array of shape (n_components, n_features)
        Atoms as rows.
    code : array or SciPy sparse matrix of shape (n_samples, n_components)
        Exact codes of X, from :func:`~skdict_sup.encode` with the same prior.
    cotangent : array of shape (n_samples, n_components)
        Gradient of the scalar function with respect to each code.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior that the codes were computed with.
    transfer : {"linear", "softmax"}, default="linear"
        Transfer that the codes were computed with.
    mask : array of bool, like X, or None, default=None
        Observed entries that the codes were computed from, as in :func:`~skdict_sup.encode`.
    entry_weight : array like X or None, default=None
        Weights of entries that the codes were computed with.
    max_residual : float, array of shape (n_samples,) or None, default=None
        Bound on the residual that the codes were computed to: the gradients count that the weight
        lam of a code follows from it. Codes of least squares, and zeros, have those at a fixed
        weight.
    max_nonzeros : int or None, default=None
        Number of nonzeros that the codes were computed to; the weight then follows from the atom
        that is the next to enter.

    Returns
    -------
    Gradients
        Record with the fields dictionary (summed over the batch), X (one row per signal), prior
        (a record with a field for each hyper-parameter, summed over the batch) and entry_weight
        (one row per signal, with a mask or weights of entries; else None), and max_residual (one
        number per signal, with a bound; else None).

    Raises
    ------
    ValueError, TypeError
        If shapes do not match or values are not finite.

    Notes
    -----
    Elastic-net codes are differentiable where ``|slope_j| < lam`` for all atoms off the support.
    Elsewhere, at kinks, the result is the derivative with the support held fixed. If an atom
    depends linearly on other atoms of the support, its entry is held fixed. Codes of smooth priors
    are differentiable everywhere. For the softmax transfer, the gradient for X is defined along
    the simplex: any multiple of ones may be added to a row.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", section "Main result"; D. Bradley,
    J. Bagnell, "Differentiable sparse coding", 2008, equation 9 and appendix C.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup import ElasticNet, code_vjp, encode
    >>> X, D, prior = np.array([[3.0, 0.5]]), np.eye(2), ElasticNet(lam=1.0)
    >>> code = encode(X, D, prior=prior).code
    >>> gradients = code_vjp(X, D, code, np.array([[1.0, 1.0]]), prior=prior)
    >>> gradients.X
    array([[1., 0.]])
    >>> float(gradients.prior.lam)
    -1.0
    """
    if isinstance(code, Solution):
        raise TypeError("code must be an array, got a Solution; pass solution.code.")
    sparse = scipy.sparse.issparse(code)
    code = code if sparse else check_matrix(code, "code")
    cotangent = check_matrix(cotangent, "cotangent")
    X = with_weights(X, mask, entry_weight)
    limits = make_limits(prior, transfer, "auto", max_residual, max_nonzeros)
    prior = prior if limits is None else without_lam(prior)
    X, problem = make_problem(X, dictionary, prior, transfer, cotangent=cotangent)
    if limits is not None:
        check_length(limits, X.shape[0])
    check_methods(problem.prior, TO_DIFFERENTIATE, _PURPOSE)
    expected = (X.shape[0], problem.dictionary.shape[0])
    if sparse:
        code = check_sparse(code, "code", expected)
    else:
        check_shapes(X, problem.dictionary, code=code)
    return vjp_by_slices(problem, X, code, cotangent, limits=limits)


def encode_with_vjp(  # noqa: PLR0913 - the settings of encode
    X: Array,
    dictionary: Array,
    *,
    prior: Prior | str = "elastic_net",
    transfer: str = "linear",
    solver: str = "auto",
    tol: float | None = None,
    max_iter: int | None = None,
    init: Any = None,
    n_jobs: int | None = None,
    mask: Array | None = None,
    entry_weight: Array | None = None,
    max_residual: Any = None,
    max_nonzeros: int | None = None,
) -> tuple[Solution, Callable[[Array], Gradients]]:
    r"""Sparse codes of signals, and a function that computes gradients through the codes.

    This is the pair that a network layer needs: `encode` forward and `code_vjp` backward, with the
    checks and the Gram matrix shared between the two.

    Parameters
    ----------
    X : array or SciPy sparse matrix of shape (n_samples, n_features)
        Signals.
    dictionary : array of shape (n_components, n_features)
        Atoms as rows.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes. "auto" hyper-parameters are resolved on X, and are not differentiated.
    transfer : {"linear", "softmax"}, default="linear"
        Map from w D to the signals.
    solver : str, default="auto"
        Solver, as in :func:`~skdict_sup.encode`.
    tol : float or None, default=None
        Tolerance on the relative duality gap, or on the optimality residual for smooth priors;
        None means 1e-9 in float64 and 1e-5 in float32.
    max_iter : int or None, default=None
        Maximum number of iterations per signal, as in :func:`~skdict_sup.encode`.
    init : array of shape (n_samples, n_components), sparse matrix, encoder or None, default=None
        Initial codes, as in :func:`~skdict_sup.encode`.
    n_jobs : int or None, default=None
        Number of threads, for both functions.
    mask : array of bool, like X, or None, default=None
        Observed entries, as in :func:`~skdict_sup.encode`.
    entry_weight : array like X or None, default=None
        Weights of the entries of X, as in :func:`~skdict_sup.encode`.
    max_residual : float, array of shape (n_samples,) or None, default=None
        Bound on the residual in place of lam, as in :func:`~skdict_sup.encode`.
    max_nonzeros : int or None, default=None
        Largest number of nonzeros, as in :func:`~skdict_sup.encode`.

    Returns
    -------
    solution : Solution
        Result of :func:`~skdict_sup.encode`.
    vjp : callable
        ``vjp(cotangent)`` takes the gradient (n_samples, n_components) of a scalar function with
        respect to the codes, and returns its :class:`~skdict_sup.Gradients` for the dictionary,
        the signals and the hyper-parameters, as :func:`~skdict_sup.code_vjp` does. It may be
        called several times. It does not copy X and dictionary, which must not be modified in
        between.

    Raises
    ------
    ValueError, TypeError
        If shapes do not match, values are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        Once per call, if codes have not converged to the tolerance: the gradients are then
        approximate too.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", section "Main result"; D. Bradley,
    J. Bagnell, "Differentiable sparse coding", 2008, equation 9.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup import ElasticNet, encode_with_vjp
    >>> X, D = np.array([[3.0, 0.5]]), np.eye(2)
    >>> solution, vjp = encode_with_vjp(X, D, prior=ElasticNet(lam=1.0))
    >>> solution.code
    array([[2., 0.]])
    >>> vjp(np.array([[1.0, 1.0]])).X
    array([[1., 0.]])
    """
    X = with_weights(X, mask, entry_weight)
    if solver == GREEDY:
        raise ValueError(
            f"solver={GREEDY!r} has no gradients: use encode, or max_nonzeros and max_residual "
            "with solver='auto'."
        )
    limits = make_limits(prior, transfer, solver, max_residual, max_nonzeros)
    X, problem, settings = prepare_encoding(
        X, dictionary, prior, transfer, limits or solver, tol, max_iter, init
    )
    check_methods(problem.prior, TO_DIFFERENTIATE, _PURPOSE)
    like = problem.dictionary
    # tensors in host memory use the compiled NumPy code, forward and backward
    problem = Problem(problem.reconstruction, problem.prior, Atoms(as_numpy_view(like)))
    solution = solve(problem, X, n_jobs=n_jobs, **settings)
    code = namespace(solution.code).asarray(solution.code, copy=True)  # users may modify theirs

    @one_blas_thread()
    def vjp(cotangent):
        """Gradients of a scalar function whose gradient for the codes is `cotangent`."""
        cotangent = check_matrix(cotangent, "cotangent")
        check_shapes(X, like, cotangent=cotangent)
        found = vjp_by_slices(problem, X, code, cotangent, n_jobs, limits)
        return _gradients_like(found, like)

    fields = {name: from_numpy_view(part, like) for name, part in solution.arrays().items()}
    return Solution(**fields), vjp


def _gradients_like(gradients, like):
    """Convert NumPy gradients to the array library of `like`."""
    if is_numpy(like):
        return gradients
    prior = {name: astype_like(part, like) for name, part in vars(gradients.prior).items()}
    dictionary = from_numpy_view(gradients.dictionary, like)
    X, weight, bound = (
        None if a is None else from_numpy_view(a, like)
        for a in (gradients.X, gradients.entry_weight, gradients.max_residual)
    )
    return Gradients(dictionary, X, type(gradients.prior)(**prior), weight, bound)


def vjp_by_slices(problem, X, code, cotangent, n_jobs=None, limits=None):
    """`vjp` slice by slice, to limit the memory for adjoints."""
    like, parts = problem.dictionary, []
    for rows in slices(X.shape[0], _CHUNK_ROWS):
        w, g = (astype_like(dense(a[rows, :]), like) for a in (code, cotangent))
        observations = X.observations(rows).map(lambda array: astype_like(array, like))
        if limits is None:
            parts.append(vjp(problem, observations, w, g, n_jobs))
            continue
        bound = limits.bounds(rows, X.shape[0])
        bound = None if bound is None else astype_like(bound, w)
        adjoints = limited_adjoints(problem, observations, w, g, limits, bound, n_jobs)
        parts.append(adjoints.pull_back(n_jobs))
    return parts[0] if len(parts) == 1 else _join(namespace(like), parts)


def _join(xp, parts):
    """Join the gradients of consecutive slices."""
    record = type(parts[0].prior)

    def joined(name):
        arrays = [getattr(part, name) for part in parts]
        return None if arrays[0] is None else xp.concat(arrays, axis=0)

    fields = {
        name: sum(getattr(part.prior, name) for part in parts)
        for name in record.__dataclass_fields__
    }
    return Gradients(
        sum(part.dictionary for part in parts),
        joined("X"),
        record(**fields),
        joined("entry_weight"),
        joined("max_residual"),
    )
