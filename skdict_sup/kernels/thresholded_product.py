"""Kernel: codes times a matrix, then a threshold: one layer of an encoder."""

from .._array import namespace
from ._dispatch import kernel


@kernel
def thresholded_product(fixed, code, panels, threshold, positive=False, decay=1.0, step=1.0):
    r"""Soft-thresholded sum soft(a b + s w M', theta): one layer of a network, or a step of ISTA.

    The compiled version sums the products of an entry in the order of the columns of M, whatever
    the batch: a row of the result depends on its rows of b and w alone, bit for bit.

    Parameters
    ----------
    fixed : array (n_samples, n_outputs)
        Contribution of the signals, b.
    code : array (n_samples, n_inputs)
        Codes w.
    panels : array
        The matrix M (n_outputs, n_inputs), from `atom_panels`.
    threshold : array (n_outputs,)
        Thresholds theta >= 0 of the entries; zeros leave signed entries as they are.
    positive : bool
        Whether entries below the threshold become zero, whatever their magnitude.
    decay, step : float
        The factors a and s.

    Returns
    -------
    array (n_samples, n_outputs)

    References
    ----------
    K. Gregor, Y. LeCun, "Learning fast approximations of sparse coding", 2010, equation 3.
    """
    point = decay * fixed + step * (code @ panels.T)
    xp = namespace(point)
    zero = xp.zeros_like(point)
    above = xp.maximum(point - threshold, zero)
    return above if positive else above + xp.minimum(point + threshold, zero)
