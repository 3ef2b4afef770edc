"""Kernel: inner products of rows and atoms, each row for itself."""

from .._array import astype_like, rows_times, to_float64
from ._dispatch import kernel

BLOCK = 128  # products that are summed one after another


def product_rounding(n_features):
    """Bound on the rounding error of products in float32, relative to the norms of both rows.

    Sums of at most BLOCK products are rounded as many times, and sums of blocks once for each
    block (Higham, "Accuracy and stability of numerical algorithms", 2002, equation 3.5).
    """
    n_roundings = min(BLOCK, n_features) + -(-n_features // BLOCK)
    return n_roundings * 2.0**-24 / (1.0 - n_roundings * 2.0**-24)


@kernel
def panel_products(rows, panels, n_components, symmetric=False, n_jobs=1):
    """Inner products of rows and atoms; a row of the result depends on that row alone.

    The compiled version sums in float32, in an order that does not depend on the place of a row:
    `product_rounding` bounds its errors. The reference sums in float64.

    Parameters
    ----------
    rows : array (n_samples, n_features)
    panels : array
        From `atom_panels`.
    n_components : int
        Number of atoms.
    symmetric : bool
        Whether the rows are the atoms themselves: only half of the result is computed.
    n_jobs : int
        Threads that a compiled version may use; the result does not depend on it.

    Returns
    -------
    products : array (n_samples, n_components)
    """
    return astype_like(rows_times(to_float64(rows), to_float64(panels).T), rows)
