"""Kernels: mathematical operations on a whole mini-batch, from arrays and scalars to arrays.

A kernel's docstring is its contract; its body is the reference, written for any array namespace.
Compiled versions are registered by name in `_registry.py`, and are loaded at the first call with
arrays that they support:

    caller ──> kernel(arrays) ──> first usable row of the registry ──> compiled version
                              └─> none usable ───────────────────────> reference (the body)

`kernel.reference` is the body itself, with which tests compare the compiled versions.
"""

from .atom_panels import atom_panels
from .atom_update import atom_update
from .ball_step import ball_step
from .certified_codes import certified_codes
from .code_moments import code_moments
from .coordinate_descent import coordinate_descent
from .elastic_net_bounds import elastic_net_bounds, gap_with_rounding, least_square
from .elastic_net_certificate import elastic_net_certificate
from .elastic_net_codes import elastic_net_codes
from .elastic_net_path import elastic_net_path
from .elastic_net_until import elastic_net_until
from .error_diffusion import error_diffusion
from .kl_certificate import kl_certificate
from .kl_codes import kl_codes
from .linear_vjp import linear_vjp
from .matching_pursuit_codes import matching_pursuit_codes
from .overlap_add import overlap_add
from .panel_products import panel_products, product_rounding
from .support_solve import support_solve
from .thresholded_product import thresholded_product
from .weighted_coordinate_descent import weighted_coordinate_descent
from .weighted_elastic_net_codes import weighted_elastic_net_codes
from .weighted_support_solve import weighted_support_solve

__all__ = [
    "atom_panels",
    "atom_update",
    "ball_step",
    "certified_codes",
    "code_moments",
    "coordinate_descent",
    "elastic_net_bounds",
    "elastic_net_certificate",
    "elastic_net_codes",
    "elastic_net_path",
    "elastic_net_until",
    "error_diffusion",
    "gap_with_rounding",
    "kl_certificate",
    "kl_codes",
    "least_square",
    "linear_vjp",
    "matching_pursuit_codes",
    "overlap_add",
    "panel_products",
    "product_rounding",
    "support_solve",
    "thresholded_product",
    "weighted_coordinate_descent",
    "weighted_elastic_net_codes",
    "weighted_support_solve",
]
