"""Kernel: codes times a matrix, then a threshold: one layer of an encoder."""

from .._array import namespace
from ._dispatch import kernel


@kernel
def thresholded_product(fixed, code, matrix, threshold, positive=False):
    r"""Soft-thresholded product soft(b + w M, theta): one layer of a network, or a step of ISTA.

    Parameters
    ----------
    fixed : array (n_samples, n_components)
        Contribution of the signals, b.
    code : array (n_samples, n_components)
        Codes w.
    matrix : array (n_components, n_components)
        The matrix M.
    threshold : array (n_components,)
        Thresholds theta >= 0 of the entries; zeros leave signed entries as they are.
    positive : bool
        Whether entries below the threshold become zero, whatever their magnitude.

    Returns
    -------
    array (n_samples, n_components)

    References
    ----------
    K. Gregor, Y. LeCun, "Learning fast approximations of sparse coding", 2010, equation 3.
    """
    point = fixed + code @ matrix
    xp = namespace(point)
    zero = xp.zeros_like(point)
    above = xp.maximum(point - threshold, zero)
    return above if positive else above + xp.minimum(point + threshold, zero)
