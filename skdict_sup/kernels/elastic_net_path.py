"""Kernel: exact elastic-net codes of a batch for several weights, from one path."""

from .._array import namespace
from ._dispatch import kernel
from .elastic_net_codes import elastic_net_codes
from .weighted_elastic_net_codes import weighted_elastic_net_codes


@kernel
def elastic_net_path(
    gram, corr, lams, lam2, positive, weights=None, dictionary=None, entry_weight=None
):
    r"""Exact codes for each of some decreasing weights of the l1 norm.

    Each code is the start of the next one.

    Parameters
    ----------
    gram : array (n_components, n_components) or None
        Inner products of the atoms; None with weights of entries.
    corr : array (n_samples, n_components)
        Inner products of signals and atoms.
    lams : sequence of floats
        Weights of the l1 norm, in decreasing order; with `weights` factors of these.
    lam2 : float
    positive : bool
    weights : array (n_components,) or None
        Weights of the entries of codes in the l1 norm; None stands for ones.
    dictionary : array (n_components, n_features) or None
    entry_weight : array (n_samples, n_features) or None
        Weights of the entries of signals, with which correlations are weighted too.

    Returns
    -------
    code, slope : array (n_lams, n_samples, n_components)
    n_iter : int array (n_lams, n_samples)
        Changes of the support since the zero code.

    References
    ----------
    M. Osborne et al., "A new approach to variable selection in least squares", 2000 (homotopy).
    """
    xp, code, total, parts = namespace(corr), None, 0, []
    for lam in lams:
        bound = float(lam) if weights is None else float(lam) * weights
        settings = corr, bound, lam2, positive, code
        if entry_weight is None:
            code, slope, n_iter = elastic_net_codes(gram, *settings)
        else:
            code, slope, n_iter = weighted_elastic_net_codes(dictionary, entry_weight, *settings)
        total = total + n_iter
        parts.append((code, slope, total))
    return tuple(xp.stack(column, axis=0) for column in zip(*parts, strict=True))
