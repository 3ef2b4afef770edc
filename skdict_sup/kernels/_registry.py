"""Every compiled version of every kernel, on one page.

A row names the kernel, where its compiled twin lives, and a plain predicate on the array
arguments that says whether the twin can take them. Rows are tried from the top.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .._array import is_numpy


def numpy_floats(*arrays):
    """NumPy arrays of a floating dtype that the compilers know."""
    return is_numpy(*arrays) and all(a.dtype.char in "fd" for a in arrays)


@dataclass(frozen=True)
class Version:
    """One compiled version of one kernel."""

    kernel: str
    backend: str
    module: str
    usable: Callable[..., bool]


REGISTRY = (
    Version("elastic_net_codes", "numba", "._numba.elastic_net_codes", numpy_floats),
    Version("elastic_net_certificate", "numba", "._numba.elastic_net_certificate", numpy_floats),
    Version("kl_codes", "numba", "._numba.kl_codes", numpy_floats),
    Version("coordinate_descent", "numba", "._numba.coordinate_descent", numpy_floats),
    Version("code_moments", "numba", "._numba.code_moments", numpy_floats),
    Version("linear_vjp", "numba", "._numba.linear_vjp", numpy_floats),
    Version("support_solve", "numba", "._numba.support_solve", numpy_floats),
    Version("thresholded_product", "numba", "._numba.thresholded_product", numpy_floats),
    Version("atom_update", "numba", "._numba.atom_update", numpy_floats),
)
