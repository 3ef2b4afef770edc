"""Coding a whole batch: slices, threads, precision, and the assembled solution."""

from .limits import Limits
from .solve import solve, solve_path

__all__ = ["Limits", "solve", "solve_path"]
