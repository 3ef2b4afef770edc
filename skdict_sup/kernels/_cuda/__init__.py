"""CUDA versions of kernels: source text beside what launches it."""
