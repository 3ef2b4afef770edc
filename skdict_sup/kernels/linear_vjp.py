"""Kernel: gradients of a function of the codes for dictionary and signals, linear transfer."""

from ._dispatch import kernel


@kernel
def linear_vjp(X, dictionary, code, adjoint, n_jobs=1, signals=True):
    r"""Gradients for the dictionary, beta'(X - w D) - w'(beta D), and for the signals, beta D.

    Parameters
    ----------
    X : array (n_samples, n_features)
    dictionary : array (n_components, n_features)
    code : array (n_samples, n_components)
        Codes w.
    adjoint : array (n_samples, n_components)
        Solutions beta of the implicit system, which are sparse like the codes.
    n_jobs : int
        Threads that a compiled version may use; the result does not depend on it.
    signals : bool
        Whether the gradient for the signals is needed.

    Returns
    -------
    grad_dictionary : array (n_components, n_features)
        Summed over the batch.
    grad_X : array (n_samples, n_features), or None

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", section "Main result".
    """
    grad_X = adjoint @ dictionary
    residual = X - code @ dictionary
    return adjoint.T @ residual - code.T @ grad_X, grad_X if signals else None
