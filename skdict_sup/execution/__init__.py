"""Coding a whole batch: slices, threads, precision, and the assembled solution."""

from .limits import Limits
from .solve import solve

__all__ = ["Limits", "solve"]
