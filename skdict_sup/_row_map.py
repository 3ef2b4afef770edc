"""A matrix that many rows are multiplied by."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ._array import on_host
from .kernels import atom_panels, panel_products


@dataclass(frozen=True, eq=False)
class RowMap:
    """Products of rows and a matrix (n_inputs, n_outputs), in the dtype of both.

    In host memory, a row of a product depends, bit for bit, on that row alone.
    """

    matrix: Any

    @cached_property
    def _panels(self):
        """The matrix in the order in which products with it are computed."""
        return atom_panels(self.matrix.T)

    def prepare(self):
        """Copy the matrix before several threads need it; return the map."""
        if on_host(self.matrix):
            _ = self._panels
        return self

    def __call__(self, rows):
        """Product (n_samples, n_outputs) of an array (n_samples, n_inputs)."""
        if on_host(self.matrix):
            return panel_products(rows, self._panels, self.matrix.shape[1])
        return rows @ self.matrix
