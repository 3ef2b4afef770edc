"""Gradients through the codes by implicit differentiation of the optimality condition."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from ._array import ROWS, as_numpy_view, astype_like, dense, from_numpy_view, is_numpy, namespace
from ._atoms import Atoms
from ._threads import computing, effective_n_jobs, map_threads, slices
from ._typing import Array
from ._validation import check_matrix, check_shapes, check_sparse
from .coding import make_problem, pose
from .execution import solve
from .priors import TO_DIFFERENTIATE, Prior, check_methods
from .problem import Problem
from .solution import Gradients, Solution

_SLICE = 10 * ROWS  # signals whose systems a thread solves at a time
_PURPOSE = "to be differentiated"
_CHUNK = 4096  # signals whose adjoints are held at once

__all__ = ["adjoint", "adjoints", "code_vjp", "encode_with_vjp", "pull_back", "vjp"]


def adjoint(problem, code, cotangent):
    """Solution of the implicit system, H_SS adjoint_S = cotangent_S, zero off the support."""
    solution, _, _ = problem.newton_system(code, cotangent)
    return solution


def adjoints(problem, code, cotangent, n_jobs=None):
    """`adjoint` of a whole batch, slice by slice on threads."""
    jobs, n = effective_n_jobs(n_jobs), code.shape[0]
    problem.prepare()

    def work(rows):
        return adjoint(problem, code[rows, :], cotangent[rows, :])

    width = min(_SLICE, ROWS * -(-n // (2 * ROWS * jobs)))
    if is_numpy(code) and jobs > 1 and width < n:
        return np.concatenate(map_threads(work, slices(n, width), jobs))
    return work(slice(None))


def pull_back(problem, X, code, beta, n_jobs=None):
    """Gradients for all that codes depend on, from their adjoints."""
    dictionary, signals = problem.vjp(X, code, beta, effective_n_jobs(n_jobs))
    return Gradients(dictionary, signals, problem.prior.pull_back(code, beta))


def vjp(problem, X, code, cotangent, n_jobs=None):
    """`code_vjp` for a problem and arrays that fit."""
    beta = adjoints(problem, code, cotangent, n_jobs)
    return pull_back(problem, X, code, beta, n_jobs)


@computing()
def code_vjp(
    X: Array,
    dictionary: Array,
    code: Array,
    cotangent: Array,
    *,
    prior: Prior | str = "elastic_net",
    transfer: str = "linear",
) -> Gradients:
    r"""Pull gradients with respect to codes back to what the codes were computed from.

    For a scalar function L of the codes with gradient g = dL/dw, the optimality condition gives

    .. math:: \beta_S = (D_S J D_S^\top + \mathrm{diag}\, \varphi''(w_S))^{-1} g_S, \quad
              \beta_{S^c} = 0,

        \nabla_D L = -w^\top (\beta D J) + \beta^\top (x - r), \qquad
        \nabla_x L = \beta D, \qquad
        \partial_h L = -\langle \beta, \partial_h \varphi'(w) \rangle,

    with S the support of the code, r = w D and J = I for the linear transfer, r = softmax(w D) and
    J = diag(r) - r r' for the other, and h any hyper-parameter of the prior: lam and lam2 of an
    elastic net (phi'' = lam2), lam and p of KL, lam and the exponent of Lp. It knows the equation
    that the codes solve, not the solver.

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

    Returns
    -------
    Gradients
        With fields dictionary (summed over the batch), X (one row per signal) and prior (a record
        with a field for each hyper-parameter, summed over the batch).

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit or values are not finite.

    Notes
    -----
    Elastic-net codes are differentiable wherever no atom off the support touches its bound,
    ``|slope_j| < lam``; at such kinks the result is the derivative with the support held fixed.
    An atom that depends linearly on others of its support is held at its value. Codes of smooth
    priors are differentiable everywhere. For the softmax transfer the gradient for X is meant
    along the simplex: any multiple of ones may be added to a row.

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
    sparse = scipy.sparse.issparse(code)
    code = code if sparse else check_matrix(code, "code")
    cotangent = check_matrix(cotangent, "cotangent")
    X, problem = make_problem(X, dictionary, prior, transfer, cotangent=cotangent)
    check_methods(problem.prior, TO_DIFFERENTIATE, _PURPOSE)
    expected = (X.shape[0], problem.dictionary.shape[0])
    if sparse:
        code = check_sparse(code, "code", expected)
    else:
        check_shapes(X, problem.dictionary, code=code)
    return _vjp_by_slices(problem, X, code, cotangent)


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
) -> tuple[Solution, Callable[[Array], Gradients]]:
    r"""Codes of signals, and the function that pulls gradients in them back.

    The pair that a layer of a network needs: `encode` forward and `code_vjp` backward, with the
    checks and the Gram matrix of the atoms shared between the two.

    Parameters
    ----------
    X : array or SciPy sparse matrix of shape (n_samples, n_features)
        Signals.
    dictionary : array of shape (n_components, n_features)
        Atoms as rows.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes. What is "auto" in it is resolved on X, and counts as a constant.
    transfer : {"linear", "softmax"}, default="linear"
        Link from w D to signals.
    solver : str, default="auto"
        Solver, as in :func:`~skdict_sup.encode`.
    tol : float or None, default=None
        Relative duality gap, or optimality residual for smooth priors; None is 1e-9 in float64,
        1e-5 in float32.
    max_iter : int or None, default=None
        Most iterations per signal, as in :func:`~skdict_sup.encode`.
    init : array of shape (n_samples, n_components), sparse matrix, encoder or None, default=None
        Codes to start from.
    n_jobs : int or None, default=None
        Threads, for both directions.

    Returns
    -------
    solution : Solution
        As of :func:`~skdict_sup.encode`.
    vjp : callable
        ``vjp(cotangent)``, for the gradient (n_samples, n_components) of a scalar function in the
        codes, returns its :class:`~skdict_sup.Gradients` in dictionary, signals and
        hyper-parameters, as :func:`~skdict_sup.code_vjp` does. It may be called several times. It
        refers to X and dictionary, which must not change before.

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit, values are not finite, or a parameter is out of its range.

    Warns
    -----
    ConvergenceWarning
        Once per call, if codes are above the tolerance: then the gradients are those of codes
        nearby.

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
    X, problem, settings = pose(X, dictionary, prior, transfer, solver, tol, max_iter, init)
    check_methods(problem.prior, TO_DIFFERENTIATE, _PURPOSE)
    like = problem.dictionary
    # tensors in host memory share the fast way of NumPy, in both directions
    problem = Problem(problem.reconstruction, problem.prior, Atoms(as_numpy_view(like)))
    solution = solve(problem, X, n_jobs=n_jobs, **settings)
    code = namespace(solution.code).asarray(solution.code, copy=True)  # users may change theirs

    @computing()
    def vjp(cotangent):
        """Gradients of a scalar function whose gradient in the codes is `cotangent`."""
        cotangent = check_matrix(cotangent, "cotangent")
        check_shapes(X, like, cotangent=cotangent)
        return _given_back(_vjp_by_slices(problem, X, code, cotangent, n_jobs), like)

    fields = {name: from_numpy_view(part, like) for name, part in vars(solution).items()}
    return Solution(**fields), vjp


def _given_back(found, like):
    """Gradients in the library of an array."""
    if is_numpy(like):
        return found
    prior = {name: astype_like(part, like) for name, part in vars(found.prior).items()}
    toward = from_numpy_view(found.dictionary, like), from_numpy_view(found.X, like)
    return Gradients(*toward, type(found.prior)(**prior))


def _vjp_by_slices(problem, X, code, cotangent, n_jobs=None):
    """`vjp` of a whole batch, of which only a slice of the adjoints is held at once."""
    like, parts = problem.dictionary, []
    for rows in slices(X.shape[0], _CHUNK):
        w, g = (astype_like(dense(a[rows, :]), like) for a in (code, cotangent))
        parts.append(vjp(problem, astype_like(X.batch(rows), like), w, g, n_jobs))
    return parts[0] if len(parts) == 1 else _join(namespace(like), parts)


def _join(xp, parts):
    """Gradients of consecutive slices as one."""
    record = type(parts[0].prior)
    fields = {
        name: sum(getattr(part.prior, name) for part in parts)
        for name in record.__dataclass_fields__
    }
    return Gradients(
        sum(part.dictionary for part in parts),
        xp.concat([part.X for part in parts], axis=0),
        record(**fields),
    )
