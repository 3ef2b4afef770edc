"""Matrices of a network in inference mode, in the order in which products are computed."""

from dataclasses import dataclass
from typing import Any

from .._array import on_host
from ..kernels import atom_panels, panel_products, thresholded_product


@dataclass(frozen=True, eq=False)
class Factor:
    """A matrix (n_outputs, n_inputs) whose rows are multiplied with rows of codes or signals.

    In host memory, a row of a product depends on that row alone, bit for bit.
    """

    panels: Any
    n_outputs: int

    @classmethod
    def of(cls, matrix):
        """Factor of a matrix."""
        return cls(atom_panels(matrix), matrix.shape[0])

    def times(self, rows):
        """Inner products (n_samples, n_outputs) of rows with those of the matrix."""
        if on_host(rows):
            return panel_products(rows, self.panels, self.n_outputs)
        return rows @ self.panels.T  # on a device the panels are the matrix itself

    def layer(self, fixed, code, threshold, positive=False, decay=1.0, step=1.0):
        """Thresholded sum of a fixed part and the product with codes: `thresholded_product`."""
        return thresholded_product(fixed, code, self.panels, threshold, positive, decay, step)


class Factors:
    """Factors of the matrices of a network: layers that share a matrix share its factor."""

    def __init__(self):
        self._found = {}

    def __call__(self, matrix):
        """Factor of a matrix, computed once."""
        key = id(matrix)
        if key not in self._found:
            # the reference to the matrix keeps its id from being reused
            self._found[key] = matrix, Factor.of(matrix)
        return self._found[key][1]
