"""Versions of the kernels for NumPy arrays: plain compiled functions, no threads of their own."""
