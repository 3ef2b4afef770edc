"""Certificates of codes: bounds on their suboptimality that include rounding errors."""

from ._bounds import (
    certificate,
    certificate_after_cast,
    certificate_from_residuals,
    optimality_measures,
)
from ._terms import AtomNorms, Certificate

__all__ = [
    "AtomNorms",
    "Certificate",
    "certificate",
    "certificate_after_cast",
    "certificate_from_residuals",
    "optimality_measures",
]
