"""Kernel: exact elastic-net codes of signals whose entries have weights."""

from ._dispatch import kernel
from ._systems import WeightedSystem
from .elastic_net_codes import exact_codes


@kernel
def weighted_elastic_net_codes(
    dictionary, entry_weight, corr, lam, lam2, positive, init=None, max_iter=None
):
    r"""Exact codes argmin_w 1/2 w'(D diag(v) D' + lam2 I)w - <corr, w> + <lam, |w|>.

    The algorithm is that of `elastic_net_codes`. Compiled versions compute the inner products of
    an atom when it becomes active, and keep them for signals of equal weights.

    Parameters
    ----------
    dictionary : array (n_components, n_features)
    entry_weight : array (n_samples, n_features)
        Weights v >= 0 of the entries of each signal: inverse noise variances, or 1 for observed
        and 0 for missing ones.
    corr : array (n_samples, n_components)
        Weighted inner products of signals and atoms, (x * v) D'.
    lam : float, or array (n_components,)
    lam2 : float
    positive : bool
    init : array like corr or None
    max_iter : int or None

    Returns
    -------
    code : array (n_samples, n_components)
    slope : array (n_samples, n_components)
        corr - code D diag(v) D'.
    n_iter : int array (n_samples,)

    References
    ----------
    M. Elad, M. Figueiredo, Y. Ma, "On the role of sparse and redundant representations in image
    processing", 2010, section on inpainting.
    """
    system = WeightedSystem(dictionary, entry_weight)
    return exact_codes(system, corr, lam, lam2, positive, init, max_iter)
