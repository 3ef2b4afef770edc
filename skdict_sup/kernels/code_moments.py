"""Kernel: second moments of codes, and of codes with their signals."""

from ._dispatch import kernel


@kernel
def code_moments(X, code, weighted, n_jobs=1):
    r"""Second moments: sums of v'w and v'x over codes w, weighted codes v and signals x.

    Parameters
    ----------
    X : array (n_samples, n_features)
    code : array (n_samples, n_components)
        Codes w.
    weighted : array (n_samples, n_components)
        Codes times the weight of their signal, v; zero wherever the code is.
    n_jobs : int
        Threads that a compiled version may use; the result does not depend on it.

    Returns
    -------
    code_moment : array (n_components, n_components)
    cross_moment : array (n_components, n_features)

    References
    ----------
    J. Mairal, F. Bach, J. Ponce, G. Sapiro, "Online learning for matrix factorization and sparse
    coding", JMLR 2010, algorithm 1.
    """
    return weighted.T @ code, weighted.T @ X
