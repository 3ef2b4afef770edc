"""Coding a whole batch: slices, threads, precision, and the assembled solution."""

from .solve import solve

__all__ = ["solve"]
