"""Gradients through the codes by implicit differentiation of the optimality condition."""

import scipy.sparse

from ._array import astype_like, namespace
from ._threads import effective_n_jobs, one_blas_thread, slices
from ._validation import check_matrix, check_shapes, check_sparse
from .coding import make_problem
from .kernels import linear_vjp, support_solve
from .solution import Gradients

_CHUNK = 4096  # signals whose adjoints are held at once

__all__ = ["adjoint", "code_vjp", "vjp"]


def adjoint(problem, code, cotangent):
    """Solution of the implicit system, H_SS adjoint_S = cotangent_S, zero off the support."""
    prior = problem.prior
    return support_solve(problem.gram, prior.curvature(code), prior.support(code), cotangent)


def vjp(problem, X, code, cotangent, n_jobs=None):
    """`code_vjp` for a problem and arrays that fit."""
    beta = adjoint(problem, code, cotangent)
    jobs = effective_n_jobs(n_jobs)
    toward_dictionary, toward_X = linear_vjp(X, problem.dictionary, code, beta, jobs)
    return Gradients(toward_dictionary, toward_X, problem.prior.pull_back(code, beta))


@one_blas_thread()
def code_vjp(X, dictionary, code, cotangent, *, prior="elastic_net", transfer="linear"):
    r"""Pull gradients with respect to codes back to what the codes were computed from.

    For a scalar function L of the codes with gradient g = dL/dw, the optimality condition gives

    .. math:: \beta_S = (D_S D_S^\top + \lambda_2 I)^{-1} g_S, \quad \beta_{S^c} = 0,

        \nabla_D L = -w^\top (\beta D) + \beta^\top (x - w D), \qquad \nabla_x L = \beta D,

        \partial_\lambda L = -\langle \beta, \mathrm{sign}(w) \rangle, \qquad
        \partial_{\lambda_2} L = -\langle \beta, w \rangle,

    with S the support of the code. It knows the equation that the codes solve, not the solver.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Signals.
    dictionary : array of shape (n_components, n_features)
        Atoms as rows.
    code : array or SciPy sparse matrix of shape (n_samples, n_components)
        Exact codes of X, from :func:`~skdict_sup.encode` with the same prior.
    cotangent : array of shape (n_samples, n_components)
        Gradient of the scalar function with respect to each code.
    prior : {"elastic_net"} or prior object, default="elastic_net"
        Prior that the codes were computed with.
    transfer : {"linear"}, default="linear"
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
    The codes are differentiable wherever no atom off the support touches its bound,
    ``|slope_j| < lam``; at such kinks the result is the derivative with the support held fixed.
    An atom that depends linearly on others of its support is held at its value.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", section "Main result"; D. Bradley,
    J. Bagnell, "Differentiable sparse coding", section 3.2.

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
    expected = (X.shape[0], problem.dictionary.shape[0])
    if sparse:
        code = check_sparse(code, "code", expected)
    else:
        check_shapes(X, problem.dictionary, code=code)
    xp = namespace(X)
    parts = []
    for rows in slices(X.shape[0], _CHUNK):
        w = astype_like(code[rows].toarray() if sparse else code[rows, :], X)
        parts.append(vjp(problem, X[rows, :], w, astype_like(cotangent[rows, :], X)))
    return parts[0] if len(parts) == 1 else _join(xp, parts)


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
