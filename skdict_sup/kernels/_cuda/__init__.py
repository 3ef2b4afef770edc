"""CUDA implementations of kernels: source files, and a Python module that launches each."""
