"""Every compiled version of every kernel, on one page.

A row names the kernel, the module of its compiled version, a predicate on the array arguments that
says whether this version supports them, and the wrapper that converts them without copying. Rows
are tried in order.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ._interop import (
    cupy_floats,
    numpy_float32,
    numpy_floats,
    torch_device_floats,
    torch_host_float32,
    torch_host_floats,
    unwrapped,
    wrap_for_torch_cuda,
    wrap_for_torch_host,
)


@dataclass(frozen=True)
class Version:
    """One compiled version of one kernel, and the arrays that it supports."""

    kernel: str
    backend: str
    module: str
    usable: Callable[..., bool]
    wrap: Callable = unwrapped


_HOST_KERNELS = (
    "atom_panels",
    "panel_products",
    "elastic_net_codes",
    "elastic_net_certificate",
    "elastic_net_bounds",
    "kl_codes",
    "kl_certificate",
    "coordinate_descent",
    "code_moments",
    "linear_vjp",
    "support_solve",
    "thresholded_product",
    "atom_update",
    "ball_step",
    "weighted_elastic_net_codes",
    "weighted_support_solve",
    "weighted_coordinate_descent",
    "elastic_net_until",
    "matching_pursuit_codes",
    "elastic_net_path",
    "overlap_add",
    "error_diffusion",
)
_FLOAT32_KERNELS = ("certified_codes",)
_GPU_KERNELS = ("elastic_net_codes", "kl_codes", "support_solve", "atom_update")

REGISTRY = (
    *(Version(name, "numba", f"._numba.{name}", numpy_floats) for name in _HOST_KERNELS),
    *(
        Version(name, "numba", f"._numba.{name}", torch_host_floats, wrap_for_torch_host)
        for name in _HOST_KERNELS
    ),
    *(Version(name, "numba", f"._numba.{name}", numpy_float32) for name in _FLOAT32_KERNELS),
    *(
        Version(name, "numba", f"._numba.{name}", torch_host_float32, wrap_for_torch_host)
        for name in _FLOAT32_KERNELS
    ),
    *(Version(name, "cuda", f"._cuda.{name}", cupy_floats) for name in _GPU_KERNELS),
    *(
        Version(name, "cuda", f"._cuda.{name}", torch_device_floats, wrap_for_torch_cuda)
        for name in _GPU_KERNELS
    ),
)
