"""Kernel: a dictionary in the order in which products with it are computed."""

from ._dispatch import kernel


@kernel
def atom_panels(dictionary):
    """Copy of a dictionary for `panel_products`, in an order of its own.

    Parameters
    ----------
    dictionary : array (n_components, n_features)

    Returns
    -------
    panels : array
        The dictionary itself in the reference. The compiled version for float32 returns a flat
        array: panels of neighbouring atoms, each with one column after another.
    """
    return dictionary
