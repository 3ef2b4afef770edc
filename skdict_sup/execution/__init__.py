"""Coding a whole batch: slices, threads, the floats that signals ask for, and what comes of it."""

from .plan import default_tol
from .solve import solve

__all__ = ["default_tol", "solve"]
