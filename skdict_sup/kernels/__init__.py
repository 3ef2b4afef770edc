"""The kernel seam: mathematical operations on a whole mini-batch, (arrays, scalars) -> arrays.

A kernel's docstring is its contract; its body is the reference, written for any array namespace.
Compiled versions attach by name on one page, `_registry.py`, and are loaded at the first call
whose arrays they can take:

    caller ──> kernel(arrays) ──> first usable row of the registry ──> compiled version
                              └─> none usable ───────────────────────> reference (the body)

`kernel.reference` is the body itself, which the tests hold the compiled versions against.
"""

from .atom_update import atom_update
from .code_moments import code_moments
from .coordinate_descent import coordinate_descent
from .elastic_net_certificate import elastic_net_certificate
from .elastic_net_codes import elastic_net_codes
from .kl_codes import kl_codes
from .linear_vjp import linear_vjp
from .support_solve import support_solve
from .thresholded_product import thresholded_product

__all__ = [
    "atom_update",
    "code_moments",
    "coordinate_descent",
    "elastic_net_certificate",
    "elastic_net_codes",
    "kl_codes",
    "linear_vjp",
    "support_solve",
    "thresholded_product",
]
