"""Coding a whole batch: slices, threads, the floats that signals ask for, and what comes of it."""

from .solve import solve

__all__ = ["solve"]
