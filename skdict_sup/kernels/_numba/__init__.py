"""Implementations of the kernels for NumPy arrays, compiled by numba."""
